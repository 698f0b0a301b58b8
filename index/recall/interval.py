"""A 95 % interval for the mean recall of searches, of which some were measured.

The hits of one query stand or fall together, so that what counts is less than all of them: the
score interval (Wilson 1927) is taken of as many trials as would vary as much, which Korn and
Graubard (Survey Methodology 24, 1998) propose for clustered samples. Where nothing varies, each
query counts as one trial. Unlike a mean with its standard error it has a width where all queries
found everything, and never goes beyond 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_Z = 1.959964  # of 95 %


class Interval(NamedTuple):
    """Bounds of a mean, 0 to 1."""

    low: float
    high: float


def interval_of(recalls: Sequence[float] | NDArray[np.float64]) -> Interval:
    """Return the interval of the mean of recalls (q,), each 0 to 1; q at least 1."""
    each = np.asarray(recalls, dtype=np.float64)
    mean = min(float(each.mean()), 1.0)
    trials = _trials(each, mean)
    centre = (mean + _Z**2 / (2 * trials)) / (1 + _Z**2 / trials)
    half = _Z / (1 + _Z**2 / trials)
    half *= math.sqrt(mean * (1 - mean) / trials + _Z**2 / (4 * trials**2))
    # The score interval ends at 0 and 1 where the mean does, but for rounding.
    return Interval(max(0.0, min(centre - half, mean)), min(1.0, max(centre + half, mean)))


def _trials(each: NDArray[np.float64], mean: float) -> float:
    """Return of how many independent trials the mean would vary as it does, at least one each."""
    n = len(each)
    if n < 2:
        return float(n)
    varies = float(each.var(ddof=1)) / n
    return max(float(n), mean * (1 - mean) / varies) if varies > 0 else float(n)
