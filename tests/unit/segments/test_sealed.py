"""An opened segment: what it lacks, whether it is outdated, and what probes noted of it."""

from __future__ import annotations

import math
import zlib
from dataclasses import replace

import numpy as np
import pytest

from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.errors import Damaged
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.sealed import Sealed, describe, is_walked, spare
from palimpsest.index.storage.directory import replace_file
from palimpsest.index.storage.in_memory import InMemory
from palimpsest.index.types import Distance, Vectors
from tests.unit.segments.test_seal import SIZE, by_slot, grown, written

CONFIG = VectorConfig(SIZE, Distance.EUCLID)


@pytest.fixture
def rows(rng: np.random.Generator) -> Vectors:
    return rng.standard_normal((1_200, SIZE)).astype(np.float32)


@pytest.fixture
def files(rows: Vectors) -> InMemory:
    made = InMemory()
    written(made, [(grown(CONFIG, rows), Dead())], CONFIG)
    return made


def reopened(files: InMemory) -> Sealed:
    return Sealed.open(files / "s0", zlib.crc32((files / "s0").read("segment.json")))


@pytest.mark.parametrize(
    ("name", "graph", "codes"),
    [("graph_links", False, True), ("codes", False, False), ("by_slot", True, True)],
)
def test_derived_files_that_are_damaged_are_done_without(
    files: InMemory, rows: Vectors, name: str, graph: bool, codes: bool
) -> None:
    (file,) = [one for one in (files / "s0").list() if one.startswith(name)]
    content = (files / "s0").read(file)
    replace_file(files / "s0", file, content[:-1] + bytes([content[-1] ^ 1]))
    segment = reopened(files)
    assert segment.lacking == (file,) and segment.is_outdated(CONFIG)
    assert (segment.searcher.has_graph, segment.searcher.has_codes) == (graph, codes)
    np.testing.assert_array_equal(by_slot(segment), rows)


def test_originals_that_are_damaged_are_damage(files: InMemory) -> None:
    content = (files / "s0").read("kept.npy")
    replace_file(files / "s0", "kept.npy", content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(Damaged, match="kept.npy"):
        reopened(files)


def test_what_can_be_made_anew_depends_on_what_is_kept() -> None:
    names = {
        "kept.npy",
        "codes.npy",
        "encoder_mean.npy",
        "graph_links.npy",
        "by_slot.npy",
        "ids.npy",
    }
    assert spare(names) == names - {"kept.npy", "ids.npy"}
    assert spare(names - {"kept.npy"}) == {"graph_links.npy", "by_slot.npy"}


@pytest.mark.parametrize(
    "wanted",
    [{"encoding": "8"}, {"originals": "float16"}, {"M": 8}, {"M": 0}, {"ef_construction": 100}],
)
def test_other_settings_make_a_segment_outdated(files: InMemory, wanted: dict[str, object]) -> None:
    segment = reopened(files)
    assert not segment.is_outdated(CONFIG)
    assert segment.is_outdated(replace(CONFIG, **wanted))  # type: ignore[arg-type]
    assert describe(CONFIG, 3).items() <= segment.description.items()


def test_what_a_probe_found_stays_in_memory(files: InMemory) -> None:
    segment = reopened(files)
    assert (segment.decision, segment.usual, segment.is_noted) == ("unprobed", -math.inf, False)
    segment.note(None)
    assert segment.is_noted and segment.decision == "unprobed"
    trusting = segment.trusting(2.5)
    assert trusting.usual == 2.5 and not trusting.is_noted and segment.usual == -math.inf
    assert not reopened(files).is_noted


def test_which_segments_are_walked() -> None:
    assert is_walked(CONFIG) and not is_walked(replace(CONFIG, M=0))
    assert not is_walked(VectorConfig(SIZE, Distance.MANHATTAN))
