"""Lets rows into one collection no faster than they are sealed, once many wait.

Who brings rows asks for leave, and is told how long to wait for it, or to come again. Leave is
given in the order it was asked for: each taker moves the time at which the next one's begins, by
the time that sealing its rows takes, more the more wait (``index.upkeep.backlog``). Nothing waits
in here.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic

from palimpsest.index.upkeep.backlog import SMALL_ROWS, Backlog, has_room, retry_seconds, slowdown

_NEWEST = 0.5  # weight of the last seal in the rate
_FADING = 0.9  # of the best rate, with each seal
_PAUSE = 0.5  # seconds between two seals that count as work on the first


@dataclass(frozen=True, slots=True)
class Wait:
    """Rows may come in so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Refused:
    """Rows may not come; there may be room in so many seconds."""

    seconds: int
    backlog: Backlog


class SealRate:
    """Rows sealed per second; used by any thread."""

    def __init__(self, first: float, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._rate = self._best = first
        self._measured = False
        self._running: tuple[int, float] | None = None  # rows, and when their seal began
        self._ended_at = -math.inf
        self.rows = 0  # sealed so far

    def begin(self, rows: int) -> None:
        """Note that a seal of so many rows begins."""
        now = self._clock()
        self._running = rows, self._ended_at if now - self._ended_at < _PAUSE else now

    def end(self, *, sealed: bool) -> None:
        """Note that it ended, and whether there is a segment now."""
        running, self._running = self._running, None
        if running is None or not sealed:
            return
        rows, began = running
        self.rows += rows
        self._ended_at = self._clock()
        rate = rows / max(self._ended_at - began, 1e-3)
        self._rate = rate if not self._measured else _NEWEST * rate + (1 - _NEWEST) * self._rate
        self._best = max(rate, _FADING * self._best) if self._measured else rate
        self._measured = True

    @property
    def current(self) -> float:
        """Rows per second, less when the seal under way takes longer than the last ones."""
        running = self._running
        if running is None:
            return self._rate
        rows, began = running
        return min(self._rate, max(rows, 1) / max(self._clock() - began, 1e-3))

    @property
    def lateness(self) -> float:
        """How many times as long as at its best the seal under way has taken; 0 without one."""
        running = self._running
        if running is None:
            return 0.0
        rows, began = running
        return (self._clock() - began) * self._best / max(rows, 1)

    @property
    def left(self) -> float:
        """Seconds until the seal under way ends, about; 0 without one."""
        running = self._running
        if running is None:
            return 0.0
        rows, began = running
        return max(0.0, rows / self._rate - (self._clock() - began))


class Pacing:
    """Of one collection; used by any thread."""

    def __init__(
        self,
        backlog: Callable[[], Backlog],
        rate: SealRate,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Pace by what waits, as ``backlog`` tells without the rows that are on their way."""
        self._backlog = backlog
        self.rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._coming = 0  # rows that were given leave and are in no view yet
        self._next_at = 0.0  # when the next rows may come, by the clock
        self.delayed, self.delayed_seconds = 0, 0.0  # writes, and what they waited
        self.refused = {"backlog": 0, "stalled": 0}  # writes, by why

    def backlog(self) -> Backlog:
        """Return what waits, with the rows that are on their way."""
        waiting = self._backlog()
        return replace(waiting, rows=waiting.rows + self._coming)

    @property
    def slows(self) -> bool:
        """Whether rows that came now would wait, or be refused."""
        backlog = self.backlog()
        return slowdown(backlog.pressure) > 0 and self._next_at > self._clock()

    def ask(self, rows: int, patience: float) -> Wait | Refused:
        """Ask leave for a write of so many rows, which counts them as coming where it is given.

        Args:
            rows: at least 1.
            patience: seconds that the caller is ready to wait; small writes wait no longer, but are
                not refused for it.
        """
        with self._lock:
            backlog, now = self.backlog(), self._clock()
            rate = self.rate.current
            if not has_room(backlog, rows):
                return self._refused(backlog, self.rate.left)
            slow = slowdown(backlog.pressure)
            seconds = max(0.0, self._next_at - now) if slow else 0.0
            if seconds > patience and rows > SMALL_ROWS:
                return self._refused(backlog, seconds)
            self._next_at = now + seconds + rows * slow / rate
            self._coming += rows
            return Wait(min(seconds, patience))

    def refuses(self, patience: float) -> Refused | None:
        """Return what any write but a small one would be refused with now, None for nothing."""
        with self._lock:
            backlog, now = self.backlog(), self._clock()
            seconds = self._next_at - now if slowdown(backlog.pressure) else 0.0
            if not has_room(backlog, SMALL_ROWS + 1):
                seconds = self.rate.left
            elif seconds <= patience:
                return None
            return self._refused(backlog, seconds)

    def turned_away(self, seconds: float) -> Refused:
        """Return what a write is refused with that was given leave and finds no place to wait."""
        with self._lock:
            return self._refused(self.backlog(), seconds)

    def _refused(self, backlog: Backlog, seconds: float) -> Refused:
        self.refused["stalled" if backlog.stalled else "backlog"] += 1
        return Refused(retry_seconds(seconds), backlog)

    def came(self, rows: int) -> None:
        """Note that rows which were given leave are in the view, or will not come."""
        with self._lock:
            self._coming -= rows

    def waited(self, seconds: float) -> None:
        """Count a write that was delayed."""
        with self._lock:
            self.delayed += 1
            self.delayed_seconds += seconds
