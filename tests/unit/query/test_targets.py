"""Targets of a query as vectors: read by id, here or elsewhere, and checked against the name."""

from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest

from palimpsest.index.config.vectors import SparseConfig, VectorConfig
from palimpsest.index.errors import (
    DimensionMismatch,
    InvalidInput,
    InvalidVector,
    PointNotFound,
    UnknownVectorName,
    Unsupported,
    VectorNotFound,
)
from palimpsest.index.query.request import (
    Context,
    Discover,
    Feedback,
    Fusion,
    Lookup,
    Mmr,
    Nearest,
    Pair,
    Prefetch,
    Recommend,
    SearchParams,
)
from palimpsest.index.query.targets import resolve, targets_of
from palimpsest.index.types import Distance, SparseVector, VersionedQuery
from tests.unit.query.plain import Plain, Point

BIG, ONE = 2**53 + 1, UUID(int=2**53 + 1)
GIVEN = np.array([5, 5], dtype=np.float32)
NAMES = {"вектор": VectorConfig(2, Distance.DOT), "sp": SparseConfig()}


def points(scale: float = 1.0) -> Plain:
    stored = [(BIG, [1.0, 2.0]), (ONE, [3.0, 4.0]), (BIG + 1, None)]
    return Plain(
        [
            Point(one, {} if row is None else {"вектор": [scale * x for x in row]}, {})
            for one, row in stored
        ],
        NAMES,
    )


def nobody(name: str) -> Plain:
    raise AssertionError(name)


def test_ids_become_vectors_in_every_query_and_are_no_results() -> None:
    source = points()
    queries = [
        (Nearest(BIG), [0]),
        (Recommend((BIG, GIVEN), (ONE,)), [0, 1]),
        (Discover(GIVEN, (Pair(BIG, ONE),)), [0, 1]),
        (Context((Pair(ONE, GIVEN),)), [1]),
        (Feedback(ONE, ((BIG, 0.5),), 1.0, 1.0, 1.0), [0, 1]),
    ]
    for query, examples in queries:
        found, without = resolve(Prefetch(query, "вектор"), source, nobody)
        assert sorted(without) == examples
        assert found is not None and all(isinstance(t, np.ndarray) for t in targets_of(found))
        assert len(targets_of(found)) == len(targets_of(query))
    assert resolve(Prefetch(Fusion()), source, nobody)[1] == resolve(Prefetch(), source, nobody)[1]


def test_examples_of_another_collection_exclude_nothing_here() -> None:
    there = points(10.0)
    node = Prefetch(Nearest(BIG), "вектор", lookup=Lookup("другая"))
    found, without = resolve(node, points(), lambda name: {"другая": there}[name])
    assert isinstance(found, Nearest) and np.array_equal(found.target, [10, 20])  # type: ignore[arg-type]
    assert not without
    with pytest.raises(VectorNotFound, match="'нет' not found in collection `другая`"):
        node = Prefetch(Nearest(BIG), "вектор", lookup=Lookup("другая", "нет"))
        resolve(node, points(), lambda _: there)


def test_what_cannot_be_searched_with_is_refused_by_name() -> None:
    sparse = SparseVector(np.array([1], np.uint32), np.array([1], np.float32))
    versions = VersionedQuery({"v1": GIVEN})
    for node, error in (
        (Prefetch(Nearest(GIVEN), "нет"), UnknownVectorName),
        (Prefetch(Nearest(1), "вектор"), PointNotFound),
        (Prefetch(Nearest(BIG + 1), "вектор"), InvalidVector),
        (Prefetch(Nearest(sparse), "вектор"), InvalidVector),
        (Prefetch(Nearest(GIVEN), "sp"), InvalidVector),
        (Prefetch(Nearest(np.ones(3, np.float32)), "вектор"), DimensionMismatch),
        (Prefetch(Nearest(GIVEN), "вектор", params=SearchParams(idf=True)), InvalidInput),
        (Prefetch(Nearest(versions, Mmr()), "вектор"), Unsupported),
    ):
        with pytest.raises(error):
            resolve(node, points(), nobody)


def test_a_query_in_several_versions_is_left_to_who_knows_them() -> None:
    query = Nearest(VersionedQuery({"v1": GIVEN}))
    found, without = resolve(Prefetch(query, "вектор"), points(), nobody)
    assert found is query and not without and targets_of(query) == []
