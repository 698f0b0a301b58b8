"""The steps of a tree by themselves, against plain twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.index.errors import InvalidInput
from palimpsest.index.filters.expression import Filter, HasId, HasVector, MinShould
from palimpsest.index.query.diversity import SparseCandidates, diverse
from palimpsest.index.query.examples import best_score, context, discover, feedback, similarities
from palimpsest.index.query.fusion import fuse, reciprocal, scaled
from palimpsest.index.query.request import Fusion, Nearest, Prefetch, levels_of
from palimpsest.index.query.scope import Scope, join
from palimpsest.index.query.scored import Scored, best, farthest
from palimpsest.index.types import Distance, SparseVector

A, B, C = HasId(frozenset({1})), HasVector("a"), HasVector("b")


def ranking(*pairs: tuple[int, float]) -> Scored:
    numbers, scores = zip(*pairs, strict=True)
    return Scored(np.array(numbers, dtype=np.uint32), np.array(scores, dtype=np.float64))


def test_reciprocal_ranks() -> None:
    assert reciprocal(3, 2, 1.0).tolist() == pytest.approx([1 / 2, 1 / 3, 1 / 4])
    assert reciprocal(2, 60, 2.0).tolist() == pytest.approx([1 / 59.5, 1 / 60])
    assert reciprocal(2, 2, 0.0).tolist() == [0, 0]
    assert reciprocal(0, 2, 1.0).tolist() == []


def test_scores_scaled_by_their_distribution() -> None:
    assert scaled(np.array([7.0])).tolist() == [0.5]
    assert scaled(np.array([3.0, 3.0])).tolist() == [0.5, 0.5]
    assert scaled(np.array([1.0, 2.0, 3.0])).tolist() == pytest.approx([1 / 3, 1 / 2, 2 / 3])


def test_fused_points_keep_the_order_they_were_named_in_where_scores_tie() -> None:
    rankings = [ranking((9, 5.0), (4, 3.0)), ranking((2, 8.0), (9, 1.0)), ranking((4, 2.0))]
    found = fuse(Fusion(), rankings)
    assert found.numbers.tolist() == [9, 4, 2]
    assert found.scores.tolist() == pytest.approx([1 / 2 + 1 / 3, 1 / 3 + 1 / 2, 1 / 2])
    assert fuse(Fusion("dbsf"), [ranking((3, 1.0)), ranking((1, 9.0))]).numbers.tolist() == [3, 1]
    with pytest.raises(InvalidInput, match="expected 3, got 2"):
        fuse(Fusion(weights=(1.0, 2.0)), rankings)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.integers(1, 14))
def test_the_best_of_many(scores: list[int], count: int) -> None:
    numbers = np.arange(len(scores), dtype=np.uint32)[::-1].copy()
    found = best(numbers, np.array(scores, dtype=np.float32), count)
    expected = sorted(zip([-s for s in scores], numbers.tolist(), strict=True))[:count]
    pairs = zip(found.scores.tolist(), found.numbers.tolist(), strict=True)
    assert [(-score, number) for score, number in pairs] == expected


def test_thresholds_of_a_ranking() -> None:
    found = ranking((1, 0.9), (2, 0.5), (3, 0.5), (4, 0.1))
    assert found.at_least(0.5).numbers.tolist() == [1, 2, 3]
    assert found.above(0.5).numbers.tolist() == [1]
    assert len(found.above(None)) == len(found.at_least(None)) == 4
    assert farthest(None, similarity=True) is None


@given(st.integers(0, 2**32), st.floats(0, 1), st.integers(1, 12))
def test_diverse_points(seed: int, diversity: float, count: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((10, 3))
    relevance = rng.standard_normal(10)
    likeness = rows @ rows.T
    chosen = diverse(relevance, lambda at: likeness[at], diversity, count)
    left, taken = set(range(10)), []
    while left and len(taken) < count:
        worth = {
            at: relevance[at]
            if not taken
            else (1 - diversity) * relevance[at] - diversity * max(likeness[at][t] for t in taken)
            for at in left
        }
        taken.append(max(worth, key=worth.__getitem__))
        left.remove(taken[-1])
    assert chosen == taken


@given(st.integers(0, 2**32))
def test_dot_products_of_sparse_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    wide = rng.standard_normal((6, 9)).astype(np.float32) * (rng.random((6, 9)) < 0.4)
    rows = [
        SparseVector(np.flatnonzero(row).astype(np.uint32), row[row != 0].astype(np.float32))
        for row in wide
    ]
    found = SparseCandidates(rows[:5])
    for row, whole in zip(rows, wide, strict=True):
        assert np.allclose(found.dot(row), wide[:5] @ whole, atol=1e-5)


def test_scores_by_examples() -> None:
    closer = np.array([[0.9, 0.2]], dtype=np.float32)
    farther = np.array([[0.1, 0.8]], dtype=np.float32)
    liked = best_score(closer, farther)
    assert liked[0] > 0 > liked[1]
    assert context(closer, farther)[0] == 0 > context(closer, farther)[1]
    target = np.array([0.0, 0.0], dtype=np.float32)
    assert discover(target, closer, farther).tolist() == [1.5, -0.5]
    assert discover(target, closer, farther, slack=0.7).tolist() == [1.5, 1.5]
    lengths = np.array([[2.0]], dtype=np.float32)
    assert similarities(lengths, Distance.EUCLID).tolist() == [[-4.0]]
    assert similarities(lengths, Distance.MANHATTAN).tolist() == [[-2.0]]


@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.5, 1.0, 2.0]))
def test_feedback_pair_by_pair(seed: int, b: float) -> None:
    rng = np.random.default_rng(seed)
    target = rng.standard_normal(4).astype(np.float32)
    closeness = rng.standard_normal((5, 4)).astype(np.float32)
    given_scores = tuple(rng.integers(0, 4, 5).tolist())
    expected = 0.7 * target.astype(np.float64)
    for better in range(5):
        for worse in range(5):
            lead = given_scores[better] - given_scores[worse]
            if lead > 0:
                expected += 0.3 * lead**b * (closeness[better] - closeness[worse])
    found = feedback(target, closeness, given_scores, (0.7, b, 0.3))
    assert np.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("given_scores", "abc"),
    [((1e10, 1.0), (1.0, 1e10, 1.0)), ((1e308, -1e308), (1.0, 0.5, 1.0)), ((), (1e308, 0.5, 1.0))],
)
def test_feedback_of_weights_too_large(
    given_scores: tuple[float, ...], abc: tuple[float, float, float]
) -> None:
    closeness = np.ones((len(given_scores), 2), dtype=np.float32)
    with pytest.raises(InvalidInput, match="do not fit into a float32"):
        feedback(np.ones(2, dtype=np.float32), closeness, given_scores, abc)


def test_weights_of_any_size_in_a_fusion() -> None:
    assert reciprocal(2, 1, 1e308).tolist() == [np.inf, np.inf]
    assert reciprocal(2, 2, 1e-320).tolist() == [0, 0]


def test_filters_of_two_levels_are_joined_by_clause() -> None:
    outer = Filter(must=(A,), should=(B,), min_should=MinShould((A, B), 1))
    inner = Filter(should=(C,), must_not=(A,), min_should=MinShould((C,), 2))
    joined = Filter(must=(A,), should=(B, C), must_not=(A,), min_should=MinShould((A, B, C), 2))
    assert join(outer, inner) == joined
    assert join(None, inner) is inner and join(outer, None) is outer and join(None, None) is None
    assert Scope(outer).having("b").filter == join(outer, Filter(must=(C,)))


def test_levels() -> None:
    leaf = Prefetch(Nearest(1))
    middle = Prefetch(Fusion(), prefetches=(leaf, leaf))
    root = Prefetch(Fusion(), prefetches=(middle, leaf))
    assert [*levels_of(root)] == [root, middle, leaf, leaf, leaf]
