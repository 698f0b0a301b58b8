"""Rows of parts in one order: of one part as of several, copies by number."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from palimpsest.index.search.merge import PartHits
from palimpsest.index.search.ranked import RankedRows, joined, ranked
from palimpsest.index.segments.searcher import Hits

N = 40


def part(rng: np.random.Generator, distances: Any) -> tuple[Any, Any]:
    """Return columns of N rows and hits among them, closest first."""
    numbers = rng.permutation(N).astype(np.uint32)
    columns = SimpleNamespace(
        ids=numbers.astype(np.int64), numbers=numbers, slots=np.arange(N, dtype=np.uint64)
    )
    rows = rng.permutation(N)[: len(distances)].astype(np.uint32)
    return columns, Hits(rows, np.asarray(distances, dtype=np.float32), 0, 0, 0)


def shown(rows: RankedRows) -> list[tuple[int, float]]:
    return list(zip(rows.numbers.tolist(), rows.distances.tolist(), strict=True))


@pytest.mark.parametrize("count", [1, 5, 12, 100])
@pytest.mark.parametrize("steps", [1_000, 4])  # few: many are equally far away
def test_one_part_is_ranked_as_it_is_beside_an_empty_one(count: int, steps: int) -> None:
    rng = np.random.default_rng(count + steps)
    columns, hits = part(rng, np.sort(rng.integers(steps, size=12)) / steps)
    empty = PartHits(columns, Hits(hits.rows[:0], hits.distances[:0], 0, 0, 0))
    alone = ranked([PartHits(columns, hits)], count)
    beside = ranked([PartHits(columns, hits), empty], count)
    assert alone.length == min(count, 12)
    assert shown(alone) == shown(beside)
    assert alone.rows.tolist() == beside.rows.tolist()
    assert alone.merged().ids == beside.merged().ids
    assert list(alone.merged().slots) == list(beside.merged().slots)


def test_joined_lists_take_other_distances() -> None:
    rng = np.random.default_rng(7)
    lists = [ranked([PartHits(*part(rng, np.sort(rng.random(6))))], 6) for _ in range(2)]
    plain = joined(lists)
    assert shown(plain) == [*shown(lists[0]), *shown(lists[1])]
    other = -plain.distances
    assert joined(lists, other).distances is other
    assert shown(joined(lists, other)) == shown(plain.scored(other))
    assert plain.slots.tolist() == [*lists[0].slots.tolist(), *lists[1].slots.tolist()]
