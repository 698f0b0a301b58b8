"""One score of rows that two queries of the same text score: the adapter's, and the rows' own.

The two err differently, so together they find more than either: known item in the top 10 .355 by
the adapter, .322 by the own version, .398 together. Scores of two spaces are brought to one scale
by mean and standard deviation over the candidates; a row then counts by its likelihood under
either query, for which one that either finds outstanding stands above one that both find fair: a
weighted sum finds .386. The result is brought back to the scale of the bridged ones, which merge
with other lists.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]

WEIGHT = 0.5  # of the own scores; .35 to .5 find .391 to .398
_NO_SPREAD = 1e-9


def fuse(bridged: Scores, own: Scores, weight: float) -> Scores:
    """Return one score (n,) for each row, with the mean and spread of ``bridged``.

    Args:
        bridged: scores of the rows (n,) by the adapter.
        own: scores of the same rows by a query in their own version.
        weight: of the own ones, 0 to 1.
    """
    if len(bridged) < 2:
        return bridged
    middle, (deviations, spread) = bridged.mean(), _standard(bridged)
    with np.errstate(divide="ignore"):  # a weight of 0 is a likelihood of 0
        shares = np.log(np.array([1 - weight, weight], dtype=np.float32))
    mixed = np.logaddexp(shares[0] + deviations, shares[1] + _standard(own)[0])
    return np.asarray(_standard(mixed)[0] * spread + middle, dtype=np.float32)


def _standard(scores: Scores) -> tuple[Scores, np.float32]:
    """Return deviations from the mean in units of their spread, and that."""
    deviations = scores - scores.mean()
    spread = np.float32(sqrt(float(deviations @ deviations) / len(scores)))
    if spread < _NO_SPREAD:
        return np.zeros_like(scores), spread
    return deviations / spread, spread
