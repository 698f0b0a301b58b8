"""Segments written without a probe: which are probed, once, and what is kept of it."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.kinds.dense.probing import falls_short, is_unprobed, probe
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.growing import Growing
from palimpsest.index.segments.seal import live_rows, write_segment
from palimpsest.index.segments.sealed import Sealed
from palimpsest.index.storage.ids import pack_ids
from palimpsest.index.storage.in_memory import InMemory
from palimpsest.index.types import Distance, Vectors

SIZE, N = 16, 1_500


def unprobed(config: VectorConfig, rows: Vectors) -> Sealed:
    slots = np.arange(1, len(rows) + 1, dtype=np.uint64)
    part = Growing.empty(config).extended(
        slots, 1, pack_ids(list(range(len(rows)))), slots.astype(np.uint32), rows
    )
    files = InMemory()
    checksum = write_segment(files / "one", live_rows([(part, Dead())]), Build(config), None)
    assert checksum is not None
    return Sealed.open(files / "one", checksum)


@pytest.fixture
def rows(rng: np.random.Generator) -> Vectors:
    return rng.standard_normal((N, SIZE)).astype(np.float32)


def never() -> bool:
    return False


@pytest.mark.parametrize("originals", ["float32", "none"])
def test_what_a_probe_finds_is_kept_in_memory(originals: str, rows: Vectors) -> None:
    config = VectorConfig(SIZE, Distance.EUCLID, originals=originals)  # type: ignore[arg-type]
    segment = unprobed(config, rows)
    assert is_unprobed(segment) and not falls_short(segment)
    probe(segment, config, [], never)
    assert segment.is_noted and not is_unprobed(segment)
    assert segment.found is not None and segment.found.recall.mean > 0.8
    assert segment.probed is None, "its files say what they said"


def test_a_cancelled_probe_leaves_nothing(rows: Vectors) -> None:
    config = VectorConfig(SIZE, Distance.EUCLID)
    segment = unprobed(config, rows)
    probe(segment, config, [], lambda: True)
    assert is_unprobed(segment) and segment.found is None


def test_rows_that_are_compared_one_by_one_need_no_probe(rows: Vectors) -> None:
    config = VectorConfig(SIZE, Distance.EUCLID, encoding="float32", M=0)
    assert not is_unprobed(unprobed(config, rows[:50]))


def test_exact_copies_do_not_fall_short(rows: Vectors) -> None:
    config = VectorConfig(SIZE, Distance.EUCLID)
    segment = unprobed(config, np.repeat(rows[:3], N // 3, axis=0))
    probe(segment, config, [rows[0]], never)
    assert not falls_short(segment) and not is_unprobed(segment)
