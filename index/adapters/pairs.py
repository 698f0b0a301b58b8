"""Pairs: the same points embedded by two versions, what adapters are fitted on.

``check_pairs`` refuses what no map can be learned from. How many pairs are needed is a floor below
which a fit is arbitrary; good ones want five for each dimension (algorithms 4.3).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from palimpsest.index.errors import InvalidPairs
from palimpsest.index.types import Distance, Vectors

MIN_PAIRS = 16
_NEGLIGIBLE = 1e-6  # of the largest variance along an axis: float32 noise, not a direction
_SAMPLED = 4_096  # pairs whose span is looked at
_UNIT = 1e-12  # the shortest vector that has a direction


class Pairs(NamedTuple):
    """Row i of ``rows`` (n, d_v) and of ``queries`` (n, d_q) embed the same point.

    Both are float32, of unit length under cosine; ``queries`` are in the queries' version.
    """

    rows: Vectors
    queries: Vectors

    def take(self, chosen: NDArray[np.intp] | slice) -> Pairs:
        """Return the chosen pairs."""
        return Pairs(self.rows[chosen], self.queries[chosen])


def make_pairs(
    rows: ArrayLike, queries: ArrayLike, rows_distance: Distance, queries_distance: Distance
) -> Pairs:
    """Return pairs of arrays as they came: checked, float32, normalised under cosine.

    Pairs with a zero vector, which has no direction under cosine, are left out.

    Raises:
        InvalidPairs: ragged, unequal in number, NaN or infinite.
    """
    pairs = Pairs(_matrix(rows, "rows"), _matrix(queries, "queries"))
    if len(pairs.rows) != len(pairs.queries):
        raise InvalidPairs(
            f"pairs: expected as many rows as queries, got {len(pairs.rows)} rows and "
            f"{len(pairs.queries)} queries; give both vectors of every point, in the same order"
        )
    pairs = Pairs(_unit(pairs.rows, rows_distance), _unit(pairs.queries, queries_distance))
    kept = directed(pairs, rows_distance, queries_distance)
    return pairs if kept.all() else pairs.take(np.flatnonzero(kept))


def directed(
    pairs: Pairs, rows_distance: Distance, queries_distance: Distance
) -> NDArray[np.bool_]:
    """Return which pairs (n,) have a direction: under cosine a zero vector has none."""
    kept = np.ones(len(pairs.rows), dtype=bool)
    for vectors, distance in ((pairs.rows, rows_distance), (pairs.queries, queries_distance)):
        if distance is Distance.COSINE:
            kept &= vectors.any(axis=1)
    return kept


def needed_pairs(rows_size: int, queries_size: int) -> int:
    """Return how many pairs a fit needs at least: half the smaller size, no fewer than 16."""
    return max(MIN_PAIRS, min(rows_size, queries_size) // 2)


def check_pairs(pairs: Pairs) -> None:
    """Raise InvalidPairs where the pairs determine no map: too few, constant, or of low rank."""
    rows_size, queries_size = pairs.rows.shape[1], pairs.queries.shape[1]
    needed = needed_pairs(rows_size, queries_size)
    if len(pairs.rows) < needed:
        raise InvalidPairs(
            f"too few pairs: between {rows_size} and {queries_size} dimensions at least {needed} "
            f"are needed to fit on (better {5 * max(rows_size, queries_size)}), "
            f"got {len(pairs.rows)}; give more points vectors of both versions"
        )
    for side, vectors in (("rows", pairs.rows), ("queries", pairs.queries)):
        _check_span(side, vectors, min(needed - 1, (vectors.shape[1] + 1) // 2))


def _check_span(side: str, vectors: Vectors, needed: int) -> None:
    step = max(1, len(vectors) // _SAMPLED)
    sample = vectors[::step].astype(np.float64)
    sample -= sample.mean(axis=0)
    gram = sample.T @ sample if len(sample) > sample.shape[1] else sample @ sample.T
    variances = np.linalg.eigvalsh(gram)
    scale = float(np.abs(vectors).max()) ** 2 * len(sample)
    if variances[-1] <= _NEGLIGIBLE * scale:
        raise InvalidPairs(
            f"the {side} of the pairs are constant: expected vectors of different points, "
            f"got {len(vectors)} times the same one"
        )
    rank = int((variances > _NEGLIGIBLE * variances[-1]).sum())
    if rank < needed:
        raise InvalidPairs(
            f"the {side} of the pairs are rank-deficient: {len(vectors)} pairs span only {rank} of "
            f"{vectors.shape[1]} dimensions, at least {needed} are needed; "
            "give pairs of more different points"
        )


def _matrix(given: ArrayLike, side: str) -> Vectors:
    try:
        vectors = np.ascontiguousarray(given, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidPairs(
            f"{side} of the pairs: expected arrays of numbers of one length ({error})"
        ) from error
    if vectors.ndim != 2 or 0 in vectors.shape:
        raise InvalidPairs(
            f"{side} of the pairs: expected a list of vectors, got an array of shape "
            f"{vectors.shape}"
        )
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise InvalidPairs(
            f"{side} of the pairs: expected finite numbers, got NaN or infinity in {len(bad)} of "
            f"{len(vectors)} (the first is number {bad[0]})"
        )
    return vectors


def _unit(vectors: Vectors, distance: Distance) -> Vectors:
    """Return vectors of unit length under cosine; what is next to zero becomes zero."""
    if distance is not Distance.COSINE:
        return vectors
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    long = lengths >= _UNIT
    return np.asarray(long * vectors / np.where(long, lengths, 1), dtype=np.float32)
