"""Token pooling: fewer vectors for a set, each the mean of alike ones.

Vectors of one set are clustered by Ward's method (``index/native/ward.h``) and every cluster
becomes one vector (Clavie et al., arXiv 2409.14683, section 3). With ``pool`` 2 there are half as
many. Deterministic, and a set's clusters depend on its own vectors alone.

A set of ``t`` vectors takes O(t^2) time and, for its time, 4 t^2 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import _native
from palimpsest.index.types import Vectors

Starts: TypeAlias = NDArray[np.int64]  # (m + 1,)


@dataclass(frozen=True, slots=True)
class PooledTokens:
    """Pooled vectors of ``m`` sets: those of the i-th are ``starts[i]`` to ``starts[i + 1]``.

    ``labels`` (n,) say which one stands for each original vector, counted from the set's
    first; clusters are numbered in the order of their first members.
    """

    values: Vectors
    starts: Starts
    labels: NDArray[np.uint32]

    def members(self, first: int, last: int, part: int) -> NDArray[np.int64]:
        """Return which originals the pooled vector ``part`` of a set stands for, ascending.

        ``first`` to ``last`` are the rows of the set before pooling; what is returned counts
        from ``first``.
        """
        return np.flatnonzero(self.labels[first:last] == part)


def pool_tokens(values: Vectors, starts: Starts, pool: int, *, unit: bool) -> PooledTokens:
    """Return a ``pool``-th of the vectors (n, d) of each set, rounded up.

    Args:
        values: (n, d) float32, finite.
        starts: (m + 1,) rising from 0 to n.
        pool: how many vectors one stands for on average; 1 keeps each as it is.
        unit: whether means are brought to length 1, as cosine searches them. A mean of zero, which
            has no direction, stays zero.

    Raises:
        ValueError: ``pool`` is less than 1.
    """
    if pool < 1:
        raise ValueError(f"pool: expected at least 1, received {pool}")
    values = np.ascontiguousarray(values, dtype=np.float32)
    labels = np.empty(len(values), dtype=np.uint32)
    pooled = [
        _pool_one(values[first:last], pool, labels[first:last], unit)
        for first, last in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
    ]
    bounds = np.zeros(len(starts), dtype=np.int64)
    np.cumsum([len(one) for one in pooled], out=bounds[1:])
    joined = np.concatenate([values[:0], *pooled])
    return PooledTokens(joined, bounds, labels)


def _pool_one(values: Vectors, pool: int, labels: NDArray[np.uint32], unit: bool) -> Vectors:
    count = -(-len(values) // pool)
    if count == len(values):  # as they are, to the bit
        labels[:] = np.arange(count, dtype=np.uint32)
        return values
    _native.ward_clusters(values, count, labels)
    sizes = np.bincount(labels, minlength=count)
    # Members one behind the other; float64 holds sums of what float32 holds.
    order = np.argsort(labels, kind="stable")
    firsts = np.concatenate([[0], np.cumsum(sizes[:-1])])
    means = np.add.reduceat(values[order].astype(np.float64), firsts, axis=0) / sizes[:, None]
    if unit:
        lengths = np.sqrt(np.einsum("ij,ij->i", means, means))
        means /= np.where(lengths > 0, lengths, 1)[:, None]
    return means.astype(np.float32)
