"""What samples of answered searches found of their recall: of a vector name, in memory, of late.

With a filter and without one are told apart: the one says little of the other.
"""

from __future__ import annotations

from collections import deque
from time import monotonic

KEPT = 1_000  # of each; their mean is known to about a hundredth then
SECONDS = 3_600.0  # older ones say nothing of the rows there are now


class Samples:
    """Filled by one thread, read by any."""

    __slots__ = ("_kept", "_totals")

    def __init__(self) -> None:
        self._kept: dict[bool, deque[tuple[float, float]]] = {
            filtered: deque(maxlen=KEPT) for filtered in (False, True)
        }
        self._totals = {False: 0, True: 0}

    def add(self, recall: float, *, filtered: bool) -> None:
        """Keep the recall of one search."""
        self._kept[filtered].append((monotonic(), recall))
        self._totals[filtered] += 1

    def of_late(self, *, filtered: bool) -> list[float]:
        """Return the recalls that are kept, oldest first."""
        since = monotonic() - SECONDS
        return [recall for at, recall in self._kept[filtered].copy() if at >= since]

    def total(self, *, filtered: bool) -> int:
        """Return how many there were since the opening."""
        return self._totals[filtered]
