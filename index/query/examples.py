"""Scores from similarities to several examples: recommend, discover, context, feedback.

Similarities (E, m) of E examples to m points are larger for what is closer: the inner product, the
negated square of the Euclidean and the negated Manhattan length. Formulas are Qdrant's.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.errors import InvalidInput
from palimpsest.index.types import Distance

Similarities: TypeAlias = NDArray[np.float32]  # (E, m)
Scores: TypeAlias = NDArray[np.float32]  # (m,)

_MARGIN = np.finfo(np.float32).eps  # a point must be closer to the positive of a pair by this


def similarities(distances: NDArray[np.float32], distance: Distance) -> Similarities:
    """Return the similarities of distances of any shape."""
    if distance is Distance.EUCLID:
        return -np.square(distances)
    return -distances


def best_score(positive: Similarities, negative: Similarities) -> Scores:
    """Return scores by each point's closest example: above 0 when it is a positive one."""
    liked = positive.max(axis=0, initial=-np.inf)
    disliked = negative.max(axis=0, initial=-np.inf)
    return np.where(liked > disliked, _sigmoid(liked), -_sigmoid(disliked))


def sum_scores(positive: Similarities, negative: Similarities) -> Scores:
    """Return the similarities to positive examples less those to negative ones."""
    liked = positive.sum(axis=0, dtype=np.float64)  # along this axis float32 would lose digits
    disliked = negative.sum(axis=0, dtype=np.float64)
    scores: Scores = (liked - disliked).astype(np.float32)
    return scores


def discover(
    target: Scores, positive: Similarities, negative: Similarities, slack: float = 0.0
) -> Scores:
    """Return the pairs won less those lost, plus the closeness to the target below 1.

    Pairs lost by less than ``slack`` count as won.
    """
    lead = positive - negative
    ranks = np.where(lead > -slack, 1, -1) if slack else np.sign(lead)
    ranks = ranks.sum(axis=0)
    scores: Scores = (ranks + _sigmoid(target)).astype(np.float32)
    return scores


def context(positive: Similarities, negative: Similarities) -> Scores:
    """Return 0 where all pairs are won, otherwise how far the others are from being so."""
    lost = np.minimum(positive - negative - _MARGIN, 0)
    scores: Scores = _softsign(lost).sum(axis=0)
    return scores


def feedback(
    target: Scores, examples: Similarities, given: tuple[float, ...], abc: tuple[float, ...]
) -> Scores:
    """Return the closeness to the target, moved along every pair of differently scored examples.

    A pair adds ``c * (difference of its scores) ** b`` times the difference of the similarities to
    its examples. Summed over all pairs that is one weight per example.

    Args:
        target: similarity (m,) to the target.
        examples: similarities (E, m).
        given: the score of each example.
        abc: the coefficients of the naive strategy.

    Raises:
        InvalidInput: a weight does not fit into a float32.
    """
    a, b, c = abc
    weights, every = np.zeros(len(given)), np.array(given, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        for place, score in enumerate(given):
            worse = every < score
            pulls = c * (score - every[worse]) ** b
            weights[place] += pulls.sum()
            weights[worse] -= pulls
        if not np.isfinite(np.array([a, *weights], dtype=np.float32)).all():
            raise InvalidInput(
                "relevance_feedback: the scores and coefficients give weights that do not fit into "
                "a float32, make them smaller"
            )
        scores: Scores = (a * target.astype(np.float64) + weights @ examples).astype(np.float32)
    return scores


def _softsign(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return x / (1 + |x|), which keeps infinities."""
    finite = np.where(np.isfinite(values), values, 0)
    return np.where(np.isfinite(values), finite / (1 + np.abs(finite)), values)


def _sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return values from 0 to 1, in the order of ``values``."""
    return 0.5 * (_softsign(values) + 1)
