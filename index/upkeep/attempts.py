"""Work in the background that failed: why, and when it is tried again. What runs are jobs."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from palimpsest.index.errors import NoRoom, PalimpsestError, StorageFull, SyncFailed
from palimpsest.index.types import JobKind
from palimpsest.index.write.jobs import Jobs
from palimpsest.index.write.writer import Writer

WHOLE = -1  # in place of a column: the work is about the collection
PASS = -2  # or everything of a kind that was due
_RETRY_SECONDS = 10.0  # after a failure, a full disk for example
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why work failed, and when it is tried again."""

    text: str
    retry_at: float
    put_off: bool = False  # nothing is wrong but that there was no memory
    full: bool = False  # the disk is


class Attempts:
    """What failed last, of one collection; used by the threads of its upkeep."""

    def __init__(self, writer: Writer, jobs: Jobs, is_stopped: Callable[[], bool]) -> None:
        self._writer = writer
        self.jobs = jobs
        self._is_stopped = is_stopped
        self._failures: dict[tuple[str, int], Failure] = {}  # by kind and column

    @contextmanager
    def attempt(self, kind: str, column: int, text: str, rows: int = 0) -> Iterator[None]:
        """Let a piece of work run as a job, over ``rows`` of segments; keep why it failed."""
        # Only these are listed as jobs; the rest is upkeep of seconds, which would fill the list
        # with nothing.
        own: JobKind | None = "seal" if kind == "seal" else "compact" if kind == "compact" else None
        try:
            with self.jobs.begin(
                own or "upkeep", text, rows=rows, kept=own is not None, shown=True
            ):
                yield
        except Exception as error:
            self._ended(kind, column, text, error)
        else:
            self.succeeded(kind, column)

    def last(self, *, put_off: bool) -> str | None:
        """Return the text of the last failure that stands, or of what was put off; None without."""
        known = {*self._writer.view.vectors, WHOLE, PASS}
        failures = self._failures.copy().items()
        texts = [
            one.text for (_, column), one in failures if column in known and one.put_off is put_off
        ]
        return texts[-1] if texts else None

    def failure_of(self, *kinds: str) -> Failure | None:
        """Return the first failure of work of some kinds that stands."""
        failures = self._failures.copy().items()
        return next((one for (kind, _), one in failures if kind in kinds), None)

    def failed(self, kind: str, column: int, text: str, *, full: bool = False) -> None:
        """Record a failure, by a disk that is full or not, and log it unless it was the last."""
        if self._record(kind, column, text, put_off=False, full=full):
            _log.error("Background work failed, it is tried again: %s", text)

    def delayed(self, kind: str, column: int, text: str) -> None:
        """Record what was put off for want of memory, and log it when it was not before."""
        if self._record(kind, column, text, put_off=True):
            _log.warning("Background work waits: %s", text)

    def _record(
        self, kind: str, column: int, text: str, *, put_off: bool, full: bool = False
    ) -> bool:
        """Keep a failure in the place of the last of its kind; return whether it is news."""
        # Taken out first, so that the newest is the last of the dictionary, which `last` gives.
        before = self._failures.pop((kind, column), None)
        retry_at = time.monotonic() + _RETRY_SECONDS
        self._failures[kind, column] = Failure(text, retry_at, put_off, full)
        return (
            before is None or before.put_off is not put_off or not (put_off or before.text == text)
        )

    def met(self, damage: str) -> None:
        """Record damage that a read met: it stays until the collection is opened again."""
        self._failures["read", WHOLE] = Failure(damage, math.inf)

    def succeeded(self, kind: str, column: int) -> None:
        """Forget the failure there was."""
        self._failures.pop((kind, column), None)

    def retry_delay(self, kind: str, columns: Sequence[int] = (WHOLE,)) -> float:
        """Return in how many seconds the first of the columns may be tried, 0 for now."""
        now = time.monotonic()
        failures = (self._failures.get((kind, column)) for column in columns)
        return min(max(0.0, one.retry_at - now) if one else 0.0 for one in failures)

    def _ended(self, kind: str, column: int, text: str, error: Exception) -> None:
        if isinstance(error, SyncFailed):
            self._writer.store.poison(str(error))
        # What fails because it was told to end is no failure.
        if not self._is_stopped():
            what = str(error) if isinstance(error, PalimpsestError) else repr(error)
            if isinstance(error, NoRoom):
                self.delayed(kind, column, f"{text}: {what}")
            else:
                self.failed(kind, column, f"{text}: {what}", full=isinstance(error, StorageFull))
