from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest

from palimpsest.index import Distance, VectorConfig
from palimpsest.index.segments.growing import CODED_ROWS, Growing
from palimpsest.index.segments.searcher import Rescoring
from palimpsest.index.storage.ids import pack_ids, unpack_ids
from palimpsest.index.types import PointId, Vectors

SIZE = 8


def rows(n: int, seed: int = 0) -> Vectors:
    return np.random.default_rng(seed).standard_normal((n, SIZE), dtype=np.float32)


def grow(part: Growing, ids: list[PointId], first: int, seed: int = 0) -> Growing:
    slots = np.arange(first, first + len(ids), dtype=np.uint64)
    numbers = slots.astype(np.uint32)
    return part.extended(slots, first, pack_ids(ids), numbers, rows(len(ids), seed))


@pytest.fixture
def empty() -> Growing:
    return Growing.empty(VectorConfig(SIZE, Distance.EUCLID))


def test_an_older_value_keeps_its_rows(empty: Growing) -> None:
    first = grow(empty, [1, 2, 3], 10)
    second = grow(first, list(range(10, 1_000)), 20, seed=1)
    third = second.without(np.array([11], dtype=np.uint64))
    assert (empty.n, first.n, second.n) == (0, 3, 993)
    assert (first.live, second.live, third.live) == (3, 993, 992)
    np.testing.assert_array_equal(first.vectors_of(np.arange(3)), rows(3))
    np.testing.assert_array_equal(third.vectors_of(np.arange(3)), rows(3))


def test_rows_applied_twice_are_there_once(empty: Growing) -> None:
    once = grow(empty, [1, 2, 3], 10)
    twice = grow(once, [1, 2, 3], 10)
    assert twice.n == 3
    longer = grow(twice, [2, 3, 4], 11)
    assert unpack_ids(longer.columns.ids[: longer.n]) == [1, 2, 3, 4]


def test_the_first_uuid_widens_the_ids(empty: Growing) -> None:
    part = grow(grow(grow(empty, [5], 1), [UUID(int=9)], 2), [6], 3)
    assert unpack_ids(part.columns.ids[: part.n]) == [5, UUID(int=9), 6]


def test_rows_are_found_by_slot(empty: Growing) -> None:
    part = grow(grow(empty, [1, 2], 10), [3], 20)
    wanted = np.array([20, 5, 11, 12, 99], dtype=np.uint64)
    assert part.find(wanted).tolist() == [2, -1, 1, -1, -1]
    assert empty.find(wanted).tolist() == [-1] * 5


@pytest.mark.parametrize("encoding", ["4", "float32"])
def test_rows_are_coded_from_a_number_on_and_found_either_way(encoding: str) -> None:
    part = Growing.empty(VectorConfig(SIZE, Distance.EUCLID, encoding))  # type: ignore[arg-type]
    part = grow(part, list(range(CODED_ROWS - 1)), 1)
    assert part.encoder is None
    part = grow(part, list(range(2_000, 3_000)), CODED_ROWS, seed=2)
    part = part.without(np.arange(3, 40, dtype=np.uint64))
    assert (part.encoder is not None) == (encoding == "4")
    query = rows(1, seed=5)[0]
    exact = part.searcher.exact(query, 5, part.searcher.first(part.n, part.dead.allowed))
    expected = np.linalg.norm(part.columns.vectors[: part.n] - query, axis=1)
    expected[2:39] = np.inf
    assert exact.rows.tolist() == np.argsort(expected)[:5].tolist()
    if part.encoder is not None:
        found = part.searcher.scan(
            query, 5, Rescoring(200), part.searcher.first(part.n, part.dead.allowed)
        )
        assert found.rows.tolist() == exact.rows.tolist()
