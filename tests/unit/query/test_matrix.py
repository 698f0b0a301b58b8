"""Distances among sampled points: each row without itself, copies and all, bounded."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.config.vectors import SparseConfig, VectorConfig
from palimpsest.index.errors import InvalidConfig, UnknownVectorName
from palimpsest.index.filters.expression import Filter, HasId
from palimpsest.index.query import matrix
from palimpsest.index.query.matrix import MatrixRequest, neighbours
from palimpsest.index.types import Distance
from tests.unit.query.plain import Plain, Point

IDS = [2**53, 2**53 + 1, 7, 3]
ROWS = [[1.0, 0.0], [1.0, 0.0], [0.0, 2.0], [1.0, 0.0]]


def dense(distance: Distance) -> Plain:
    points = [Point(one, {"v": row}, {}) for one, row in zip(IDS, ROWS, strict=True)]
    return Plain([*points, Point(99, {}, {})], {"v": VectorConfig(2, distance)})


@pytest.mark.parametrize("distance", Distance)
def test_every_point_has_its_closest_others_in_the_order_of_ids(distance: Distance) -> None:
    found = neighbours(dense(distance), MatrixRequest("v", sample=10, limit=2))
    assert list(found.ids) == sorted(IDS)
    for place, (others, scores) in enumerate(zip(found.places, found.scores, strict=True)):
        assert place not in others and len(others) == 2
        better = scores[0] >= scores[1] if distance in (Distance.COSINE, Distance.DOT) else None
        assert better is not False
    copies = [found.ids.index(one) for one in IDS if one != 7]
    for place in copies:
        assert set(found.places[place]) == set(copies) - {place}


def test_a_sample_of_one_has_no_neighbours() -> None:
    source = dense(Distance.DOT)
    for one in (
        MatrixRequest("v", sample=1),
        MatrixRequest("v", Filter((HasId(frozenset((7,))),))),
    ):
        assert neighbours(source, one) == ([], [], [])


def test_sparse_points_that_share_nothing_are_no_neighbours() -> None:
    rows = [[1, 2**31], [2**31], [5]]
    points = [
        Point(n, {"s": {"indices": row, "values": [1.0] * len(row)}}, {})
        for n, row in enumerate(rows)
    ]
    source = Plain(points, {"s": SparseConfig()})
    found = neighbours(source, MatrixRequest("s", sample=10, limit=5))
    assert list(found.places) == [[1], [0], []] and list(found.scores) == [[1.0], [1.0], []]


def test_too_many_pairs_are_refused_before_they_are_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(matrix, "MAX_PAIRS", 7)
    assert len(neighbours(dense(Distance.DOT), MatrixRequest("v", limit=1)).ids) == 4
    with pytest.raises(InvalidConfig, match="got 4 points with up to 2 others"):
        neighbours(dense(Distance.DOT), MatrixRequest("v", limit=2))
    with pytest.raises(UnknownVectorName):
        neighbours(dense(Distance.DOT), MatrixRequest("имя"))


def test_blocks_of_rows_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    points = [Point(n, {"v": rng.standard_normal(2).tolist()}, {}) for n in range(9)]
    source = Plain(points, {"v": VectorConfig(2, Distance.EUCLID)})
    whole = neighbours(source, MatrixRequest("v", sample=20))
    monkeypatch.setattr(matrix, "_BLOCK", 2)
    assert neighbours(source, MatrixRequest("v", sample=20)) == whole
