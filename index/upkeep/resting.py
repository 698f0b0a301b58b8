"""Lets a collection that nobody uses hold nothing open: no thread, no connection, no descriptor.

Its view stays in memory, so searches that read no payload need not wake it. The writer's thread
ends by itself (``index.write.writer``); the next read or write opens the files again.
"""

from __future__ import annotations

import time

from palimpsest.index.storage.reader import Reader
from palimpsest.index.write.writer import Writer

# Whoever uses a collection steadily never pays for opening it again.
_IDLE_SECONDS = 10.0  # without a read or a write of files
_AGAIN_SECONDS = 30.0  # after a read was in the way


class Resting:
    """Of one collection; belongs to one thread of the upkeep."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer, self._reader = writer, reader
        self._used = self._uses()
        self._not_before = time.monotonic() + _IDLE_SECONDS

    def delay(self) -> float | None:
        """Return in how many seconds it may rest, 0 for now; None while it does."""
        store = self._writer.store
        # A store whose sync failed stays open: what its log holds may not be on the disk, and
        # moving it into the database would pass over that.
        if store.unsynced is not None or not (store.is_awake or self._reader.is_open):
            return None
        used = self._uses()
        if used != self._used:
            self._used, self._not_before = used, time.monotonic() + _IDLE_SECONDS
        return max(0.0, self._not_before - time.monotonic())

    def rest(self) -> None:
        """Close what is open, or try again later. Raises StorageError: the log cannot be moved."""
        self._not_before = time.monotonic() + _AGAIN_SECONDS
        if self._writer.store.is_awake:
            self._writer.call(self._close).result()
        else:
            self._reader.rest()
        self._used = self._uses()

    def _close(self) -> bool:
        """Close everything, readers first: who comes last deletes the log; a job."""
        return self._reader.rest() and self._writer.store.rest()

    def _uses(self) -> int:
        return self._writer.served + self._reader.reads
