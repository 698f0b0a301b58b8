"""Shapes of data that collections have, by name, and drawn ones.

A shape is rows in their order of arrival, queries, and what happens to the rows before the queries
are asked: rows that replace others, rows that are deleted, a filter.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import Distance
from palimpsest.index.types import Vectors
from tests import evaluation


@dataclass(frozen=True)
class Shape:
    """Rows (n, d) and queries (q, d), float32, as they are sent."""

    name: str
    rows: Vectors
    queries: Vectors
    distance: Distance = Distance.COSINE
    must: float = 0.98  # of recall@10, in the mean
    parts: int = 1  # sealed, of about as many rows each
    growing: float = 0.0  # share of the rows that are not sealed
    updated: float = 0.0  # share of the rows that are written twice, first as another row
    deleted: NDArray[np.bool_] | None = None
    allowed: NDArray[np.bool_] | None = None
    choices: dict[str, Any] = field(default_factory=dict)  # of the vectors' configuration


Rng = np.random.Generator


def normal(rng: Rng, *shape: int) -> NDArray[np.float64]:
    return rng.standard_normal(shape)


def clusters(rng: Rng, n: int, d: int, count: int, sd: float) -> NDArray[np.float64]:
    """Rows around centres whose coordinates have the deviation 1."""
    centres = normal(rng, count, d)
    rows: NDArray[np.float64] = centres[rng.integers(count, size=n)] + sd * normal(rng, n, d)
    return rows


def curve(rng: Rng, n: int, d: int) -> NDArray[np.float64]:
    """Rows along a smooth curve, in order."""
    at = np.linspace(0, 2 * np.pi, n)[:, None]
    rates, phases = rng.integers(1, 4, size=d), 2 * np.pi * rng.random(d)
    rows: NDArray[np.float64] = np.sin(at * rates + phases)
    return rows


def _split(name: str, rows: NDArray[np.float64], queries: int, rng: Rng, **more: Any) -> Shape:
    """Return a shape whose queries are some of the rows, taken out."""
    taken = np.zeros(len(rows), dtype=bool)
    taken[rng.choice(len(rows), queries, replace=False)] = True
    return Shape(name, rows[~taken].astype(np.float32), rows[taken].astype(np.float32), **more)


def documents(rng: Rng) -> Shape:
    """Chunks of 40 documents."""
    rows = clusters(rng, 12_100, 128, 40, 0.05)
    return _split("40 clusters x 300, 128 d", rows, 100, rng)


def long_documents(rng: Rng) -> Shape:
    """Chunks of 20 long ones."""
    rows = clusters(rng, 12_100, 384, 20, 0.05)
    return _split("20 clusters x 600, 384 d", rows, 100, rng)


def loose_documents(rng: Rng) -> Shape:
    """The same, farther apart in each document."""
    return _split("40 loose clusters x 300, 128 d", clusters(rng, 12_100, 128, 40, 0.5), 100, rng)


def tight_documents(rng: Rng) -> Shape:
    """The same, hardly different from each other."""
    rows = clusters(rng, 12_100, 128, 40, 0.005)
    return _split("40 tighter clusters x 300, 128 d", rows, 100, rng)


def plane(rng: Rng) -> Shape:
    """Directions in a plane."""
    return _split("20,000 x 2 d", normal(rng, 20_100, 2), 100, rng)


def beside_copies(rng: Rng) -> Shape:
    """Queries beside copies of few rows."""
    copies = np.repeat(normal(rng, 10, 128), 600, axis=0)
    rows = rng.permutation(np.concatenate([normal(rng, 10_000, 128), copies]))
    return Shape(
        "10,000 random rows and 10 x 600 copies",
        rows.astype(np.float32),
        normal(rng, 100, 128).astype(np.float32),
    )


def one_hot(d: int) -> Callable[[Rng], Shape]:
    """Return a maker of one-hot rows."""

    def make(rng: Rng) -> Shape:
        rows = np.eye(d)[rng.integers(d, size=5_000)]
        queries = normal(rng, 100, d)
        queries[::2] = np.eye(d)[rng.integers(d, size=50)]
        queries[::4] += 0.1 * normal(rng, 25, d)
        return Shape(f"one-hot, {d} d", rows.astype(np.float32), queries.astype(np.float32))

    return make


def near_duplicates(rng: Rng) -> Shape:
    """Queries in a cluster of rows that hardly differ."""
    centre = normal(rng, 1, 128)
    cluster = centre + 1e-4 * normal(rng, 5_000, 128)
    rows = rng.permutation(np.concatenate([cluster, normal(rng, 5_000, 128)]))
    queries = centre + 1e-4 * normal(rng, 50, 128)
    return Shape(
        "5,000 rows at sd 1e-4 beside 5,000 random ones",
        rows.astype(np.float32),
        queries.astype(np.float32),
        Distance.EUCLID,
    )


def curve_in_order(d: int) -> Callable[[Rng], Shape]:
    """Return a maker of a curve whose rows arrive in order."""

    def make(rng: Rng) -> Shape:
        return _split(
            f"curve in order, {d} d", curve(rng, 10_100, d), 100, rng, distance=Distance.DOT
        )

    return make


def curve_growing(rng: Rng) -> Shape:
    """The same, not sealed yet."""
    return replace(curve_in_order(8)(rng), name="curve in order, 8 d, growing", growing=1.0)


def away(rng: Rng) -> Shape:
    """The most dissimilar rows of lognormal lengths around a mean."""
    mean = normal(rng, 1, 64)
    rows = (mean + normal(rng, 12_000, 64)) * rng.lognormal(0, 1, (12_000, 1))
    queries = -mean + 0.3 * normal(rng, 50, 64)
    return Shape(
        "most dissimilar, Dot, lognormal lengths",
        rows.astype(np.float32),
        queries.astype(np.float32),
        Distance.DOT,
        must=0.95,
    )


NAMED: dict[str, Callable[[Rng], Shape]] = {
    "documents": documents,
    "long documents": long_documents,
    "loose documents": loose_documents,
    "tight documents": tight_documents,
    "plane": plane,
    "beside copies": beside_copies,
    "one-hot 16": one_hot(16),
    "one-hot 64": one_hot(64),
    "one-hot 128": one_hot(128),
    "near-duplicates": near_duplicates,
    "curve 4": curve_in_order(4),
    "curve 8": curve_in_order(8),
    "curve growing": curve_growing,
    "away": away,
}


def noisy_copies(rng: Rng, n: int) -> Shape | None:
    """Return passages and noisy copies of them, .3 of the nearest neighbour's distance away.

    None without the evaluation data.
    """
    found = evaluation.find("text/v2_base_f16.npy", "text/v2_query_f16.npy")
    if found is None:
        return None
    base, queries = (np.load(path).astype(np.float32) for path in found)
    nearest = _nearest(base[rng.choice(len(base), 500, replace=False)], base)
    sd = 0.3 * nearest / np.sqrt(base.shape[1])
    rows = np.empty((n, base.shape[1]), dtype=np.float32)
    rows[: len(base)] = base[:n]
    for start in range(len(base), n, 10_000):
        some = rows[start : start + 10_000]
        some[:] = base[rng.integers(len(base), size=len(some))]
        some += sd * rng.standard_normal(some.shape, dtype=np.float32)
    return Shape(f"{n:,} passages and noisy copies", rows, queries[:200])


def known_items() -> tuple[Shape, list[int]] | None:
    """Return 12,000 passages of an older model, and queries with the row each belongs to.

    None without the evaluation data.
    """
    found = evaluation.find("text/v1_base_i8.npy", "text/v1_query_f16.npy", "text/queries.jsonl.gz")
    if found is None:
        return None
    base, queries, told = found
    rows = np.load(base)[:12_000].astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    with gzip.open(told) as lines:
        targets = np.array([json.loads(line)["target"] for line in lines])
    known = np.flatnonzero((targets >= 0) & (targets < len(rows)))
    asked = np.load(queries)[known].astype(np.float32)
    return Shape("12,000 x 256 passages", rows, asked), targets[known].tolist()


def _nearest(some: Vectors, base: Vectors) -> float:
    """Return the median distance to the nearest other row."""
    products = some @ base.T
    products[products > 1 - 1e-4] = -1  # the row itself
    return float(np.median(np.sqrt(2 - 2 * products.max(axis=1))))
