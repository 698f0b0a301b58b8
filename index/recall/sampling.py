"""Answers a share of the searches again, exactly, to learn what they find: in the background.

A search that was answered is taken with its view, its filter's points and what it found, and
answered again with every row looked at (``answered``). One is looked at at a time, by one thread
for all collections, which then rests until its budget is made up for: a share of a core, and bytes
of originals a second. Searches pay for a counter. The thread has no low priority: one that gets no
core while it holds the interpreter's lock keeps searches waiting. It rather waits a little, for a
moment in which nothing is asked.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from bisect import bisect_left
from contextlib import suppress
from queue import SimpleQueue
from typing import NamedTuple

import numpy as np

from palimpsest.index.errors import PalimpsestError
from palimpsest.index.kinds.kind import Asked
from palimpsest.index.kinds.registry import kind_of
from palimpsest.index.recall.answered import Answerable, share_found
from palimpsest.index.search.merge import Merged
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.stops import Stop, Stopped, stopping
from palimpsest.index.types import SearchStats
from palimpsest.index.view.view import AnyVectors, View

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MAX_K = 1_000  # of longer answers what is missing at the end tells little
_LONGEST = 10.0  # seconds of its budget of bytes that one search may take
_PATIENCE, _LULL = 0.25, 0.01  # seconds at most until it begins; of silence that it waits for
_PASSED_BY = 64  # searches at most, after one that tells nothing
_log = logging.getLogger(__name__)


class Budget(NamedTuple):
    """What may be spent: a share of one core, 0 for nothing, and bytes a second."""

    share: float
    bytes_per_second: float


NO_SAMPLES = Budget(0.0, 0.0)


class Durations:
    """A histogram of seconds by ``BOUNDS``, filled by one thread."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


class _Taken(NamedTuple):
    asked: Answerable
    vectors: AnyVectors
    found: Merged


class Sampling:
    """The sampler of one database; its thread starts with the first search it takes."""

    def __init__(self, budget: Budget, chance: random.Random | None = None) -> None:
        """Prepare it; ``budget`` has a share above 0."""
        self.durations = Durations()
        self._budget = budget
        self._chance = chance or random.Random()
        self._lock = threading.Lock()  # of the two below: one search is taken at a time
        self._is_free = True
        self._thread: threading.Thread | None = None
        self._waiting: SimpleQueue[_Taken | None] = SimpleQueue()
        self._stop, self._stopped = Stop(), threading.Event()
        # Searches until the next is due. Threads may lose counts to each other: it is a share,
        # whichever it is.
        self._left = self._began_at = 0

    def is_due(self) -> bool:
        """Tell whether the search that was just answered is to be taken."""
        self._left -= 1
        return self._left < 0 and self._is_free

    def take(self, view: View, asked: Asked, found: Merged) -> None:
        """Take a search, unless it tells nothing, as one that is exact or for a later page."""
        request = asked.request
        vectors = view.vectors[view.config.number(request.vector_name)]
        if self._tells_nothing(vectors, request):
            self._left = self._chance.randint(0, _PASSED_BY)  # the next of them may not either
            return
        with self._lock:
            if not self._is_free or self._stopped.is_set():
                return
            self._is_free = False
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="recall", daemon=True)
                self._thread.start()
        self._began_at = self._left
        one = Answerable(view, request, asked.allowed, asked.without, asked.corpus)
        self._waiting.put(_Taken(one, vectors, found))

    def stop(self) -> None:
        """End, with what is under way, soon."""
        with self._lock:
            self._stopped.set()
            self._stop.set()
            thread = self._thread
        self._waiting.put(None)
        if thread is not None:
            thread.join()

    def _tells_nothing(self, vectors: AnyVectors, request: SearchRequest) -> bool:
        query, kind = request.query, kind_of(vectors.config)
        if request.offset or request.paged or request.k > MAX_K or not request.noted:
            return True
        if kind.is_exact(vectors, request) or (isinstance(query, np.ndarray) and not query.any()):
            return True
        expected = SearchStats(scored=vectors.live, rescored=request.k)
        most = _LONGEST * self._budget.bytes_per_second
        return kind.bytes_read(vectors, expected) > most

    def _run(self) -> None:
        with suppress(Stopped), stopping(self._stop):
            while (taken := self._waiting.get()) is not None:
                pause = self._look(taken)
                del taken  # its view may hold what was replaced since
                self._stopped.wait(pause)
                self._free()

    def _look(self, taken: _Taken) -> float:
        """Answer a search again; return in how many seconds the budget is made up for."""
        came, worked = time.perf_counter(), time.thread_time()
        self._await_lull()
        began, read = time.perf_counter(), 0.0
        try:
            read = self._answer(taken)
        except PalimpsestError as error:  # of rows that are damaged, for example
            _log.warning("A search could not be answered again to learn its recall: %s", error)
        except Stopped:
            raise
        except Exception:
            _log.exception("A search could not be answered again to learn its recall")
        ended, worked = time.perf_counter(), time.thread_time() - worked
        self.durations.add(ended - began)
        by_core = worked / self._budget.share - (ended - came)
        by_disk = read / self._budget.bytes_per_second - (ended - came)
        return max(by_core, by_disk, 0.0)

    def _answer(self, taken: _Taken) -> float:
        """Keep the recall of a search; return about how many bytes were read to learn it."""
        asked, vectors, found = taken
        exact = asked.exact(asked.request.k)
        share = share_found(found, exact.merged, estimated=asked.request.rescore is False)
        if share is not None:
            vectors.recent.samples.add(share, filtered=asked.allowed is not None)
        return kind_of(vectors.config).bytes_read(vectors, exact.stats)

    def _await_lull(self) -> None:
        """Wait until nothing was asked for a moment, or for as long as the view may be held."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            left = self._left
            if self._stopped.wait(_LULL) or left == self._left:
                return

    def _free(self) -> None:
        """Let the next be taken, from a random place among as many as passed meanwhile.

        The first search after a pause would rather be the first of its burst than any other.
        """
        passed = self._began_at - self._left
        self._left = self._chance.randint(0, max(passed, 0))
        self._is_free = True
