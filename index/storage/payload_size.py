"""The size of all payloads of a store, counted when it is asked for, but not too often.

A count reads the whole table of points, so it is repeated only after writes, and no sooner than
fifty times its own duration after the last: a writer near a limit then spends 2 % of its time on
it, and one of a small collection always gets the size as it is.
"""

from __future__ import annotations

import threading
import time

from palimpsest.index.storage.reader import Reader

_PAUSE = 50  # durations of a count, between counts
_SHORT = 0.001  # seconds; a count as short as that may be repeated at once


class PayloadSize:
    """One store's; any thread."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._lock = threading.Lock()
        self._seq = -1  # the last write counted
        self._bytes = 0
        self._due = 0.0

    def bytes(self, seq: int) -> int:
        """Return how many bytes all payloads take as JSON.

        Args:
            seq: of the last write.

        Raises:
            CollectionNotFound: the store was closed.
        """
        with self._lock:
            start = time.monotonic()
            if seq != self._seq and start >= self._due:
                self._bytes, self._seq = self._reader.payload_bytes(), seq
                stop = time.monotonic()
                self._due = stop + _PAUSE * max(0.0, stop - start - _SHORT)
            return self._bytes
