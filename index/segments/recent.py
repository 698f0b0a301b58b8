"""What was asked of a vector name of late: a few queries in memory, for ``probe`` and ``recall``.

They are never written to disk, and end with the vector name, the collection and the server. So does
what samples of the searches that were answered found of their recall (``samples``), and what was
last found of the model that its newest rows are of (``drift``).
"""

from __future__ import annotations

from itertools import count

from palimpsest.index.segments.samples import Samples
from palimpsest.index.types import Drift, Vector

RECENT = 32  # of which a probe makes use
KEPT = 128
_BYTES = 1 << 20  # at most, whatever the vectors' size
_ONE_OF = 8  # searches is kept


class Recent:
    """Filled by any thread that searches, without a lock: which of two wins does not matter."""

    __slots__ = ("_asked", "_kept", "_samples", "drift")

    def __init__(self) -> None:
        self._asked = count()
        self._kept: dict[int, tuple[int, Vector]] = {}
        self.drift: Drift | None = None  # set by the thread that watches, in one step
        self._samples: Samples | None = None  # most are made for one search, which needs none

    @property
    def samples(self) -> Samples:
        """What samples of answered searches found."""
        if self._samples is None:
            self._samples = Samples()
        return self._samples

    def sampled(self, *, filtered: bool) -> int:
        """Return how many samples there were since the opening."""
        return 0 if self._samples is None else self._samples.total(filtered=filtered)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return sum(vector.nbytes for _, vector in self._kept.copy().values())

    def note(self, query: Vector) -> None:
        """Keep a query (d,), or a set (t, d), as it is searched, in the place of the oldest.

        One of a few is kept.
        """
        turn = self.turn()
        if turn is not None:
            self.keep(turn, query.copy())

    def turn(self) -> int | None:
        """Count a query; return the turn it is kept in, None for most."""
        asked = next(self._asked)
        return None if asked % _ONE_OF else asked

    def keep(self, turn: int, query: Vector) -> None:
        """Keep the query of a turn, which nobody changes, in the place of the oldest."""
        places = max(1, min(KEPT, _BYTES // max(query.nbytes, 1)))
        self._kept[turn // _ONE_OF % places] = turn, query

    def queries(self, most: int = KEPT) -> list[Vector]:
        """Return the newest of what is kept, newest last, none of it twice."""
        by_age = sorted(self._kept.copy().values(), key=lambda one: one[0], reverse=True)
        # Repeated queries would count several times in a probe, and hide the others.
        kept: dict[object, Vector] = {}
        for _, one in by_age:
            kept.setdefault((one.shape, one.tobytes()), one)
        return list(kept.values())[:most][::-1]
