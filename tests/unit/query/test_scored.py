"""Points with scores: the best of them, and those above a threshold."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.index.query.scored import Scored, best, farthest


def ranking(*pairs: tuple[int, float]) -> Scored:
    numbers, scores = zip(*pairs, strict=True)
    return Scored(np.array(numbers, dtype=np.uint32), np.array(scores, dtype=np.float64))


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
