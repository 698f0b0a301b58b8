"""Centroids of vectors, by k-means, and which of them vectors are nearest to.

Lloyd's algorithm from drawn vectors, a few rounds on a sample: centroids only have to bring alike
vectors together (``docs/fde.md``). Nearness is Euclidean;
``index/native/centroids.h`` says what is looked at. The same sample and seed give the same bits.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import _native
from palimpsest.index.types import Vectors

Labels = NDArray[np.uint32]

ROUNDS = 2
PER_CENTROID = 16  # vectors of a sample, at most
_HEADS_FROM = 256  # centroids: fewer are all compared
_HEAD_ROUNDS = 4


class Centroids:
    """k centroids (k, d); never change."""

    def __init__(self, values: Vectors, seed: int) -> None:
        """Take centroids, and group them where they are many."""
        self.values = np.ascontiguousarray(values, dtype=np.float32)
        self._native = _native.Centroids(self.values, _heads(self.values, seed))

    def __len__(self) -> int:
        return len(self.values)

    def nearest(self, values: Vectors) -> Labels:
        """Return the centroid (n,) that each of the vectors (n, d) is about nearest to."""
        out = np.empty(len(values), dtype=np.uint32)
        self._native.nearest(np.ascontiguousarray(values, dtype=np.float32), out)
        return out


def fitted(sample: Vectors, count: int, seed: int, *, unit: bool) -> Centroids:
    """Return at most ``count`` centroids of a sample (n, d) of at least one vector.

    Args:
        sample: finite, none longer than about 1e9.
        count: at least 1; there are no more than vectors.
        seed: draws the first ones.
        unit: whether they are brought to length 1, as cosine compares; one of zeros stays so.
    """
    rng = np.random.default_rng(seed)
    count = min(count, len(sample))
    values = sample[np.sort(rng.choice(len(sample), count, replace=False))]
    if len(sample) > PER_CENTROID * count:
        few = rng.choice(len(sample), PER_CENTROID * count, replace=False)
        sample = sample[np.sort(few)]
    return Centroids(_moved(values, sample, ROUNDS, seed, unit=unit), seed)


def _moved(values: Vectors, sample: Vectors, rounds: int, seed: int, *, unit: bool) -> Vectors:
    for _ in range(rounds):
        labels = Centroids(values, seed).nearest(sample)
        values = _means(sample, labels, values)
        if unit:
            lengths = np.sqrt(np.einsum("ij,ij->i", values, values))
            lengths[lengths == 0] = 1
            values = np.asarray(values / lengths[:, None], dtype=np.float32)
    return values


def _means(sample: Vectors, labels: Labels, values: Vectors) -> Vectors:
    """Return the mean of the vectors of each label; where there are none, what was there."""
    counts = np.bincount(labels, minlength=len(values))
    filled = np.flatnonzero(counts)
    order = np.argsort(labels, kind="stable")
    firsts = np.cumsum(counts)[filled] - counts[filled]
    found = values.copy()
    sums = np.add.reduceat(sample[order], firsts, axis=0)
    found[filled] = sums / counts[filled, None]
    return found


def _heads(values: Vectors, seed: int) -> Vectors:
    """Return what centroids are grouped by: means of them, about the root of their number."""
    n, size = values.shape
    if n < _HEADS_FROM:
        return np.empty((0, size), dtype=np.float32)
    drawn = np.random.default_rng(seed).choice(n, math.isqrt(n), replace=False)
    heads: Vectors = values[np.sort(drawn)]
    for _ in range(_HEAD_ROUNDS):
        labels = np.empty(n, dtype=np.uint32)
        plain = np.empty((0, size), dtype=np.float32)
        _native.Centroids(heads, plain).nearest(values, labels)
        heads = _means(values, labels, heads)
    return heads
