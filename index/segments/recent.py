"""What was asked of a vector name of late: a few queries in memory, for ``probe``.

They are never written to disk, and end with the vector name, the collection and the server.
"""

from __future__ import annotations

from itertools import count

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
        """Keep a query (d,), or a set (t, d), as it is searched, in the place of the oldest.

        One of a few is kept.
        """
        asked = next(self._asked)
        if asked % _ONE_OF:
            return
        places = max(1, min(RECENT, _BYTES // max(query.nbytes, 1)))
        self._kept[asked // _ONE_OF % places] = query.copy()

    def queries(self) -> list[Vector]:
        """Return what is kept, none of it twice."""
        # Repeated queries would count several times in a probe, and hide the others.
        kept = {(one.shape, one.tobytes()): one for one in self._kept.copy().values()}
        return list(kept.values())
