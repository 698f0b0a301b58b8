"""How sure a mean over queries is: the percentile bootstrap (Efron, 1979).

Queries are drawn with replacement, all measures of a query together, so that differences and
ratios of measures get the interval of paired measurements. The first draw is the sample itself: a
statistic computed for all draws gives its value and its interval at once.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.stops import check_stop

DRAWS = 1_000
_TAIL = 2.5  # per cent at either end: a 95 % interval


class Estimate(NamedTuple):
    """A statistic of the sample, and the ends of its 95 % interval; None where undefined."""

    value: float | None
    low: float | None
    high: float | None

    @property
    def interval(self) -> list[float] | None:
        """Return [low, high], None where undefined."""
        return None if self.low is None or self.high is None else [self.low, self.high]


def resample(measured: NDArray[np.float64], seed: int, draws: int = DRAWS) -> NDArray[np.float64]:
    """Return the means (draws + 1, m) of resampled queries; the first are those of the sample.

    A measure that a query does not have (NaN) is left out; its mean is NaN where no query drawn has
    it.

    Args:
        measured: (q, m), m measures of every query, q >= 1.
        seed: fixes the draws.
        draws: how many.
    """
    check_stop()
    q = len(measured)
    # How often each query is drawn, not which ones: all samples are then one product of matrices.
    drawn = np.random.default_rng(seed).multinomial(q, np.full(q, 1.0 / q), size=draws)
    counts = np.vstack([np.ones((1, q)), drawn])
    known = ~np.isnan(measured)
    sums, having = counts @ np.where(known, measured, 0.0), counts @ known
    means: NDArray[np.float64] = np.full(sums.shape, np.nan)
    np.divide(sums, having, out=means, where=having > 0)
    return means


def estimate(drawn: NDArray[np.float64]) -> Estimate:
    """Return value and interval of a statistic (draws + 1,), the sample's own first.

    Draws in which it is undefined (NaN) are left out.
    """
    value = float(drawn[0])
    known = drawn[1:][~np.isnan(drawn[1:])]
    if np.isnan(value) or not len(known):
        return Estimate(None, None, None)
    low, high = np.percentile(known, [_TAIL, 100 - _TAIL])
    return Estimate(value, float(low), float(high))


def queries_needed(known: Estimate, queries: int) -> int | None:
    """Return at about how many queries the interval of a difference excludes 0.

    None where no number shows a difference: it is 0, or was not measured. Intervals shrink with the
    square root of the number of queries.
    """
    if not known.value or known.low is None or known.high is None:
        return None
    half = (known.high - known.low) / 2
    return max(queries, ceil(queries * (half / abs(known.value)) ** 2))
