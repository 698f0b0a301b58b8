"""Three threads that carry out the upkeep of all collections.

One seals, one compacts and empties logs, so that a long compaction does not keep growing rows from
being sealed; one tries kinds of adapters that take long to fit. Only the last has a low priority:
the others are waited for, and a thread that holds the interpreter's lock while it gets no core
keeps searches waiting. They and the builders' threads that they start stand a little below the
program, so that a search is scheduled before them and a busy machine still gives them two fifths of
what it gives a thread of the program. How much of the cores they take beyond that is a matter of
how many of their builders' threads do not give way at all (``index.upkeep.backlog``).
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from time import monotonic

from palimpsest.index.upkeep.attempts import PASS
from palimpsest.index.upkeep.due import Due
from palimpsest.index.upkeep.upkeep import Upkeep

_LATER = 4  # niceness of what is waited for: weighs .41 of a thread of the program
_LAST = 10  # of what nobody waits for
_PAUSE = 0.05  # between two looks, however many commits there are
_LOOK_SECONDS = 0.5  # while full segments are merged, until other work is looked for again
_RETRY_SECONDS = 10.0  # after a look that failed
_LONGEST = 3_600.0  # between two looks; the system takes no waits of centuries
_log = logging.getLogger(__name__)


class Background:
    """Runs what is due among the upkeeps that ``open_ones`` gives at each look."""

    def __init__(self, open_ones: Callable[[], Iterable[Upkeep]]) -> None:
        self._open_ones = open_ones
        self._stopped = threading.Event()
        self._work = [
            _Worker("seal", self._stopped, self._seal, _LATER),
            _Worker("compact", self._stopped, self._compact, _LATER),
            _Worker("improve", self._stopped, self._improve, _LAST),
        ]

    def start(self) -> None:
        """Start the threads."""
        for worker in self._work:
            worker.start()

    def wake(self) -> None:
        """Look again soon; called after every change."""
        for worker in self._work:
            worker.woken.set()

    def close(self) -> None:
        """End the threads; running work stops early."""
        self._stopped.set()
        for upkeep in self._open_ones():
            upkeep.stop()
        self.wake()
        for worker in self._work:
            worker.join()

    def _seal(self) -> float | None:
        return self._look("seal", Due.seal_delay, self._seal_and_wake)

    def _compact(self) -> float | None:
        looks = (
            self._look("compact", Due.compact_delay, lambda upkeep: upkeep.compact(at_once=False)),
            self._look("trim", Due.trim_delay, Upkeep.trim),
            self._look("merge", Due.merge_delay, lambda upkeep: upkeep.merge(_Wanted(self._due))),
        )
        return min((one for one in looks if one is not None), default=None)

    def _due(self) -> bool:
        """Tell whether a compaction of any collection waits for the thread."""
        return any(upkeep.due.compact_delay() == 0 for upkeep in list(self._open_ones()))

    def _improve(self) -> float | None:
        return self._look("improve", Due.improve_delay, Upkeep.improve)

    def _seal_and_wake(self, upkeep: Upkeep) -> None:
        upkeep.seal(at_once=False)
        self.wake()

    def _look(
        self,
        kind: str,
        delay_of: Callable[[Due], float | None],
        work: Callable[[Upkeep], None],
    ) -> float | None:
        """Do what is due; return the seconds until something else is, None if nothing is known."""
        nearest: float | None = None
        for upkeep in list(self._open_ones()):
            delay: float | None = _RETRY_SECONDS
            try:
                delay = delay_of(upkeep.due)
                if delay == 0:
                    work(upkeep)
                    delay = delay_of(upkeep.due)
                upkeep.attempts.succeeded(kind, PASS)
            except Exception as error:  # one collection must not stop the work of the others
                upkeep.attempts.failed(kind, PASS, repr(error))
            if delay is not None:
                nearest = delay if nearest is None else min(nearest, delay)
        return nearest


class _Wanted:
    """Whether something is due, looked up now and then however often it is asked."""

    def __init__(self, is_due: Callable[[], bool]) -> None:
        self._is_due = is_due
        self._due = False
        self._next_at = 0.0

    def __call__(self) -> bool:
        """Return True once it was."""
        now = monotonic()
        if not self._due and now >= self._next_at:
            self._due = self._is_due()
            self._next_at = now + _LOOK_SECONDS
        return self._due


class _Worker(threading.Thread):
    def __init__(
        self,
        name: str,
        stopped: threading.Event,
        look: Callable[[], float | None],
        niceness: int,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.woken = threading.Event()
        self._stopped = stopped
        self._look = look
        self._niceness = niceness

    def run(self) -> None:
        _lower_priority(self._niceness)
        while not self._stopped.wait(_PAUSE):
            self.woken.clear()
            if self._stopped.is_set():
                return  # since the wait above; its call to wake was just cleared
            try:
                nearest = self._look()
            except Exception:
                _log.exception("Background work (%s) failed, it goes on", self.name)
                nearest = _RETRY_SECONDS
            self.woken.wait(None if nearest is None else min(nearest, _LONGEST))


def _lower_priority(niceness: int) -> None:
    # On Linux the priority belongs to the thread, and threads it starts inherit it.
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):  # raising the priority is forbidden, lowering it may be
            lowest = max(os.getpriority(os.PRIO_PROCESS, thread), niceness)
            os.setpriority(os.PRIO_PROCESS, thread, lowest)
