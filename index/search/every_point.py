"""Distances of several queries to every allowed point, for what ranks points by many examples.

Codes give estimates quickly; kept rows give the distances themselves, for few rows or for the ones
that matter. Both are distances as everywhere: smaller is closer, lengths under euclid.

Many examples and many points make a large table, so it comes in blocks of points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index.filters.bitmaps import from_numbers
from palimpsest.index.search.allowed import Allowed, rows_of
from palimpsest.index.search.cosines import clamp
from palimpsest.index.segments.searcher import Searcher
from palimpsest.index.types import Distance, Distances, Numbers, Rows, Vector, Vectors
from palimpsest.index.view.dense import DensePart, DenseView

Table: TypeAlias = NDArray[np.float32]  # (number of queries, m)

# Kept rows of a part read at once without codes: 15 MB at 384 dimensions.
_FEW_ROWS = 10_000
# Distances of a block, 32 MB, and its points at least; what judges them makes copies of it.
_BLOCK, _LEAST_BLOCK = 2**23, 64


def blocks(queries: int, points: int) -> Iterator[slice]:
    """Yield the slices of points whose distances to some queries are held at a time."""
    step = max(_BLOCK // max(queries, 1), _LEAST_BLOCK)
    yield from (slice(start, start + step) for start in range(0, points, step))


class Scalings(NamedTuple):
    """What distances are scaled by: (distance - shift of the query) * factor of the row."""

    shifts: NDArray[np.float32]  # (number of queries,)
    factors_of: Callable[[DensePart], NDArray[np.float32] | None]  # of a part's rows


def score_rows(
    vectors: DenseView, queries: Vectors, points: BitMap | None, scalings: Scalings | None = None
) -> Iterator[tuple[Numbers, Table, bool]]:
    """Yield blocks of the points with a vector, each query's distances, whether they are exact.

    Estimates come from codes where a part has many allowed rows, and where it keeps no originals.

    Args:
        vectors: of a dense vector name.
        queries: (E, d), C-contiguous, as the rows are (normalised under cosine).
        points: numbers of the points that count, None for all.
        scalings: None for none.

    Yields:
        Numbers (m,) in no order that means anything, distances (E, m) and the flag.
    """
    for part, searcher, own, rows in parts_of(vectors, points):
        by_codes = searcher.has_codes and (len(rows) > _FEW_ROWS or not searcher.has_kept)
        for block in blocks(len(queries), len(rows)):
            some = rows[block]
            distances = searcher.score(queries, some, by_codes=by_codes)
            _settle(distances, vectors, part, some, scalings)
            yield own[some], distances, not by_codes


def _settle(
    distances: Table,
    vectors: DenseView,
    part: DensePart,
    rows: Rows,
    scalings: Scalings | None,
) -> None:
    """Scale distances in place; those that are not are cosines, which rounding leaves at 1."""
    if scalings is None:
        clamp(distances, vectors.config.distance)
        return
    distances -= scalings.shifts[:, None]
    factors = scalings.factors_of(part)
    if factors is not None:
        distances *= factors[rows]


def exact_distances(
    vectors: DenseView, queries: Vectors, numbers: Numbers, scalings: Scalings | None = None
) -> Table:
    """Return distances (E, m) of each query to each point; infinite where it has no vector.

    They are computed from kept rows; from codes in parts that keep no originals.

    Args:
        vectors: of a dense vector name.
        queries: (E, d), C-contiguous, as the rows are (normalised under cosine).
        numbers: of the points (m,), in any order.
        scalings: None for none.
    """
    distances = np.full((len(queries), len(numbers)), np.inf, dtype=np.float32)
    if not len(numbers):
        return distances
    wanted, place = np.unique(numbers, return_inverse=True)
    found = np.full((len(queries), len(wanted)), np.inf, dtype=np.float32)
    for part, searcher, own, rows in parts_of(vectors, from_numbers(wanted)):
        columns = np.searchsorted(wanted, own[rows])
        distances = searcher.score(queries, rows, by_codes=not searcher.has_kept)
        _settle(distances, vectors, part, rows, scalings)
        found[:, columns] = distances
    return found[:, place]


def parts_of(
    vectors: DenseView, points: BitMap | None
) -> Iterator[tuple[DensePart, Searcher, Numbers, Rows]]:
    """Yield parts, their searchers, the numbers of their rows, and the allowed rows if any."""
    allowed = None if points is None else Allowed(points)
    for part in vectors.sealed:
        if allowed is None:
            rows = part.dead.live_rows(part.n).astype(np.uint32)
        else:
            rows = rows_of(allowed.in_sealed(part), min(part.live, allowed.count))
        if len(rows):
            yield part, part.segment.searcher, part.segment.numbers, rows
    for growing in vectors.growing:
        if allowed is None:
            rows = growing.dead.live_rows(growing.n).astype(np.uint32)
        else:
            rows = rows_of(allowed.in_growing(growing), min(growing.live, allowed.count))
        if len(rows):
            yield growing, growing.searcher, growing.columns.numbers, rows


def distances_to(query: Vector, vectors: Vectors, distance: Distance) -> Distances:
    """Return the distances (m,) of a query (d,) to vectors (m, d) that no part holds."""
    searcher = Searcher(distance, len(query), np.ascontiguousarray(vectors))
    rows = np.arange(len(vectors), dtype=np.uint32)
    distances: Distances = searcher.score(query[None, :], rows, by_codes=False)[0]
    clamp(distances, distance)
    return distances
