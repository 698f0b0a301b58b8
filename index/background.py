"""Two threads of low priority that carry out the upkeep of all collections.

One seals, one compacts, so that a long compaction does not keep growing rows from being sealed.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable

from index.upkeep import Upkeep

_NICENESS = 10
_PAUSE = 0.05  # between two looks, however many commits there are


class Background:
    """Runs what is due among the upkeeps that ``open_ones`` gives at each look."""

    def __init__(self, open_ones: Callable[[], Iterable[Upkeep]]) -> None:
        self._open_ones = open_ones
        self._stopped = threading.Event()
        self._work = [
            _Worker("seal", self._stopped, self._seal),
            _Worker("compact", self._stopped, self._compact),
        ]

    def start(self) -> None:
        for worker in self._work:
            worker.start()

    def wake(self) -> None:
        """Look again soon; called after every commit."""
        for worker in self._work:
            worker.woken.set()

    def close(self) -> None:
        """End both threads; running work stops early."""
        self._stopped.set()
        for upkeep in self._open_ones():
            upkeep.stop()
        self.wake()
        for worker in self._work:
            worker.join()

    def _seal(self) -> float | None:
        return self._look(Upkeep.seal_delay, self._seal_and_wake)

    def _compact(self) -> float | None:
        return self._look(Upkeep.compact_delay, Upkeep.compact)

    def _seal_and_wake(self, upkeep: Upkeep) -> None:
        upkeep.seal()
        self.wake()

    def _look(
        self, delay_of: Callable[[Upkeep], float | None], work: Callable[[Upkeep], None]
    ) -> float | None:
        """Do what is due; return the seconds until something else is, None if nothing is known."""
        nearest: float | None = None
        for upkeep in list(self._open_ones()):
            delay = delay_of(upkeep)
            if delay == 0:
                work(upkeep)
                delay = delay_of(upkeep)
            if delay is not None:
                nearest = delay if nearest is None else min(nearest, delay)
        return nearest


class _Worker(threading.Thread):
    def __init__(
        self, name: str, stopped: threading.Event, look: Callable[[], float | None]
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.woken = threading.Event()
        self._stopped = stopped
        self._look = look

    def run(self) -> None:
        _lower_priority()
        while not self._stopped.wait(_PAUSE):
            self.woken.clear()
            nearest = self._look()
            self.woken.wait(nearest)


def _lower_priority() -> None:
    # On Linux the priority belongs to the thread, and threads it starts inherit it.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
