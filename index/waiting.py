"""Waiting for a stored write to be applied: with an end, and not at all where that was asked.

The store is ahead of the view by the writes that are being applied. Reads that meet one wait for
the view to catch up, each time with the same patience: whatever lies on disk, a read ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from palimpsest.index.errors import StorageError
from palimpsest.index.stops import check_stop

WAIT_SECONDS = 10.0  # for the writes of one transaction; the longest takes a few seconds
_PAUSE = 0.0005  # between two looks, seconds
_TRIES = 4  # answers, from which points that are written over and over may be missing
_here = threading.local()

T = TypeVar("T")


class NotYetApplied(StorageError):
    """A stored write is still being applied, and the caller did not wait: now, or any longer."""


@contextmanager
def at_once() -> Iterator[None]:
    """Let reads of this thread raise NotYetApplied where they would wait for a write."""
    _here.at_once = True
    try:
        yield
    finally:
        _here.at_once = False


def require_patience(what: str) -> None:
    """Raise NotYetApplied within ``at_once``, for what takes longer than a moment."""
    if getattr(_here, "at_once", False):
        raise NotYetApplied(f"{what}, try again")


def consistent(read: Callable[[], T], is_whole: Callable[[T], bool], store: Path) -> T:
    """Return what a read of the newest state answers; it is run again where writes came between.

    Args:
        read: takes the state anew each time it is run.
        is_whole: tells whether points that were written meanwhile are not missing in an answer.
        store: what is read.

    Raises:
        NotYetApplied: what it needs was not applied for seconds.
    """
    patience, tries = Patience(store), 0
    while True:
        try:
            found = read()
        except NotYetApplied:
            patience.wait()
            continue
        tries += 1
        if tries == _TRIES or is_whole(found):
            return found
        patience.wait()


class Patience:
    """That of one read: waits again and again, ``seconds`` at most since the first time."""

    def __init__(self, store: Path, seconds: float = WAIT_SECONDS) -> None:
        self._store = store
        self._seconds = seconds
        self._until: float | None = None

    def wait(self) -> None:
        """Sleep a moment.

        Raises:
            NotYetApplied: it is over, or the caller is within ``at_once``.
            Stopped: nobody waits for the answer.
        """
        check_stop()
        if getattr(_here, "at_once", False):
            raise NotYetApplied(f"{self._store}: a write is being applied, try again")
        now = time.monotonic()
        if self._until is None:
            self._until = now + self._seconds
        if now >= self._until:
            raise NotYetApplied(
                f"{self._store}: a stored write was not applied within {self._seconds:g} s: try "
                "again, and restart the server if that goes on"
            )
        time.sleep(_PAUSE)
