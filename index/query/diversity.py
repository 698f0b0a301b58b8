"""Maximal marginal relevance (Carbonell, Goldstein 1998): relevant points unlike those chosen.

Each step takes the candidate with the largest ``(1 - diversity) * relevance - diversity * s``,
where s is its greatest similarity to a point already taken. The order among exact ties is the
reference's: the last of the equal ones, in a list where the last fills the place of one taken.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.stops import check_stop


def diverse(
    relevance: NDArray[np.float64],
    similar_to: Callable[[int], NDArray[np.float64]],
    diversity: float,
    count: int,
) -> list[int]:
    """Return the places of up to ``count`` candidates, in the order they are taken.

    Args:
        relevance: similarity of each candidate (m,) to the query.
        similar_to: returns the similarity (m,) of all candidates to the one at a place.
        diversity: 0 to 1.
        count: how many to take.
    """
    waiting = np.arange(len(relevance))
    taken: list[int] = []
    closest = np.full(len(relevance), -np.inf)
    worth = relevance
    while len(waiting) and len(taken) < count:
        check_stop()
        # Of several that are equal the last, and the gap is filled by the last candidate: so does
        # the reference, whose order ties come out in.
        at = _last_best(worth[waiting])
        chosen = int(waiting[at])
        if np.isneginf(worth[chosen]):
            break
        waiting[at] = waiting[-1]
        waiting = waiting[:-1]
        taken.append(chosen)
        closest = np.maximum(closest, similar_to(chosen))
        worth = (1.0 - diversity) * relevance - diversity * closest
    return taken


def _last_best(values: NDArray[np.float64]) -> int:
    return len(values) - 1 - int(values[::-1].argmax())
