"""Sets of vectors as one vector each: the mean, by which versions of other kinds know a set."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.types import Vector, Vectors

Starts: TypeAlias = NDArray[np.int64]  # (m + 1,)


def means_of(values: Vectors, starts: Starts, *, unit: bool) -> Vectors:
    """Return the mean (m, d) of each of m sets.

    Args:
        values: (n, d) float32, finite.
        starts: (m + 1,) where sets start among them; none is empty.
        unit: whether means are brought to length 1, as cosine compares them. A mean of zero, which
            has no direction, stays zero.
    """
    if len(starts) < 2:
        return np.empty((0, values.shape[1]), dtype=np.float32)
    # float64 holds sums of what float32 holds
    sums = np.add.reduceat(values, starts[:-1], axis=0, dtype=np.float64)
    found = sums / np.diff(starts)[:, None]
    if unit:
        lengths = np.sqrt(np.einsum("ij,ij->i", found, found))
        found /= np.where(lengths > 0, lengths, 1)[:, None]
    return np.ascontiguousarray(found, dtype=np.float32)


def mean_of(values: Vectors, *, unit: bool) -> Vector:
    """Return the mean (d,) of one set (t, d), as ``means_of`` does."""
    mean: Vector = means_of(values, np.array([0, len(values)], dtype=np.int64), unit=unit)[0]
    return mean
