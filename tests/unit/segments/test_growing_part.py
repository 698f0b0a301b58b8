"""What growing rows of every kind do: values that share arrays, and never change."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
import pytest

from palimpsest.index.config.vectors import SparseConfig, VectorConfig
from palimpsest.index.kinds.registry import kind_of
from palimpsest.index.kinds.sparse.rows import SparseRows
from palimpsest.index.segments.growing_part import FIRST_CAPACITY, AnyGrowing
from palimpsest.index.storage.ids import pack_ids
from palimpsest.index.types import Distance
from tests.unit.kinds.sets import SetsConfig, joined

CONFIGS = [VectorConfig(2, Distance.DOT), SparseConfig(), SetsConfig(2)]


def values(config: Any, n: int) -> Any:
    if isinstance(config, VectorConfig):
        return np.ones((n, 2), dtype=np.float32)
    if isinstance(config, SparseConfig):
        return SparseRows(
            np.arange(n + 1), np.full(n, 2**32 - 1, np.uint32), np.ones(n, np.float32)
        )
    return joined([np.ones((1, 2), dtype=np.float32)] * n, 2)


def grow(part: AnyGrowing, first: int, n: int) -> AnyGrowing:
    slots = np.arange(first, first + n, dtype=np.uint64)
    ids = pack_ids([2**53 + int(slot) for slot in slots])
    return part.extended(slots, first, ids, slots.astype(np.uint32), values(part.config, n))


@pytest.fixture(params=CONFIGS, ids=lambda one: one.kind)
def empty(request: pytest.FixtureRequest) -> AnyGrowing:
    return kind_of(request.param).grow(request.param)


def test_each_value_keeps_its_rows_beyond_what_arrays_had_room_for(empty: AnyGrowing) -> None:
    few = grow(empty, 1, 3)
    many = grow(few, 4, 2 * FIRST_CAPACITY)
    assert (empty.n, few.n, many.n) == (0, 3, 3 + 2 * FIRST_CAPACITY)
    assert (empty.last_slot, few.last_slot, many.last_slot) == (0, 3, 3 + 2 * FIRST_CAPACITY)
    assert few.key == many.key == 1 and many.stored_bytes > few.stored_bytes
    assert many.source is many and many.folder is None


def test_rows_that_come_again_are_left_out(empty: AnyGrowing) -> None:
    part = grow(empty, 1, 5)
    assert grow(part, 1, 5) is part and grow(part, 3, 1) is part
    overlapping = grow(part, 4, 4)
    assert overlapping.n == 7
    assert overlapping.columns.slots[:7].tolist() == list(range(1, 8))


def test_dead_rows_are_dead_for_who_comes_later(empty: AnyGrowing) -> None:
    part = grow(empty, 10, 4)
    dead = part.without(np.array([11, 13, 99, 11], dtype=np.uint64))
    assert (part.live, dead.live) == (4, 2)
    assert dead.live_numbers.tolist() == [10, 12]
    assert dead.without(np.array([11], dtype=np.uint64)).live == 2
    assert part.without(np.array([99], dtype=np.uint64)) is part
    longer = grow(dead, 14, 2 * FIRST_CAPACITY)
    assert longer.live == 2 + 2 * FIRST_CAPACITY and 11 not in longer.live_numbers.tolist()


def test_only_rows_of_some_points_are_left_alive(empty: AnyGrowing) -> None:
    part = grow(empty, 1, 4)
    flags = np.array([False, True, False, True])  # of points 0 to 3; 4 is beyond them
    assert part.only(flags).live_numbers.tolist() == [1, 3]
    assert part.live == 4


def test_an_id_that_is_no_integer_widens_those_before_it(empty: AnyGrowing) -> None:
    part = grow(empty, 1, 2)
    wide = part.extended(
        np.array([3], np.uint64), 3, pack_ids([UUID(int=7)]), np.array([3], np.uint32),
        values(part.config, 1),
    )  # fmt: skip
    assert wide.n == 3 and wide.columns.ids.ndim == 2 and part.columns.ids.ndim == 1
    assert wide.find(np.array([3, 1], np.uint64)).tolist() == [2, 0]
