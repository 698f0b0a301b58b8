"""One thread that scrubs all collections, one after the other.

It reads at most ``_RATE`` bytes a second, and computes in a tenth of the time. It has no low
priority: a thread that gets no core while it holds the interpreter's lock keeps searches waiting.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from palimpsest.index.errors import PalimpsestError
from palimpsest.index.upkeep.scrub import DAY, Ended, Scrub

_RATE = 16 << 20  # bytes a second
_SHARE = 0.1  # of the time, of one core
_LOOK_SECONDS = 60.0  # between two looks at what is due
_LEAST_PAUSE = 1.0  # seconds, however often a scrub is wanted
_log = logging.getLogger(__name__)


class Scrubbing:
    """Runs what is due among the scrubs that ``open_ones`` gives at each look."""

    def __init__(self, open_ones: Callable[[], Iterable[Scrub]], days: float) -> None:
        """Prepare it.

        Args:
            open_ones: gives the scrubs of the collections that are open.
            days: between two passes over a collection; 0 for none but those that look again at
                what an earlier one found.
        """
        self._open_ones = open_ones
        self._days = days
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scrub", daemon=True)
        self._worked = 0.0

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End, with what is under way, soon."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._pause()):
            for scrub in list(self._open_ones()):
                if self._stopped.is_set():
                    return
                with suppress(Ended):
                    self._scrub(scrub)

    def _scrub(self, scrub: Scrub) -> None:
        try:
            scrub.look()
            if scrub.is_due(self._days):
                self._worked = time.thread_time()
                scrub.run(self._wait)
        except PalimpsestError as error:
            _log.warning("A scrub could not go on, it is tried again: %s", error)
        except Ended:
            raise
        except Exception:
            _log.exception("A scrub failed, it is tried again")

    def _pause(self) -> float:
        if not self._days:
            return _LOOK_SECONDS
        due = [scrub.due_in(self._days) for scrub in self._open_ones()]
        return max(_LEAST_PAUSE, min([_LOOK_SECONDS, self._days * DAY, *due]))

    def _wait(self, nbytes: int) -> None:
        """Keep to the budget. Raises Ended when the server stops."""
        worked, before = time.thread_time(), self._worked
        self._worked = worked
        # Both budgets hold: of the disk, by bytes, and of a core, by the time this thread itself
        # worked. What others took of the core meanwhile is not counted against it.
        pause = max(nbytes / _RATE, (worked - before) * (1 / _SHARE - 1))
        if self._stopped.wait(pause):
            raise Ended
