"""Exact search in plain numpy, and recall that accepts ties: what the engine is compared with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.types import Distance, Distances, Vector, Vectors

TIE = 1e-5  # distances this close, relative to the k-th, count as equal


def normalise(vectors: Vectors) -> Vectors:
    """Return rows of length one, as cosine collections keep them."""
    wide = vectors.astype(np.float64)
    unit: Vectors = (wide / np.linalg.norm(wide, axis=-1, keepdims=True)).astype(np.float32)
    return unit


def distances(queries: Vectors, vectors: Vectors, distance: Distance) -> NDArray[np.float32]:
    """Return the distance of every query to every vector, (q, n)."""
    match distance:
        case Distance.COSINE:
            return -(normalise(queries) @ normalise(vectors).T)
        case Distance.DOT:
            return -(queries @ vectors.T)
        case Distance.EUCLID:
            return np.stack([np.linalg.norm(vectors - q, axis=1) for q in queries])
        case Distance.MANHATTAN:
            return np.stack([np.abs(vectors - q).sum(axis=1) for q in queries])


def exact(
    query: Vector, vectors: Vectors, distance: Distance, k: int
) -> tuple[list[int], Distances]:
    """Return the rows closest to the query and their distances."""
    all_distances = distances(query[None, :], vectors, distance)[0]
    rows = np.argsort(all_distances, kind="stable")[:k]
    return rows.tolist(), all_distances[rows]


def recall(found: Sequence[Sequence[int]], truth: NDArray[np.float32], k: int) -> float:
    """Return the share of the exact top k that was found; ties with the k-th are accepted.

    Args:
        found: the rows found, per query.
        truth: the distance of every query to every row, (q, n).
        k: how many were asked for.
    """
    hits = 0
    for rows, row_distances in zip(found, truth, strict=True):
        limit = np.partition(row_distances, k - 1)[k - 1]
        limit += TIE * max(1.0, abs(float(limit)))
        hits += int(np.count_nonzero(row_distances[list(rows[:k])] <= limit))
    return hits / (k * len(found))
