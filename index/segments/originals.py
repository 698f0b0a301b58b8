"""The copy of each vector kept for rescoring and for reads: float32, float16 or int8 rows.

int8 rows are (n, 4 + d) uint8: the row's float32 scale, then its values; x is scale * value.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.vectors import Originals
from palimpsest.index.types import Vectors

Kept = NDArray[Any]
SCALE_BYTES = 4
_LARGEST = 127.0


def keep(vectors: Vectors, originals: Originals) -> Kept | None:
    """Return rows as they are kept on disk; None where they are not."""
    match originals:
        case "float32":
            return vectors
        case "float16":
            return _narrow(vectors)
        case "int8":
            return _quantise(vectors)
        case "none":
            return None


def restore(kept: Kept) -> Vectors:
    """Return the float32 vectors that kept rows stand for."""
    if kept.dtype == np.uint8:
        scales = np.ascontiguousarray(kept[:, :SCALE_BYTES]).view(np.float32)
        # The scale stands before the values of its row, so that a row is read with one access to
        # the disk.
        return scales * kept[:, SCALE_BYTES:].view(np.int8)
    return kept.astype(np.float32)


def _narrow(vectors: Vectors) -> Kept:
    largest = np.finfo(np.float16).max  # a float16 Inf would make every distance to the row wrong
    return np.clip(vectors, -largest, largest).astype(np.float16)


def _quantise(vectors: Vectors) -> Kept:
    scales = np.abs(vectors).max(axis=1, keepdims=True) / np.float32(_LARGEST)
    scales = np.where(scales > 0, scales, np.float32(1)).astype(np.float32)
    rows = np.empty((len(vectors), SCALE_BYTES + vectors.shape[1]), dtype=np.uint8)
    rows[:, :SCALE_BYTES] = scales.view(np.uint8)
    # the scale of a row next to zero is rounded so coarsely that its values may be beyond int8
    values = np.clip(np.rint(vectors / scales), -_LARGEST, _LARGEST)
    rows[:, SCALE_BYTES:] = values.astype(np.int8).view(np.uint8)
    return rows
