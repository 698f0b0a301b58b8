"""Which numbers points have, and which a new point gets.

A number is free again once its point is deleted, but a search that began before may still hold it:
so it rests for ``REST_SECONDS`` before another point gets it. What was freed within ``_TOGETHER``
seconds rests as one set, so that there are few sets however many deletions there are.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from itertools import islice

import numpy as np
from pyroaring import BitMap

from palimpsest.index.config.vectors import MAX_POINTS
from palimpsest.index.errors import StoreFailed
from palimpsest.index.types import Numbers

# A read that began before a deletion may still ask payload indexes, or the store, by number. Given
# to another point at once it would find that one's payload.
REST_SECONDS = 60.0
# Sets of freed numbers are joined as long as they are this close, so that a thousand deletions a
# second make no thousand sets to unite.
_TOGETHER = 1.0


class Numbering:
    """Owned by the writer thread; ``live`` is replaced, never changed."""

    def __init__(self, live: BitMap) -> None:
        self.live = live
        self._resting: deque[tuple[float, BitMap]] = deque()  # when each set was begun

    def begin(self) -> Draft:
        """Return what one transaction changes; nothing is changed before ``commit``."""
        ripe = time.monotonic() - REST_SECONDS - _TOGETHER
        while self._resting and self._resting[0][0] <= ripe:
            self._resting.popleft()
        taken = BitMap.union(self.live, *(freed for _, freed in self._resting))
        return Draft(self.live.copy(), taken)

    def commit(self, draft: Draft) -> None:
        """Make a transaction's changes current."""
        self.live = draft.live
        if not draft.freed:
            return
        now = time.monotonic()
        if self._resting and now - self._resting[-1][0] < _TOGETHER:
            self._resting[-1][1].update(draft.freed)
        else:
            self._resting.append((now, draft.freed))


class Draft:
    """The numbers as of one running transaction."""

    def __init__(self, live: BitMap, taken: BitMap) -> None:
        self.live = live
        self.freed = BitMap()
        self._taken = taken

    def take(self, count: int) -> list[int]:
        """Return ``count`` numbers for new points, ascending. Raises StoreFailed at 2**32."""
        if count == 0:
            return []
        # Gaps first: bitmaps of dense numbers are small, and arrays by number no longer than they
        # need be.
        top = self._taken.max() + 1 if self._taken else 0
        free: list[int] = []
        if len(self._taken) < top:
            free = list(islice(self._taken.flip(0, top), count))
        numbers = [*free, *range(top, top + count - len(free))]
        if numbers and numbers[-1] >= MAX_POINTS:
            raise StoreFailed(f"A collection holds at most {MAX_POINTS} points: use a second one")
        self.live.update(numbers)
        self._taken.update(numbers)
        return numbers

    def give_back(self, numbers: Sequence[int]) -> None:
        """Note that the points of these numbers are deleted."""
        gone = BitMap(numbers)
        self.live -= gone
        self.freed |= gone


def as_numbers(numbers: Sequence[int]) -> Numbers:
    """Return numbers as an array."""
    return np.array(numbers, dtype=np.uint32)
