"""Lengths of rows. A zero row has no direction: it stays zero, and scores next to nothing."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.types import Vector, Vectors

_SHORTEST = 1e-12
LEAST_FACTOR = np.float32(1e-30)  # factors are positive: the native code trusts them


def norms(rows: Vectors) -> NDArray[np.float32]:
    """Return (n,) lengths of (n, d) rows."""
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", rows, rows)), dtype=np.float32)


def inverse_norms(rows: Vectors) -> NDArray[np.float32]:
    """Return (n,) reciprocal lengths of (n, d) rows, 0 for one without direction."""
    lengths = norms(rows)
    inverse = np.zeros_like(lengths)
    np.divide(1.0, lengths, out=inverse, where=lengths > _SHORTEST)
    return inverse


def positive_inverse_norms(rows: Vectors) -> NDArray[np.float32]:
    """Return (n,) positive, finite reciprocal lengths, next to 0 for a row without direction."""
    return np.maximum(inverse_norms(rows), LEAST_FACTOR)


def unit_rows(rows: Vectors) -> Vectors:
    """Return (n, d) rows divided by their lengths."""
    return rows * inverse_norms(rows)[:, None]


def unit_row(row: Vector) -> Vector:
    """Return a row (d,), scaled in place to unit length."""
    length = sqrt(float(row @ row))
    if length > _SHORTEST:
        row *= np.float32(1.0 / length)
    return row
