"""The lock of a data directory: one process at a time serves it."""

from __future__ import annotations

import errno
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Literal, TypeAlias

from palimpsest.index.errors import DirectoryLocked

_REPAIR = b"repair"  # what the lock holds then
Holder: TypeAlias = Literal["server", "repair"]  # of the lock of a data directory


def lock_directory(path: Path, holder: Holder = "server") -> IO[bytes]:
    """Return the open lock of a data directory; closing it lets it go.

    Args:
        path: of the directory.
        holder: who holds it: told to whoever reads the lock meanwhile.

    Raises:
        DirectoryLocked: it is held.
    """
    lock: IO[bytes]
    try:
        # What a full disk does not take would wait in a buffer, and fail again at the close.
        lock = open(path / "lock", "ab", buffering=0)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES):
            raise
        lock = open(path / "lock", "rb")  # it can be read: then so can the collections
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise DirectoryLocked(path, repairing=is_for_repair(path)) from None
    _say(lock, _REPAIR if holder == "repair" else b"")
    return lock


def is_for_repair(path: Path) -> bool:
    """Tell whether who holds the lock of a data directory said that it repairs it."""
    with suppress(OSError):
        return (path / "lock").read_bytes() == _REPAIR
    return False


def _say(lock: IO[bytes], text: bytes) -> None:
    with suppress(OSError, ValueError):  # no room, or it is only read: then nobody is told
        lock.truncate(0)
        lock.write(text)


@contextmanager
def repairing(path: Path) -> Iterator[None]:
    """Hold the lock of a data directory, and say there that it is for a repair.

    Raises:
        DirectoryLocked: it is held.
    """
    with lock_directory(path, "repair") as lock:
        try:
            yield
        finally:
            _say(lock, b"")


@contextmanager
def looking(path: Path) -> Iterator[tuple[bool, bool]]:
    """Hold the lock of a data directory in common with others that look, so that no server starts.

    Yields:
        Whether a server or a repair holds it, which then goes on beside; and whether a repair does.
    """
    try:
        lock = open(path / "lock", "rb")
    except (FileNotFoundError, NotADirectoryError):
        yield False, False  # no server was ever here
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            yield True, is_for_repair(path)
            return
        yield False, False
