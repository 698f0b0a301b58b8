"""Points judged by several examples: by estimates first, exactly in the end; means of examples."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.config.vectors import SparseConfig, VectorConfig
from palimpsest.index.errors import InvalidInput
from palimpsest.index.query.likeness import average, by_examples
from palimpsest.index.query.request import (
    Context,
    Discover,
    Feedback,
    Pair,
    Prefetch,
    Recommend,
    SearchParams,
)
from palimpsest.index.query.scope import Scope
from palimpsest.index.query.scored import Scored
from palimpsest.index.types import Distance, SparseVector
from tests.unit.query.corpus import plain
from tests.unit.query.plain import Plain, Point

A, B = np.array([1, 0, 0, 1], np.float32), np.array([0, -2, 1, 0], np.float32)
QUERIES = [
    Recommend((A,), (B,), "best_score"),
    Recommend((), (B,), "sum_scores"),
    Discover(A, (Pair(A, B),)),
    Context((Pair(B, A),)),
    Feedback(A, ((B, 0.5), (A, 1.0)), 1.0, 2.0, 1.0),
]
NAMES = ("cos", "dot", "euc", "man")


def pairs(found: Scored) -> list[tuple[int, float]]:
    return list(zip(found.numbers.tolist(), found.scores.tolist(), strict=True))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("query", QUERIES, ids=lambda one: type(one).__name__)
def test_estimates_that_are_off_lose_no_point(query: object, name: str) -> None:
    exact, spoiled = plain(), plain(noise=0.05)
    for node in (Prefetch(using=name), Prefetch(using=name, params=SearchParams(exact=True))):
        wanted = by_examples(exact, node, query, Scope(), 10)  # type: ignore[arg-type]
        found = by_examples(spoiled, node, query, Scope(), 10)  # type: ignore[arg-type]
        assert pairs(found) == pairs(wanted) and len(wanted)


@pytest.mark.parametrize("query", QUERIES, ids=lambda one: type(one).__name__)
def test_exact_copies_are_equally_like_and_stand_by_number(query: object) -> None:
    points = [Point(n, {"v": [1.0, 2.0, 0.0, 0.0]}, {}) for n in range(6)]
    source = Plain(points, {"v": VectorConfig(4, Distance.EUCLID)})
    found = by_examples(source, Prefetch(using="v"), query, Scope(), 4)  # type: ignore[arg-type]
    assert found.numbers.tolist() == [0, 1, 2, 3] and len(set(found.scores.tolist())) == 1


def test_thresholds_are_strict() -> None:
    query = Recommend((A,), (), "sum_scores")
    every = by_examples(plain(), Prefetch(using="dot"), query, Scope(), 20)
    third = every.scores[2].item()
    above = by_examples(plain(), Prefetch(using="dot", threshold=third), query, Scope(), 20)
    assert pairs(above) == pairs(every)[:2]


def test_a_mean_is_moved_away_from_negative_examples() -> None:
    dense = VectorConfig(4, Distance.DOT)
    assert np.array_equal(average(Recommend((A, B)), dense), (A + B) / 2)  # type: ignore[arg-type]
    moved = average(Recommend((A,), (B,)), dense)
    assert np.array_equal(moved, 2 * A - B)  # type: ignore[arg-type]
    ours = SparseVector(np.array([3, 2**32 - 1], np.uint32), np.array([1, 2], np.float32))
    theirs = SparseVector(np.array([3], np.uint32), np.array([4], np.float32))
    mean = average(Recommend((ours,), (theirs,)), SparseConfig())
    assert isinstance(mean, SparseVector)
    assert dict(zip(mean.indices.tolist(), mean.values.tolist(), strict=True)) == {
        3: -2.0, 2**32 - 1: 4.0,
    }  # fmt: skip


def test_an_example_is_needed() -> None:
    for query in (Recommend((), (B,)), Recommend((), (), "best_score"), Context(())):
        with pytest.raises(InvalidInput):
            by_examples(plain(), Prefetch(using="dot"), query, Scope(), 5)
