"""Plain twins of what sets of vectors do, one set and one vector at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import Distance, NamedMultiVectors

Set = NDArray[np.float32]  # (t, d)


def similarity(query: Set, one: Set, distance: Distance) -> float:
    """Return MaxSim, in float64: of lengths minus their squares under euclid."""
    asked, held = query.astype(np.float64), one.astype(np.float64)
    if distance is Distance.COSINE:
        asked, held = unit(asked), unit(held)
    if distance in (Distance.COSINE, Distance.DOT):
        table = asked @ held.T
    elif distance is Distance.EUCLID:
        table = -np.square(asked[:, None] - held[None]).sum(axis=2)
    else:
        table = -np.abs(asked[:, None] - held[None]).sum(axis=2)
    return float(table.max(axis=1).sum())


def unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(lengths == 0, 1, lengths))


def distance_of(query: Set, one: Set, distance: Distance) -> float:
    """Return MaxSim as a distance: smaller for what is closer."""
    found = -similarity(query, one, distance)
    return float(np.sqrt(max(found, 0))) if distance is Distance.EUCLID else found


def closest(points: Mapping[int, Set], query: Set, k: int, distance: Distance) -> list[int]:
    """Return the ids of the k closest points, ties by id."""
    return sorted(points, key=lambda n: (round(distance_of(query, points[n], distance), 5), n))[:k]


def batch_of(sets: Sequence[Set], size: int) -> NamedMultiVectors:
    """Return sets as those of as many points of a batch."""
    starts = np.cumsum([0, *map(len, sets)], dtype=np.int64)
    values = np.concatenate([np.empty((0, size), np.float32), *sets])
    return NamedMultiVectors(np.arange(len(sets)), starts, values)


def drawn(ids: range, size: int, seed: int = 0, most: int = 5) -> dict[int, Set]:
    """Return sets of one to ``most`` vectors."""
    rng = np.random.default_rng(seed)
    return {n: rng.standard_normal((1 + n % most, size)).astype(np.float32) for n in ids}
