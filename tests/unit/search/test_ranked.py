"""Rows in one order, of parts and of lists: as a plain sort has them."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from palimpsest.index.search.merge import PartHits
from palimpsest.index.search.ranked import RankedRows, interleaved, joined, ranked
from palimpsest.index.segments.searcher import Hits
from palimpsest.index.storage.ids import pack_ids

N = 40
LISTS = (20,), (12, 9), (8, 3)  # lengths of their parts


def part(rng: np.random.Generator, distances: Any) -> tuple[Any, Any]:
    """Return columns of N rows and hits among them, closest first."""
    numbers = rng.permutation(N).astype(np.uint32)
    columns = SimpleNamespace(
        ids=numbers.astype(np.uint64), numbers=numbers, slots=rng.permutation(N).astype(np.uint64)
    )
    rows = rng.permutation(N)[: len(distances)].astype(np.uint32)
    return columns, Hits(rows, np.asarray(distances, dtype=np.float32), 0, 0, 0)


def several(seed: int, steps: int, lengths: Sequence[int]) -> list[PartHits]:
    """Return hits of parts, at one of so many distances or at none that is a number."""
    rng = np.random.default_rng(seed)
    found = []
    for length in lengths:
        distances = np.sort(rng.integers(-steps, steps, size=length) / steps)
        found.append(PartHits(*part(rng, distances)))
        found[-1].hits.distances[-2:] = np.inf, np.nan
    return found


def shown(rows: RankedRows) -> list[tuple[int, str]]:
    return list(zip(rows.numbers.tolist(), map(str, rows.distances.tolist()), strict=True))


def sorted_places(columns: RankedRows, keys: Any, count: int) -> list[list[float]]:
    """Return the first rows of a list in the order of keys, the last one first, as numpy has it."""
    order = np.lexsort(keys)[:count]
    return [each.tolist() for each in (columns.places[:, order])]


def one_after_the_other(found: Sequence[PartHits]) -> RankedRows:
    places = [
        [np.full(len(hits.rows), place), hits.rows, columns.numbers[hits.rows]]
        for place, (columns, hits) in enumerate(found)
    ]
    return RankedRows(
        tuple(one.columns for one in found),
        np.concatenate(places, axis=1, dtype=np.uint32, casting="unsafe"),
        np.concatenate([one.hits.distances for one in found]),
    )


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


@pytest.mark.parametrize("count", [1, 7, 30, 1_000])
@pytest.mark.parametrize("steps", [1_000, 3])
@pytest.mark.parametrize("lengths", [(20,), (12, 9), (30, 2, 17)])
def test_parts_are_ranked_as_numpy_sorts_them(
    count: int, steps: int, lengths: Sequence[int]
) -> None:
    found = several(count + steps, steps, lengths)
    plain, rows = one_after_the_other(found), ranked(found, count)
    keys = (plain.numbers, plain.distances)
    assert rows.places.tolist() == sorted_places(plain, keys, count)
    np.testing.assert_array_equal(rows.distances, plain.distances[np.lexsort(keys)[:count]])
    assert rows.columns == plain.columns


@pytest.mark.parametrize("count", [1, 7, 30, 1_000])
@pytest.mark.parametrize("steps", [1_000, 3])
def test_lists_are_interleaved_as_numpy_sorts_them(count: int, steps: int) -> None:
    lists = [ranked(several(seed, steps, lengths), 25) for seed, lengths in enumerate(LISTS)]
    lists[1] = lists[1].taken(slice(0, 11))  # no longer contiguous
    lists[2] = lists[2].scored(lists[2].distances[::-1].copy())  # in no order
    plain, rows = joined(lists), interleaved(lists, count)
    ranks = np.concatenate([np.arange(one.length) for one in lists])
    keys = (ranks, plain.distances)
    assert rows.places.tolist() == sorted_places(plain, keys, count)
    np.testing.assert_array_equal(rows.distances, plain.distances[np.lexsort(keys)[:count]])
    assert rows.columns == plain.columns


def test_nothing_is_ranked_and_interleaved_to_nothing() -> None:
    nothing = ranked([], 10)
    assert nothing.length == interleaved([nothing, nothing], 10).length == 0
    assert nothing.merged().ids == []


@pytest.mark.parametrize("has_names", [False, True])
def test_ids_and_slots_are_those_of_the_rows(has_names: bool) -> None:
    found = several(3, 1_000, (12, 9))
    ids = [[*range(N)], [UUID(int=n) if has_names else 100 + n for n in range(N)]]
    for one, own in zip(found, ids, strict=True):
        one.columns.ids = pack_ids(own)  # type: ignore[misc]
    rows = ranked(found, 15)
    pairs = list(zip(rows.parts.tolist(), rows.rows.tolist(), strict=True))
    merged = rows.merged()
    assert merged.ids == [ids[part][row] for part, row in pairs]
    assert merged.slots == [int(found[part].columns.slots[row]) for part, row in pairs]
    assert merged.slots == rows.slots.tolist()


def test_joined_lists_follow_each_other() -> None:
    lists = [ranked(several(seed, 1_000, (6,)), 6) for seed in range(2)]
    plain = joined(lists)
    assert shown(plain) == [*shown(lists[0]), *shown(lists[1])]
    assert plain.slots.tolist() == [*lists[0].slots.tolist(), *lists[1].slots.tolist()]
