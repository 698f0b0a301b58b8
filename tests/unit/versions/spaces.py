"""Made-up pairs of embedding spaces: one turned into the other, with noise."""

from __future__ import annotations

import numpy as np

from palimpsest.index.types import Vectors


def unit(vectors: np.ndarray) -> Vectors:  # type: ignore[type-arg]
    """Return rows of unit length, float32."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def two_spaces(
    rng: np.random.Generator, n: int, *, size: int = 24, noise: float = 0.1
) -> tuple[Vectors, Vectors]:
    """Return the same n points in two spaces of one size: rows and queries."""
    queries = unit(rng.normal(size=(n, size)) * np.linspace(1.5, 0.5, size))
    turn = np.linalg.qr(rng.normal(size=(size, size)))[0]
    return unit(queries @ turn + noise * rng.normal(size=(n, size)) / np.sqrt(size)), queries
