"""Which rows of a part a filter lets through: from a bitmap of point numbers to rows.

A filter is evaluated to a ``BitMap`` of point numbers, once for all parts and vector names.
``Allowed(bitmap)`` spreads it into one bit per number, a few microseconds; ``in_sealed`` and
``in_growing`` bind that to a part's ``numbers`` column and its dead rows and copy neither:

    among.rows(out)     writes the allowed rows, in no order that means anything
    among.estimate(m)   tests about m rows and says roughly how many of all are allowed

Searches take the ``Among`` itself, never a bitmap of rows: a graph walk tests the rows it meets, a
scan lists the allowed ones. A row is allowed when its point's number is in the bitmap and the row
is not dead. Sealed parts list the rows of the members through ``Searcher.rows_by_number`` (1 ns a
member), growing ones, whose rows change with every write, test every row (1 ns a row).
"""

from __future__ import annotations

import numpy as np
from pyroaring import BitMap

from palimpsest.index import _native
from palimpsest.index.segments.growing_part import AnyGrowing
from palimpsest.index.segments.sealed import Sealed
from palimpsest.index.types import Rows, Words
from palimpsest.index.view.view import SealedPart


class Allowed:
    """The points a filter lets through, ready for any part."""

    __slots__ = ("_words", "count")

    def __init__(self, points: BitMap) -> None:
        self.count = len(points)
        size = points.max() // 64 + 1 if points else 0
        self._words: Words = np.zeros(size + 1, dtype=np.uint64)  # the native test ends on a zero
        _native.spread_bitmap(points.serialize(), self._words)

    def in_sealed(self, part: SealedPart[Sealed]) -> _native.Among:
        """Return the allowed rows of a sealed part."""
        segment, live = part.segment, part.dead.allowed
        row_of, base = segment.searcher.rows_by_number(segment.numbers, live)
        return _native.Among(segment.n, segment.numbers, self._words, live, row_of, base)

    def in_growing(self, part: AnyGrowing) -> _native.Among:
        """Return the allowed rows of a growing part."""
        return _native.Among(part.n, part.columns.numbers, self._words, part.dead.allowed, None, 0)


def rows_of(among: _native.Among, most: int) -> Rows:
    """Return the allowed rows (m,), ascending; ``most`` is at least their number."""
    rows = np.empty(most, dtype=np.uint32)
    found = rows[: among.rows(rows)]
    found.sort()
    return found
