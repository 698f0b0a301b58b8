"""The plain twin: bridging and mixing by exact search over float32 rows, in numpy alone.

Algorithms 8.2. Nothing of the engine is used, so that its rows of the table have something to be
compared with that can only be wrong by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.types import Vectors
from tests.bench.versions_corpora import Found

RIDGE = 1e-2  # of the mean eigenvalue of the old rows' covariance
_BLOCK = 8_192


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """``x_hat = (y - old) @ matrix + new``, scored as a cosine."""

    matrix: NDArray[np.float32]
    old: NDArray[np.float32]
    new: NDArray[np.float32]

    def estimates(self, rows: Vectors) -> Vectors:
        """Return unit estimates (n, d_q) of rows (n, d_v) in the new space."""
        estimates = (rows - self.old) @ self.matrix + self.new
        return np.asarray(estimates / np.linalg.norm(estimates, axis=1, keepdims=True))


def ridge(old: Vectors, new: Vectors) -> Map:
    """Regress new rows on old ones, over the same documents."""
    means = old.mean(axis=0), new.mean(axis=0)
    x, y = (old - means[0]).astype(np.float64), (new - means[1]).astype(np.float64)
    gram = x.T @ x
    gram[np.diag_indices_from(gram)] += RIDGE * np.trace(gram) / len(gram)
    return Map(np.linalg.solve(gram, x.T @ y).astype(np.float32), *means)


def procrustes(old: Vectors, new: Vectors) -> NDArray[np.float32]:
    """Return the rotation (d_q, d_v) that takes new queries to old rows."""
    u, _, vt = np.linalg.svd(new.T @ old, full_matrices=False)
    return np.asarray(u @ vt, dtype=np.float32)


def scores(queries: Vectors, rows: Vectors) -> NDArray[np.float32]:
    """Return all inner products (q, n)."""
    return np.asarray(queries @ rows.T, dtype=np.float32)


def bridged(queries: Vectors, rows: Vectors, adapter: Map) -> NDArray[np.float32]:
    """Return the cosines (q, n) of queries with the estimates of old rows."""
    parts = [
        queries @ adapter.estimates(rows[start : start + _BLOCK]).T
        for start in range(0, len(rows), _BLOCK)
    ]
    return np.concatenate(parts, axis=1)


def best(scored: NDArray[np.float32], k: int) -> Found:
    """Return the rows (q, k) of the largest scores, largest first."""
    top = np.argpartition(-scored, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scored, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1).astype(np.int64)


def reranked(found: Found, scored: NDArray[np.float32]) -> Found:
    """Return what was found in the order of other scores (q, n)."""
    order = np.argsort(-np.take_along_axis(scored, found, axis=1), axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1)


def fused(
    one: NDArray[np.float32], other: NDArray[np.float32], weight: float
) -> NDArray[np.float32]:
    """Return scores of two kinds summed, as many deviations from their query's mean each."""
    return np.asarray((1 - weight) * _standard(one) + weight * _standard(other))


def _standard(scored: NDArray[np.float32]) -> NDArray[np.float32]:
    means, deviations = scored.mean(axis=1, keepdims=True), scored.std(axis=1, keepdims=True)
    return np.asarray((scored - means) / deviations)
