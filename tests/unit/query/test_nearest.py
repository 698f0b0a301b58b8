"""Nearest points of a level: within its scope, over its threshold, and unlike each other."""

from __future__ import annotations

import numpy as np
import pytest
from pyroaring import BitMap

from palimpsest.index.config.vectors import SparseConfig, VectorConfig
from palimpsest.index.errors import InvalidConfig
from palimpsest.index.query.nearest import diverse_nearest, nearest
from palimpsest.index.query.request import MAX_MMR_CANDIDATES, Mmr, Nearest, Prefetch
from palimpsest.index.query.scope import Scope
from palimpsest.index.types import Distance, SparseVector, Vector
from tests.unit.query.plain import Plain, Point

LINE = [[float(n), 0.0] for n in range(8)]
ORIGIN = np.zeros(2, dtype=np.float32)


def line(distance: Distance = Distance.EUCLID, rows: list[list[float]] = LINE) -> Plain:
    return Plain(
        [Point(n, {"v": r}, {}) for n, r in enumerate(rows)], {"v": VectorConfig(2, distance)}
    )


def test_points_out_of_scope_make_room_for_others() -> None:
    node = Prefetch(using="v", limit=3)
    for scope in (
        Scope(without=BitMap([0, 2])),
        Scope(without=BitMap([0, 2]), within=BitMap(range(8))),
    ):
        found = nearest(line(), node, ORIGIN, scope, 3)
        assert found.numbers.tolist() == [1, 3, 4] and found.scores.tolist() == [1, 3, 4]
    within = Scope(without=BitMap([7]), within=BitMap([7, 5, 6]))
    assert nearest(line(), node, ORIGIN, within, 10**18).numbers.tolist() == [5, 6]
    assert not len(nearest(line(), node, ORIGIN, Scope(within=BitMap()), 3))


@pytest.mark.parametrize(
    ("distance", "threshold", "expected"),
    [(Distance.EUCLID, 2.0, [0, 1]), (Distance.DOT, 6.0, [7]), (Distance.EUCLID, 0.0, [])],
)
def test_a_threshold_is_passed_strictly(
    distance: Distance, threshold: float, expected: list[int]
) -> None:
    query = ORIGIN if distance is Distance.EUCLID else np.array([1, 0], np.float32)
    node = Prefetch(using="v", threshold=threshold)
    assert nearest(line(distance), node, query, Scope(), 8).numbers.tolist() == expected


def diverse(
    source: Plain, query: Vector, diversity: float, limit: int = 3, offset: int = 0
) -> list[int]:
    node, mmr = Prefetch(using="v", limit=limit), Mmr(diversity, 8)
    numbers = diverse_nearest(source, node, Nearest(query, mmr), Scope(), offset).numbers
    return [int(one) for one in numbers]


@pytest.mark.parametrize("distance", [Distance.EUCLID, Distance.MANHATTAN])
def test_copies_come_last_where_points_are_to_differ(distance: Distance) -> None:
    rows = [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [3.0, 0.0], [0.0, 5.0]]
    source = line(distance, rows)
    assert set(diverse(source, ORIGIN, 0.0)) == {0, 1, 2}
    far = diverse(source, ORIGIN, 1.0)
    assert far[0] in {0, 1, 2} and set(far[1:]) == {3, 4}


def test_pages_of_diverse_points_follow_each_other() -> None:
    source = line()
    first, whole = diverse(source, ORIGIN, 0.7, 3), diverse(source, ORIGIN, 0.7, 6)
    assert first + diverse(source, ORIGIN, 0.7, 3, 3) == whole and len(set(whole)) == 6


def test_sparse_points_unlike_each_other() -> None:
    rows = [{1: 3.0}, {1: 3.0}, {1: 2.0, 9: 4.0}]
    points = [
        Point(n, {"v": {"indices": [*row], "values": [*row.values()]}}, {})
        for n, row in enumerate(rows)
    ]
    query = SparseVector(np.array([1], np.uint32), np.array([1.0], np.float32))
    source = Plain(points, {"v": SparseConfig()})
    found = diverse_nearest(
        source, Prefetch(using="v", limit=2), Nearest(query, Mmr(0.9, 3)), Scope(), 0
    )
    assert found.numbers.tolist() == [1, 2] and found.scores.tolist() == [3.0, 2.0]


def test_more_candidates_than_are_compared_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    source = line()
    source.live = BitMap(range(MAX_MMR_CANDIDATES + 1))
    with pytest.raises(InvalidConfig, match=f"got {MAX_MMR_CANDIDATES + 1}"):
        diverse_nearest(
            source, Prefetch(using="v", limit=10**6), Nearest(ORIGIN, Mmr()), Scope(), 0
        )
