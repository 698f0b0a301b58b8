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


def fuse(
    bridged: Scores, own: Scores, weight: float, typical: NDArray[np.bool_] | None = None
) -> Scores:
    """Return one score (n,) for each row, with the mean and spread of ``bridged``.

    Args:
        bridged: scores of the rows (n,) by the adapter.
        own: scores of the same rows by a query in their own version.
        weight: of the own ones, 0 to 1.
        typical: the rows that means and spreads are taken of, None for all.
    """
    if len(bridged) < 2:
        return bridged
    some = slice(None) if typical is None or typical.all() else typical
    deviations, middle, spread = _standard(bridged, some)
    with np.errstate(divide="ignore"):  # a weight of 0 is a likelihood of 0
        shares = np.log(np.array([1 - weight, weight], dtype=np.float32))
    mixed = np.logaddexp(shares[0] + deviations, shares[1] + _standard(own, some)[0])
    return np.asarray(_standard(mixed, some)[0] * spread + middle, dtype=np.float32)


def _standard(
    scores: Scores, some: slice | NDArray[np.bool_]
) -> tuple[Scores, np.float32, np.float32]:
    """Return deviations from the mean of some scores in units of their spread, and those two."""
    middle = np.float32(scores[some].mean())
    deviations = scores - middle
    known = deviations[some]
    spread = np.float32(sqrt(float(known @ known) / len(known)))
    if spread < _NO_SPREAD:
        return np.zeros_like(scores), middle, spread
    return deviations / spread, middle, spread
