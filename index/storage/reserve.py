"""Room kept on the disk for what frees room: deletes on a full disk need some themselves."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TypeAlias

from palimpsest.index.errors import StorageFull

# A deletion is a few pages of the log; what is large is cut into parts, each of which gives some
# back.
SIZE = 8 << 20  # bytes
_TIMES = 2  # that must be free before room is kept again
_EVERY = 1.0  # seconds between two attempts to keep room
_PATIENCE = 10.0  # seconds that giving room back waits for writes under way

# Held while something is written; raises StorageFull where it may not be.
Admitted: TypeAlias = Callable[[], AbstractContextManager[None]]


def anything() -> AbstractContextManager[None]:
    """Admit every write: of what frees room, or has no data directory."""
    return nullcontext()


class Reserve:
    """One file of a data directory, shared by its collections; any thread may call.

    While it is ``released`` only what frees room may be written, or others would take it at once.
    An empty file says so to the next process.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = threading.Condition()
        self._inside = 0  # writes under way that take room
        self._releasing = 0  # threads that wait for these: what they give back is not kept again
        size = _size(path)
        self._kept = size == SIZE
        # An empty file is what an earlier process left that had given the room back; no file at all
        # is a new directory, which nothing was taken from.
        self.released = size is not None and not self._kept
        self._next = time.monotonic() + _EVERY

    def release(self) -> bool:
        """Give the room back to the disk; tell whether there was any.

        Writes that take room and are under way end first; others are not admitted any more.
        """
        with self._changed:
            kept, self._kept = self._kept, False
            self.released = self.released or kept
            self._releasing += 1
            try:
                # A write that was admitted before would take the room that is given back, and the
                # deletion find none. It is not waited for without end: it may hang on a disk that
                # does not answer.
                self._changed.wait_for(lambda: self._inside == 0, _PATIENCE)
                with suppress(OSError), open(self._path, "r+b") as file:
                    file.truncate(0)
            finally:
                self._releasing -= 1
            return kept

    @contextmanager
    def admitted(self, path: Path) -> Iterator[None]:
        """Hold while something that frees no room is written.

        Args:
            path: what is written.

        Raises:
            StorageFull: the room was given to what frees some, and cannot be kept again yet.
        """
        if self.released:
            self.refill(at_once=True)
        with self._changed:
            if self.released:
                raise StorageFull(
                    f"No space left to write {path}: free some; deletes are carried out, by what "
                    "was kept for them"
                )
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def refill(self, *, at_once: bool = False) -> None:
        """Keep room again, where there is plenty; nothing is done most of the time."""
        if self._kept or not (at_once or time.monotonic() >= self._next):
            return
        with self._changed, suppress(OSError):
            if self._releasing:
                return
            self._next = time.monotonic() + _EVERY
            # What users without privileges may take (`f_bavail`), not all that is free.
            disk = os.statvfs(self._path.parent)
            if disk.f_bavail * disk.f_frsize >= _TIMES * SIZE:
                self._keep()

    def _keep(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            # Blocks that are really there: a sparse file of the same length would keep no room at
            # all.
            os.posix_fallocate(descriptor, 0, SIZE)
        except OSError:
            if self.released:
                os.ftruncate(descriptor, 0)
            else:
                self._path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        self._kept, self.released = True, False


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
