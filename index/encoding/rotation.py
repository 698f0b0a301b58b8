"""The random rotation before every code: FHT-Kac, given by 4 x D' signs.

After it every coordinate carries about the same energy, which is what uniform grids need
(RaBitQ-Library, rotator; algorithms 1.1). The signs themselves are stored with the codes: a random
generator of another release cannot change what stored bytes mean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import _native

ROUNDS = 4


def padded_size(size: int) -> int:
    """Return D', the number of rotated dimensions: ``size`` rounded up to a multiple of 64."""
    return _native.padded_size(size)


def draw_signs(size: int, seed: int) -> NDArray[np.int8]:
    """Return the (4, D') signs, +1 or -1, of the rotation of a seed."""
    bits = np.random.default_rng(seed).integers(0, 2, (ROUNDS, padded_size(size)), dtype=np.int8)
    return 2 * bits - 1
