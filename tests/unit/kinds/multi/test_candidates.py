"""Candidates come from all rows that may be found, and survive a segment's files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pyroaring import BitMap

from palimpsest.index import Distance, SearchStats
from palimpsest.index.kinds.multi.candidates import CandidateRows
from palimpsest.index.kinds.multi.lists import CandidateLists
from palimpsest.index.kinds.multi.seal import write_multi
from palimpsest.index.kinds.multi.sealed import MultiSealed
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.dead import Dead
from palimpsest.index.storage.local import Local
from tests.unit.kinds.multi.conftest import Only
from tests.unit.kinds.multi.corpus import texts
from tests.unit.kinds.multi.test_finding import CONFIG
from tests.unit.kinds.multi.test_seal import part_of
from tests.unit.kinds.multi.twin import similarity


@pytest.fixture(params=["mean", "fde", "lists"])
def segment(request: pytest.FixtureRequest, only: Only, tmp_path: Path) -> MultiSealed:
    only(request.param)
    return sealed(tmp_path, 1_200)


def sealed(path: Path, n: int) -> MultiSealed:
    part = part_of(texts(n), CONFIG)
    target = Local(path / "segment")
    checksum = write_multi(target, [(part, part.dead)], Build(CONFIG))
    assert checksum is not None
    return MultiSealed.open(target, checksum)


def test_the_closest_sets_are_among_the_candidates(segment: MultiSealed) -> None:
    sets, inside = texts(1_200), []
    assert segment.candidates is not None and segment.probed is not None
    assert isinstance(segment.candidates, CandidateLists) == (segment.probed.generator == "lists")
    if isinstance(segment.candidates, CandidateRows):
        assert segment.candidates.dense.searcher.has_graph
    for query in texts(20, seed=8).values():
        true = sorted(sets, key=lambda n: -similarity(query, sets[n], Distance.COSINE))[:10]
        rows = segment.candidates.closest(query, 200, Dead(), None, SearchStats())
        found = {*segment.ids[rows].tolist()}
        inside.append(len(found.intersection(true)) / 10)
    # the mean of vectors of so many directions says little
    assert np.mean(inside) >= {"mean": 0.65}.get(segment.probed.generator, 0.985)


def test_dead_rows_and_other_points_are_no_candidates(segment: MultiSealed) -> None:
    assert segment.candidates is not None
    (query,) = texts(1, seed=8).values()
    allowed = BitMap(range(0, 1_200, 3))
    dead = Dead().with_rows(np.arange(600), 1_200)
    stats = SearchStats()
    rows = segment.candidates.closest(query, 50, dead, allowed, stats)
    assert 50 <= len(rows) < 70 and rows.min() >= 600
    assert all(number % 3 == 0 for number in segment.numbers[rows].tolist())
    assert stats.scored > 0


@pytest.mark.parametrize(("generator", "file"), [("mean", "rows_codes"), ("lists", "lists_rows")])
def test_without_a_file_of_them_all_sets_are_compared(
    only: Only, tmp_path: Path, generator: str, file: str
) -> None:
    only(generator)
    part = part_of(texts(300), CONFIG)
    target = Local(tmp_path / "segment")
    checksum = write_multi(target, [(part, part.dead)], Build(CONFIG))
    assert checksum is not None
    path = tmp_path / "segment" / f"{file}.npy"
    path.write_bytes(path.read_bytes()[:-1])
    again = MultiSealed.open(target, checksum)
    assert again.candidates is None and again.coded is not None
    assert again.lacking == (f"{file}.npy",) and again.is_outdated(CONFIG)
