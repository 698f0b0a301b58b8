"""A snapshot that comes from elsewhere, while it is written to the disk: never trusted, never kept.

It lies in ``unfinished/`` until it was restored or refused, and what a kill left of it goes at the
next start.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from palimpsest.index.errors import StoreFailed
from palimpsest.index.storage.causes import disk_errors
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.reserve import Admitted


class Incoming:
    """One file, of one writer at a time; a context that closes it.

    ``wake`` is called, in another thread, when no more of it is wanted: it ends a wait for more.
    """

    def __init__(self, path: Path, admitted: Admitted) -> None:
        self.path, self.nbytes = path, 0
        self.wake: Callable[[], None] = lambda: None
        self._admitted, self._stopped = admitted, False
        with disk_errors(f"write {path}"):
            self._file = Local(path.parent).begin(path.name)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append some bytes. Raises StorageError."""
        self.require_wanted()
        left = memoryview(data)
        with disk_errors(f"write {self.path}"), self._admitted():
            while left:
                left = left[self._file.write(left) :]
        self.nbytes += len(data)

    def stop(self) -> None:
        """Take no more; whoever waits for it is woken. Any thread may call."""
        self._stopped = True
        self.wake()

    def require_wanted(self) -> None:
        """Raise StoreFailed once it was stopped."""
        if self._stopped:
            raise StoreFailed("The server is being stopped: the snapshot was given up")

    def close(self) -> None:
        """Close it; what was written can be read."""
        self._file.close()

    def __enter__(self) -> Incoming:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
