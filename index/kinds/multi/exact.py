"""Exact MaxSim: every vector of a query with every vector of sets, in numbers as they are kept.

The similarity of two sets is the sum, over the vectors q of the query, of the largest similarity
of q to a vector x of the set. That is ``<q, x>`` under cosine (of normalised vectors) and dot,
minus the squared Euclidean and minus the Manhattan length otherwise. As a distance it is negated,
under euclid its root is taken: what is smaller for what is closer, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.kinds.multi.rows import Starts, places_of
from palimpsest.index.segments.originals import Kept
from palimpsest.index.segments.searcher import Searcher
from palimpsest.index.types import Distance, Distances, MatchedParts, Vectors

_TABLE = 2**22  # similarities held at a time: 16 MB
_LEAST = 256  # vectors of sets, at least


class Sets:
    """Sets of vectors as they are kept, bound to the native code that compares them."""

    __slots__ = ("_searcher", "distance", "starts")

    def __init__(self, starts: Starts, kept: Kept, distance: Distance) -> None:
        """Take n sets.

        Args:
            starts: (n + 1,).
            kept: (m, d) float32 or float16, C-contiguous.
            distance: what vectors are compared by.
        """
        self.starts, self.distance = starts, distance
        self._searcher = Searcher(distance, kept.shape[1], kept)

    def distances(self, query: Vectors, rows: NDArray[np.integer[Any]]) -> Distances:
        """Return the distances (n,) of a query (t, d) to some sets.

        Equal sets have equal distances, wherever they stand: each pair of vectors is compared by
        itself.
        """
        found = np.empty(len(rows), dtype=np.float32)
        for block in _blocks(self.starts, rows, max(_TABLE // len(query), _LEAST)):
            own, places = places_of(self.starts, rows[block])
            best = np.minimum.reduceat(self._table(query, places), own[:-1], axis=1)
            found[block] = self._summed(best)
        return found

    def parts(self, query: Vectors, row: int) -> MatchedParts:
        """Return which vectors of a set match those of a query (t, d)."""
        table = self._table(query, np.arange(self.starts[row], self.starts[row + 1]))
        best = table.argmin(axis=1)
        distances = np.take_along_axis(table, best[:, None], axis=1)[:, 0]
        if self.distance is Distance.EUCLID:
            distances = np.sqrt(distances)
        return MatchedParts(int(table.sum(axis=0, dtype=np.float64).argmin()), best, distances)

    def _table(self, query: Vectors, places: NDArray[np.int64]) -> NDArray[np.float32]:
        rows = places.astype(np.uint32)
        table = self._searcher.score(query, rows, by_codes=False)
        if self.distance is Distance.EUCLID:
            np.square(table, out=table)
        return table

    def _summed(self, best: NDArray[np.float32]) -> Distances:
        """Return distances (n,) from the best of each vector of a query (t, n)."""
        summed = best.sum(axis=0, dtype=np.float64)
        if self.distance is Distance.EUCLID:
            np.sqrt(summed, out=summed)
        distances: Distances = summed.astype(np.float32)
        return distances


def _blocks(starts: Starts, rows: NDArray[np.integer[Any]], vectors: int) -> Iterator[slice]:
    """Yield slices of some sets that have about so many vectors together, one set at least."""
    ends = np.cumsum(starts[rows + 1] - starts[rows])
    first, before = 0, 0
    while first < len(rows):
        stop = max(int(np.searchsorted(ends, before + vectors, side="right")), first + 1)
        yield slice(first, stop)
        first, before = stop, int(ends[stop - 1])
