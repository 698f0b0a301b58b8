"""Room kept on the disk for what frees room: deletes on a full disk need some themselves."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

SIZE = 8 << 20  # bytes
_TIMES = 2  # that must be free before room is kept again
_EVERY = 1.0  # seconds between two attempts to keep room


class Reserve:
    """One file of a data directory, shared by its collections; any thread may call.

    While it is ``released`` only what frees room may be written, or others would take it at once.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._kept = path.exists()
        self.released = False
        self._next = time.monotonic() + _EVERY

    def release(self) -> bool:
        """Give the room back to the disk; tell whether there was any."""
        with self._lock:
            kept, self._kept = self._kept, False
            self.released = self.released or kept
            with suppress(OSError):
                with open(self._path, "r+b") as file:
                    file.truncate(0)
                self._path.unlink()
            return kept

    def refill(self, *, at_once: bool = False) -> None:
        """Keep room again, where there is plenty; nothing is done most of the time."""
        if self._kept or not (at_once or time.monotonic() >= self._next):
            return
        with self._lock:
            self._next = time.monotonic() + _EVERY
            with suppress(OSError):
                disk = os.statvfs(self._path.parent)
                if disk.f_bavail * disk.f_frsize >= _TIMES * SIZE:
                    self._keep()

    def _keep(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.posix_fallocate(descriptor, 0, SIZE)
        except OSError:
            self._path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        self._kept, self.released = True, False
