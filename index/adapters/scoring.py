"""Exact scores of queries over rows, as matrices: what fits and reports are measured on.

Scores are larger for what is closer: inner products under cosine and dot, else minus the distance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.adapter import Adapter
from palimpsest.index.types import Distance, Vectors


def native_scores(queries: Vectors, rows: Vectors, distance: Distance) -> NDArray[np.float32]:
    """Return (q, n) scores of (q, d) queries over (n, d) rows of their own version."""
    if distance in (Distance.COSINE, Distance.DOT):
        return np.asarray(queries @ rows.T, dtype=np.float32)
    if distance is Distance.EUCLID:
        squares = np.einsum("ij,ij->i", queries, queries)[:, None] - 2.0 * (queries @ rows.T)
        squares += np.einsum("ij,ij->i", rows, rows)
        return np.asarray(-np.sqrt(np.maximum(squares, 0.0)), dtype=np.float32)
    scores = np.empty((len(queries), len(rows)), dtype=np.float32)
    for i in range(len(queries)):
        scores[i] = -np.abs(rows - queries[i]).sum(axis=1)
    return scores


def bridged_scores(
    adapter: Adapter, queries: Vectors, rows: Vectors, rows_distance: Distance
) -> NDArray[np.float32]:
    """Return (q, n) scores of (q, d_q) queries over (n, d_v) rows through an adapter.

    They are those of the mapped queries; ``rescored`` refines them.
    """
    mapped = [adapter.map_query(query) for query in queries]
    scores = native_scores(np.stack([one.vector for one in mapped]), rows, rows_distance)
    scores += np.array([one.shift for one in mapped], dtype=np.float32)[:, None]
    if adapter.scales_rows:
        scores *= adapter.row_factors(rows)
    return scores


def best(scores: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """Return (q, k) positions of the largest scores, best first, equal ones by position.

    Of several equal ones in the last place, any may be among them.
    """
    if k >= scores.shape[1]:
        return np.argsort(-scores, axis=1, kind="stable")
    among = np.sort(np.argpartition(-scores, k - 1, axis=1)[:, :k], axis=1)
    order = np.argsort(-np.take_along_axis(scores, among, axis=1), axis=1, kind="stable")
    return np.take_along_axis(among, order, axis=1)


def rescored(
    adapter: Adapter, queries: Vectors, rows: Vectors, candidates: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Return (q, n) scores of candidates (q, c), minus infinity for all other rows."""
    scores = np.full((len(queries), len(rows)), -np.inf, dtype=np.float32)
    for query, among, own in zip(queries, candidates, scores, strict=True):
        own[among] = adapter.rescore(query, rows[among])
    return scores
