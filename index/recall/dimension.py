"""Local intrinsic dimension at a query: how quickly rows become more as one looks farther.

The maximum likelihood estimate of Levina and Bickel (2004): the inverse of the mean of
``log(r_m / r_i)`` over the distances ``r_i`` to the m nearest rows. Graphs find less where it is
high: by 10 a walk is easy, by 30 it needs a larger ef.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.types import Distance, Distances

NEIGHBOURS = 100
_FEWEST = 20  # of fewer neighbours the estimate is mostly chance


def local_dimension(distances: Distances, distance: Distance) -> float | None:
    """Return the dimension at a query, None where there is none to tell.

    Args:
        distances: (m,) to the closest rows, ascending, as searches give them: lengths, or negated
            cosines.
        distance: which of these; inner products have no dimension.
    """
    if distance is Distance.DOT:
        return None
    lengths = _lengths(distances, distance)
    lengths = lengths[lengths > 0]  # copies of the query lie in no direction
    if len(lengths) < _FEWEST:
        return None
    mean = float(np.log(lengths[-1] / lengths[:-1]).mean())
    return 1 / mean if mean > 0 else None


def _lengths(distances: Distances, distance: Distance) -> NDArray[np.float64]:
    wide = distances.astype(np.float64)
    if distance is not Distance.COSINE:
        return wide
    # Between unit vectors. What float32 rounds cosines by is no distance.
    squares = 2 * (1 + wide)
    return np.asarray(np.sqrt(np.where(squares > 1e-6, squares, 0.0)))
