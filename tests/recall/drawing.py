"""Shapes drawn by seeds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import Distance
from tests.recall.shapes import Rng, Shape, clusters, curve, normal

DIMENSIONS = (1, 2, 3, 4, 8, 16, 32, 64, 100, 128, 200, 384, 768, 1_536, 4_096)
_VALUES = 3_000_000  # of the rows of a drawn shape, at most


def drawn(seed: int) -> Shape:
    """Return the shape of a seed."""
    rng = np.random.default_rng(seed)
    kind = list(_KINDS)[rng.integers(len(_KINDS))]
    d = int(rng.choice(DIMENSIONS))
    n = int(min(rng.choice([1_500, 4_000, 12_000]), max(_VALUES // d, 1_200)))
    queries = 40
    rows = _KINDS[kind](rng, n + queries, d)
    rng.shuffle(rows)
    inside, rows = rows[:queries], rows[queries:]
    if kind == "curve" or rng.random() < 0.3:
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
    if rng.random() < 0.2:
        rows[rng.random(n) < 0.05] = 0
    if rng.random() < 0.3:  # queries that are not like the rows
        inside = normal(rng, queries, d) * np.abs(rows).mean()
    if rng.random() < 0.3:
        offset = 10.0 ** rng.integers(0, 3) * normal(rng, 1, d) * np.abs(rows).mean()
        rows, inside = rows + offset, inside + offset
    scale = 10.0 ** rng.integers(-6, 7)
    distance = rng.choice(list(Distance))
    name = f"{kind}, {n:,} x {d}, {distance}, scale {scale:g}, seed {seed}"
    return Shape(
        name,
        (scale * rows).astype(np.float32),
        (scale * inside).astype(np.float32),
        Distance(distance),
        parts=int(rng.choice([1, 1, 3])),
        growing=float(rng.choice([0, 0, 0.2, 1])),
        updated=float(rng.choice([0, 0, 0.3])),
        deleted=_flags(rng, rows) if rng.random() < 0.3 else None,
        allowed=_flags(rng, rows) if rng.random() < 0.3 else None,
    )


def _flags(rng: Rng, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return flags of a share of the rows: any, or those on one side."""
    share = rng.choice([0.02, 0.2, 0.5, 0.9])
    if rng.random() < 0.5:
        return np.asarray(rng.random(len(rows)) < share)
    along = rows @ normal(rng, rows.shape[1])
    return np.asarray(along <= np.quantile(along, share))


def _loose(rng: Rng, n: int, d: int) -> NDArray[np.float64]:
    return clusters(rng, n, d, int(rng.integers(2, 60)), 0.3)


def _tight(rng: Rng, n: int, d: int) -> NDArray[np.float64]:
    return clusters(rng, n, d, int(rng.integers(2, 60)), 0.01)


def _half_close(rng: Rng, n: int, d: int) -> NDArray[np.float64]:
    rows = normal(rng, n, d)
    close = rng.random(n) < 0.5
    rows[close] = rows[0] + 1e-3 * normal(rng, int(close.sum()), d)
    return rows


def _half_copies(rng: Rng, n: int, d: int) -> NDArray[np.float64]:
    rows = normal(rng, n, d)
    rows[n // 2 :] = rows[rng.integers(10, size=n - n // 2)]
    return rows


def _low_rank(rng: Rng, n: int, d: int) -> NDArray[np.float64]:
    rank = min(d, 5)
    return normal(rng, n, rank) @ normal(rng, rank, d)


_KINDS: dict[str, Callable[[Rng, int, int], NDArray[np.float64]]] = {
    "normal": normal,
    "clusters": _loose,
    "tight clusters": _tight,
    "near-duplicates": _half_close,
    "copies": _half_copies,
    "few vectors": lambda rng, n, d: normal(rng, 30, d)[rng.integers(30, size=n)],
    "one-hot": lambda rng, n, d: np.eye(d)[rng.integers(d, size=n)],
    "low rank": _low_rank,
    "curve": curve,
    "anisotropic": lambda rng, n, d: normal(rng, n, d) * (1.0 + np.arange(d)) ** -1.0,
    "heavy tails": lambda rng, n, d: rng.standard_t(2.0, (n, d)),
    "lognormal lengths": lambda rng, n, d: normal(rng, n, d) * rng.lognormal(0, 1, (n, 1)),
}
