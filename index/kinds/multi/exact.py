"""Sets of vectors bound to what compares them by MaxSim: as they are kept, or as they are coded.

The similarity of two sets is the sum, over the vectors q of the query, of the largest similarity
of q to a vector x of the set (``index.encoding.tokens``). As a distance it is negated, under euclid
its root is taken: smaller for what is closer, as everywhere. Equal sets are equally far away.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import _native
from palimpsest.index.encoding.tokens import ExactMaxSim, MaxSim, Originals, TokenEncoder
from palimpsest.index.kinds.multi.rows import Starts
from palimpsest.index.types import Codes, Distance, Distances, MatchedParts, Vectors


class ComparedSets(Protocol):
    """n sets that queries are compared with."""

    def distances(self, query: Vectors, rows: NDArray[np.integer]) -> Distances:
        """Return the distances of a query (t, d) to some sets (m,)."""

    def parts(self, query: Vectors, row: int) -> MatchedParts:
        """Return which vectors of a set match those of a query (t, d)."""


class Sets:
    """Sets of vectors as they are kept."""

    __slots__ = ("_maxsim", "_values", "distance", "starts")

    def __init__(self, starts: Starts, kept: Originals, distance: Distance) -> None:
        """Take n sets.

        Args:
            starts: (n + 1,).
            kept: (m, d) float32 or float16, C-contiguous.
            distance: what vectors are compared by.
        """
        self.starts, self.distance = starts, distance
        self._values, self._maxsim = kept, ExactMaxSim(distance)

    def distances(self, query: Vectors, rows: NDArray[np.integer]) -> Distances:
        """Return the distances of a query (t, d) to some sets (m,)."""
        wanted = rows.astype(np.uint32, copy=False)
        return self._maxsim.distances(query, self._values, self.starts, wanted)

    def parts(self, query: Vectors, row: int) -> MatchedParts:
        """Return which vectors of a set match those of a query (t, d)."""
        return self._maxsim.parts(query, self._values, self.starts, row)


class CodedSets:
    """Sets of vectors by their codes, under cosine and dot."""

    __slots__ = ("_maxsim", "codes", "encoder", "starts")

    def __init__(self, starts: Starts, codes: Codes, encoder: TokenEncoder) -> None:
        """Take n sets of codes (m, row bytes)."""
        self.starts, self.codes, self.encoder = starts, codes, encoder
        self._maxsim = MaxSim(encoder)

    def distances(self, query: Vectors, rows: NDArray[np.integer]) -> Distances:
        """Return the estimated distances of a query (t, d) to some sets (m,)."""
        wanted = rows.astype(np.uint32, copy=False)
        return 0 - self._maxsim.scores(query, self.codes, self.starts, wanted)

    def prepare(self, query: Vectors) -> _native.CodedQuery:
        """Return a query (t, d) as native code compares it with these codes."""
        return self._maxsim.prepare(query)

    def parts(self, query: Vectors, row: int) -> MatchedParts:
        """Return which vectors of a set, as they are decoded, match those of a query (t, d)."""
        return self._maxsim.parts(query, self.codes, self.starts, row)
