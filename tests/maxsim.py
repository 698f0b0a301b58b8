"""MaxSim in plain numpy, float64: what the kernels are compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.types import Distance, Vectors

Wide = NDArray[np.float64]


def similarities(query: Vectors, values: Vectors, distance: Distance) -> Wide:
    """Return the similarity of every query token to every vector, (t, n)."""
    q, x = query.astype(np.float64), values.astype(np.float64)
    match distance:
        case Distance.COSINE | Distance.DOT:
            return q @ x.T
        case Distance.EUCLID:
            return -np.stack([np.square(x - one).sum(axis=1) for one in q])
        case Distance.MANHATTAN:
            return -np.stack([np.abs(x - one).sum(axis=1) for one in q])


def max_sims(
    query: Vectors, values: Vectors, starts: NDArray[np.int64], distance: Distance
) -> Wide:
    """Return MaxSim of every set, minus infinity for one without vectors."""
    every = similarities(query, values, distance)
    bounds = zip(starts[:-1], starts[1:], strict=True)
    return np.array([every[:, a:b].max(axis=1).sum() if a < b else -np.inf for a, b in bounds])


def starts_of(counts: NDArray[np.int64] | list[int]) -> NDArray[np.int64]:
    """Return the starts of sets of so many vectors."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def clustered(n: int, size: int, rng: np.random.Generator) -> Vectors:
    """Return unit vectors (n, size) near some dozens of directions, as tokens of text are."""
    centres = rng.standard_normal((24, size))
    values = centres[rng.integers(0, len(centres), n)] + 0.5 * rng.standard_normal((n, size))
    unit: Vectors = (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)
    return unit
