"""Opens again what could not be opened for a cause that may pass: descriptors, memory, a disk.

What is damaged stays closed until the server is started again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from palimpsest.index.errors import (
    DiskFailed,
    NotPermitted,
    OutOfDescriptors,
    OutOfMemory,
    ReadOnlyDisk,
    StorageError,
)

PASSING = (OutOfDescriptors, OutOfMemory, DiskFailed, NotPermitted, ReadOnlyDisk)
_FIRST, _LONGEST = 1.0, 16.0  # seconds between tries, doubled after each


def may_pass(error: StorageError) -> bool:
    """Tell whether a cause may pass without the files being touched."""
    return isinstance(error, PASSING)


class Reopening:
    """One thread that tries, while there is something to try."""

    def __init__(self, closed: Callable[[], Iterable[str]], reopen: Callable[[str], None]) -> None:
        """Prepare it.

        Args:
            closed: gives the names that are worth a try.
            reopen: tries one; raises nothing.
        """
        self._closed = closed
        self._reopen = reopen
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reopening", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def want(self) -> None:
        """Say that there is something to try."""
        self._wanted.set()

    def stop(self) -> None:
        """End soon."""
        self._stopped.set()
        self._wanted.set()

    def _run(self) -> None:
        pause = _FIRST
        self._wanted.wait()
        # The pause comes first: who gave up just now would find the cause still there.
        while not self._stopped.wait(pause):
            self._wanted.clear()
            names = list(self._closed())
            for name in names:
                self._reopen(name)
            pause = min(2 * pause, _LONGEST) if names else _FIRST
            # They are tried until they are open, or dropped; nobody says so a second time.
            if names:
                self._wanted.set()
            self._wanted.wait()
