"""Cosine distances within rounding of -1 and 1 are these: equal vectors score 1, opposite ones -1.

Sums of float32 products miss by some units of the last place, above as often as below, so that a
threshold would let some points through that hit themselves and not others. Lists are clamped once
they are in order, so no order is lost.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.types import Distance, Distances

_WIDTH = 2.0**-21  # eight units of the last place; up to 65,536 dimensions were seen to need six
_NEARLY = 1 - _WIDTH


def clamped(distances: Distances, distance: Distance, *, bridged: bool = False) -> Distances:
    """Return ascending distances (k,), under cosine the outermost of them made exactly -1 or 1.

    Where some are ``bridged``, which adapters estimate, those farther out stay as they are.
    """
    if distance is not Distance.COSINE or not len(distances):
        return distances
    if -_NEARLY < distances.item(0) and distances.item(-1) < _NEARLY:
        return distances
    near = np.abs(distances) > _NEARLY
    if bridged:
        near &= np.abs(distances) < 1 + _WIDTH
    distances = distances.copy()
    distances[near] = np.copysign(np.float32(1), distances[near])
    return distances


def clamp(distances: NDArray[np.float32], distance: Distance) -> None:
    """Do the same in place, to distances in any order and shape; infinite ones stay."""
    if distance is not Distance.COSINE or not distances.size:
        return
    near = np.abs(distances) > _NEARLY
    if near.any():
        near &= np.isfinite(distances)
        distances[near] = np.copysign(np.float32(1), distances[near])
