"""Scores by examples, against plain twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.index.errors import InvalidInput
from palimpsest.index.query.examples import best_score, context, discover, feedback, similarities
from palimpsest.index.types import Distance


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
