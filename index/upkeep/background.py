"""Four threads that carry out the upkeep of all collections.

One seals, one compacts and closes the files of collections that nobody uses, so that a long
compaction does not keep growing rows from being sealed; one tries kinds of adapters that take long
to fit, and one looks at new rows. Only these two have a low priority: the others are waited for,
and a thread that holds the interpreter's lock while it gets no core keeps searches waiting. They
and the builders' threads that they start stand a little below the program, so that a search is
scheduled before them and a busy machine still gives them two fifths of what it gives a thread of
the program. How much of the cores they take beyond that is a matter of how many of their builders'
threads do not give way at all (``index.upkeep.backlog``).
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from itertools import chain
from time import monotonic
from typing import TypeAlias

from palimpsest.index.upkeep.attempts import PASS
from palimpsest.index.upkeep.due import Due
from palimpsest.index.upkeep.upkeep import Upkeep

# Builds take all cores for minutes. At equal weight searches would take their turns after them; far
# below, rows would come in faster than they are sealed under load.
_LATER = 4  # niceness of what is waited for: weighs .41 of a thread of the program
_LAST = 10  # of what nobody waits for
# Each commit wakes all four threads; a look costs little, but not at every one of thousands a
# second.
_PAUSE = 0.05  # between two looks, however many commits there are
_LOOK_SECONDS = 0.5  # while full segments are merged, until other work is looked for again
_RETRY_SECONDS = 10.0  # after a look that failed
_LONGEST = 3_600.0  # between two looks; the system takes no waits of centuries
_log = logging.getLogger(__name__)

Delays: TypeAlias = Mapping[str, float]  # seconds until something is due, by collection


class Background:
    """Runs what is due among the upkeeps that ``open_ones`` gives, by the names of collections.

    A collection is looked at when it has changed, and when the time has come that it said at the
    last look: thousands that rest cost nothing.
    """

    def __init__(self, open_ones: Callable[[], Mapping[str, Upkeep]]) -> None:
        self._open_ones = open_ones
        self._stopped = threading.Event()
        self._work = [
            # A thread of its own for each: a compaction takes minutes, in which growing rows are to
            # be sealed all the same, and neither waits for what nobody waits for.
            _Worker("seal", self._stopped, self._seal, _LATER),
            _Worker("compact", self._stopped, self._compact, _LATER),
            _Worker("improve", self._stopped, self._improve, _LAST),
            # Trials take minutes, and a changed model is to be noticed meanwhile.
            _Worker("watch", self._stopped, self._watch, _LAST),
        ]

    def start(self) -> None:
        """Start the threads."""
        for worker in self._work:
            worker.start()

    def wake(self, name: str) -> None:
        """Look at a collection soon; called after every change of it."""
        for worker in self._work:
            worker.wake(name)

    def close(self) -> None:
        """End the threads; running work stops early."""
        self._stopped.set()
        # Before any thread is joined: all running work hears of it at once, not one after the
        # other.
        for upkeep in self._open_ones().values():
            upkeep.stop()
        for worker in self._work:
            worker.woken.set()
            worker.join()

    def _seal(self, names: Collection[str]) -> Delays:
        return self._look(names, "seal", Due.seal_delay, lambda upkeep: upkeep.seal(at_once=False))

    def _compact(self, names: Collection[str]) -> Delays:
        looks = (
            self._look(
                names, "compact", Due.compact_delay, lambda upkeep: upkeep.compact(at_once=False)
            ),
            self._look(
                names, "merge", Due.merge_delay, lambda upkeep: upkeep.merge(_Wanted(self._due))
            ),
            self._look(names, "rest", Due.rest_delay, Upkeep.close_files),
        )
        return {name: min(one[name] for one in looks if name in one) for name in {*chain(*looks)}}

    def _due(self) -> bool:
        """Tell whether a compaction of any collection waits for the thread."""
        return any(upkeep.due.compact_delay() == 0 for upkeep in self._open_ones().values())

    def _improve(self, names: Collection[str]) -> Delays:
        return self._look(names, "improve", Due.improve_delay, Upkeep.improve)

    def _watch(self, names: Collection[str]) -> Delays:
        return self._look(names, "watch", Due.watch_delay, Upkeep.watch)

    def _look(
        self,
        names: Collection[str],
        kind: str,
        delay_of: Callable[[Due], float | None],
        work: Callable[[Upkeep], None],
    ) -> Delays:
        """Do what is due of some; return the seconds until something else is, where it is known."""
        found: dict[str, float] = {}
        open_ones = self._open_ones()
        for name in names:
            upkeep = open_ones.get(name)
            if upkeep is None:
                continue
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
                found[name] = delay
        return found


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
        look: Callable[[Collection[str]], Delays],
        niceness: int,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.woken = threading.Event()
        self._stopped = stopped
        self._look = look
        self._niceness = niceness
        # Names and not collections: one that is dropped meanwhile is simply not found at the next
        # look.
        self._changed: set[str] = set()
        self._next_at: dict[str, float] = {}  # look at it, by ``monotonic``
        self._lock = threading.Lock()  # of what has changed

    def wake(self, name: str) -> None:
        """Look at a collection soon."""
        with self._lock:
            self._changed.add(name)
        self.woken.set()

    def run(self) -> None:
        _lower_priority(self._niceness)
        while not self._stopped.wait(_PAUSE):
            # Before names are taken: a change that comes after them sets it anew, and the wait at
            # the end returns at once.
            self.woken.clear()
            if self._stopped.is_set():
                return  # since the wait above; its call to wake was just cleared
            names = self._names()
            try:
                delays = self._look(names)
            except Exception:
                _log.exception("Background work (%s) failed, it goes on", self.name)
                delays = dict.fromkeys(names, _RETRY_SECONDS)
            now = monotonic()
            self._next_at |= {name: now + delay for name, delay in delays.items()}
            nearest = min(self._next_at.values(), default=now + _LONGEST)
            self.woken.wait(min(max(0.0, nearest - now), _LONGEST))

    def _names(self) -> set[str]:
        """Take the names of those that have changed, and of those whose time has come."""
        now = monotonic()
        with self._lock:
            names, self._changed = self._changed, set()
        names |= {name for name, at in self._next_at.items() if at <= now}
        self._next_at = {name: at for name, at in self._next_at.items() if name not in names}
        return names


def _lower_priority(niceness: int) -> None:
    # On Linux the priority belongs to the thread, and threads it starts inherit it.
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):  # raising the priority is forbidden, lowering it may be
            lowest = max(os.getpriority(os.PRIO_PROCESS, thread), niceness)
            os.setpriority(os.PRIO_PROCESS, thread, lowest)
