"""Gives the disk back what a store holds of free pages, in steps that no write waits for long.

Sealing leaves the pages of rows to the store, deleting those of payloads. What comes next is
written there again, so while rows come in as many may be free as are used. Once none come all but a
few are given back.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from palimpsest.index.storage.checkpoints import Checkpoints
from palimpsest.index.storage.vacuum import Step
from palimpsest.index.write.writer import Writer

# Of a transaction of the writer's thread, which a write may wait for. What is synced at its end
# grows with the pages: 300 of them take three times the sync of one point, 64 hardly more than it.
STEP = Step(0.001, 64)
_PAUSES = 4  # times as long as a step took, until the next one while writes come
_TURN_SECONDS = 0.5  # before other work has its turn
_QUIET_SECONDS = 2.0  # without a write
_LEAST = 1 << 20  # bytes that may stay free
_MOST_SHARE = 32  # or one part in this of what is used, if that is more
_LEAST_BUSY = 64 << 20  # the same while writes come: about what rows take until they are sealed


class Vacuuming:
    """Of one collection; belongs to one thread of the upkeep."""

    def __init__(self, writer: Writer, is_stopped: Callable[[], bool]) -> None:
        self._writer = writer
        self._is_stopped = is_stopped
        self._checkpoints = Checkpoints(writer.store.path)
        self._seq, self._quiet_since = writer.view.seq, time.monotonic()

    def delay(self) -> float | None:
        """Return in how many seconds pages are to be given back, 0 for now; None for no need."""
        store = self._writer.store
        if not store.gives_back or store.read_only or store.unsynced is not None:
            return None
        pages = store.pages
        if pages.free_bytes > max(_LEAST_BUSY, pages.used_bytes):
            return 0.0
        if pages.free_bytes <= self._spare():
            return None
        return max(0.0, self._note_writes() + _QUIET_SECONDS - time.monotonic())

    def vacuum(self) -> None:
        """Give pages back for a while, and shorten the file.

        Raises:
            StorageError: pages are damaged, or something could not be written.
        """
        until = time.monotonic() + _TURN_SECONDS
        leave = self._spare() // 2 // self._writer.store.pages.size
        while self._writer.store.pages.free > leave and not self._is_stopped():
            began = time.monotonic()
            self._writer.call(lambda: self._writer.store.vacuum_some(leave, STEP)).result()
            ended = time.monotonic()
            if ended >= until:
                break
            if self._note_writes() > began - _QUIET_SECONDS:
                time.sleep(min(_PAUSES * (ended - began), until - ended))
        self._checkpoints.trim()

    def _spare(self) -> int:
        """Return the bytes that may stay free while nothing is written."""
        return max(_LEAST, self._writer.store.pages.used_bytes // _MOST_SHARE)

    def _note_writes(self) -> float:
        """Return since when nothing was written."""
        seq = self._writer.view.seq
        if seq != self._seq:
            self._seq, self._quiet_since = seq, time.monotonic()
        return self._quiet_since
