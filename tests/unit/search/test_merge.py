from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.index.search.merge import PartHits, merge
from palimpsest.index.segments.searcher import Hits
from palimpsest.index.storage.ids import Ids, pack_ids
from palimpsest.index.types import Numbers, PointId, Slots


class Columns(NamedTuple):
    ids: Ids
    numbers: Numbers
    slots: Slots


def part(ids: list[PointId], distances: list[float]) -> PartHits:
    order = np.argsort(distances, kind="stable").astype(np.uint32)
    closest = np.array(distances, dtype=np.float32)[order]
    rows = np.arange(len(ids), dtype=np.uint64)
    columns = Columns(pack_ids(ids), rows.astype(np.uint32), rows + 200)
    return PartHits(columns, Hits(order, closest, 0, 0, 0))


@given(st.lists(st.lists(st.integers(0, 5), max_size=6), max_size=4), st.integers(1, 12))
def test_merged_points_are_the_closest_with_ties_by_id(parts: list[list[int]], k: int) -> None:
    pool: list[PointId] = [UUID(int=n) if n % 3 == 0 else 50 - n for n in range(24)]
    found, all_points = [], []
    for distances in parts:
        ids = [pool.pop() for _ in distances]
        found.append(part(ids, [float(d) for d in distances]))
        all_points += list(zip(distances, ids, strict=True))
    merged = merge(found, k)
    limit = len(all_points) if len(found) == 1 else k
    expected = sorted(all_points, key=lambda one: (one[0], isinstance(one[1], UUID), int(one[1])))[
        :limit
    ]
    assert merged.distances.tolist() == [distance for distance, _ in expected]
    inside = [one for one in expected if one[0] < (merged.distances[-1] if expected else 0)]
    assert list(merged.ids)[: len(inside)] == [one for _, one in inside]
    keys = [
        (d, isinstance(one, UUID), int(one))
        for d, one in zip(merged.distances.tolist(), merged.ids, strict=True)
    ]
    assert keys == sorted(keys)


def test_numbers_and_slots_follow_their_points() -> None:
    merged = merge([part([7, 8], [2.0, 1.0]), part([9], [1.5])], 3)
    assert list(merged.ids) == [8, 9, 7]
    assert merged.numbers.tolist() == [1, 0, 0]
    assert list(merged.slots) == [201, 200, 200]


def test_only_keeps_the_columns_together() -> None:
    merged = merge([part([7, 8, 9], [1.0, 2.0, 3.0])], 3).only([True, False, True])
    assert (list(merged.ids), list(merged.slots)) == ([7, 9], [200, 202])
    assert merged.distances.tolist() == [1.0, 3.0]
    assert merged.numbers.tolist() == [0, 2]
    assert list(merged.without(2).ids) == [7]


def test_nothing_found_is_empty() -> None:
    assert list(merge([], 3).ids) == []
