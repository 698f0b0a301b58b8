"""What was asked of a vector name of late: a few queries in memory, for ``probe``.

They are never written to disk, and end with the vector name, the collection and the server.
"""

from __future__ import annotations

from itertools import count

import numpy as np

from palimpsest.index.types import Vector

RECENT = 32
_BYTES = 1 << 20  # at most, whatever the vectors' size
_ONE_OF = 8  # searches is kept


class Recent:
    """Filled by any thread that searches, without a lock: which of two wins does not matter."""

    __slots__ = ("_asked", "_kept")

    def __init__(self) -> None:
        self._asked = count()
        self._kept: dict[int, Vector] = {}

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return sum(vector.nbytes for vector in self._kept.copy().values())

    def note(self, query: Vector) -> None:
        """Keep a query (d,) as it is searched, one of a few, in the place of the oldest."""
        asked = next(self._asked)
        if asked % _ONE_OF:
            return
        places = max(1, min(RECENT, _BYTES // max(query.nbytes, 1)))
        self._kept[asked // _ONE_OF % places] = query.copy()

    def queries(self) -> list[Vector]:
        """Return what is kept, none of it twice."""
        kept = list(self._kept.copy().values())
        if not kept:
            return []
        _, first = np.unique(np.stack(kept), axis=0, return_index=True)
        return [kept[place] for place in np.sort(first)]
