"""Several rankings into one.

Reciprocal rank fusion (Cormack, Clarke, Buettcher 2009), with weights: a point at place r (from 0)
of a ranking of weight w earns ``1 / ((r + 1) / w + k - 1)``; a weight of 0 or less earns nothing.

Distribution-based score fusion: each ranking's scores are scaled so that their mean plus and minus
three standard deviations become 1 and 0, then added up. Scores without variance count 0.5.

Ties keep the order in which the rankings name the points.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.errors import InvalidInput
from palimpsest.index.query.request import Fusion
from palimpsest.index.query.scored import Scored, nothing

_SIGMAS = 3.0
_EVEN = 0.5


def fuse(fusion: Fusion, rankings: Sequence[Scored]) -> Scored:
    """Return all points of all rankings under their fused scores.

    Raises:
        InvalidInput: there are weights, but not one per ranking.
    """
    weights = fusion.weights
    if weights is not None and len(weights) != len(rankings):
        raise InvalidInput(
            "rrf: length of `weights` must match the number of prefetches, "
            f"expected {len(rankings)}, got {len(weights)}"
        )
    if fusion.method == "dbsf":
        earned = [scaled(ranking.scores) for ranking in rankings]
    else:
        each = weights or [1.0] * len(rankings)
        earned = [
            reciprocal(len(ranking), fusion.k, weight)
            for ranking, weight in zip(rankings, each, strict=True)
        ]
    return _added([ranking.numbers for ranking in rankings], earned)


def reciprocal(n: int, k: int, weight: float) -> NDArray[np.float64]:
    """Return what the places (n,) of a ranking earn."""
    if weight <= 0:
        return np.zeros(n)
    with np.errstate(over="ignore", divide="ignore"):  # weights of 1e-320 and 1e308
        earned: NDArray[np.float64] = 1.0 / (np.arange(1, n + 1) / weight + k - 1.0)
    return earned


def scaled(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return scores (n,) scaled by their distribution."""
    if len(scores) < 2:
        return np.full(len(scores), _EVEN)
    # Of a sample, as Qdrant has it: with two scores the choice of the divisor shows in the result.
    spread = float(scores.std(ddof=1))
    if spread == 0:
        return np.full(len(scores), _EVEN)
    low = scores.mean() - _SIGMAS * spread
    shifted: NDArray[np.float64] = (scores - low) / (2 * _SIGMAS * spread)
    return shifted


def _added(columns: Sequence[NDArray[np.uint32]], earned: Sequence[NDArray[np.float64]]) -> Scored:
    if not columns:
        return nothing()
    numbers = np.concatenate(columns)
    _, first, place = np.unique(numbers, return_index=True, return_inverse=True)
    sums = np.bincount(place, np.concatenate(earned), len(first)).astype(np.float64)
    # Equal sums in the order in which rankings first name them, which the order of the prefetches
    # decides.
    order = np.lexsort((first, -sums))
    return Scored(numbers[first[order]], sums[order])
