"""What the operating system says no to, as errors: one table of causes and remedies.

Damage is said of bytes that were read and are wrong, or of a file that is not there; never of one
that could not be read.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from palimpsest.index.errors import (
    Damaged,
    DiskFailed,
    NotPermitted,
    OutOfDescriptors,
    OutOfMemory,
    ReadOnlyDisk,
    StorageError,
    StorageFull,
    StoreFailed,
    SyncFailed,
)
from palimpsest.index.storage.syncing import Unsynced, has_no_room, is_unsynced

_DESCRIPTORS = (
    OutOfDescriptors,
    "close connections, or raise the limit of open files (ulimit -n); it is tried again",
)
_MEMORY = (OutOfMemory, "give the server more memory, or ask for less at once; it is tried again")
_DISK = (DiskFailed, "look at the disk and the kernel's log; the files may be whole")
_RIGHTS = (NotPermitted, "let the server's user read and write the data folder")
_READ_ONLY = (ReadOnlyDisk, "mount the file system for writing; reads go on")
_FULL = (StorageFull, "free some, the server goes on")

BY_NUMBER: dict[int, tuple[type[StorageError], str]] = {
    errno.EMFILE: _DESCRIPTORS,
    errno.ENFILE: _DESCRIPTORS,
    errno.ENOMEM: _MEMORY,
    errno.EIO: _DISK,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: _READ_ONLY,
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
}
# Those of SQLite that say as much themselves; of the others the operating system is asked.
BY_CODE: dict[int, tuple[type[StorageError], str]] = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR_SHMSIZE: _FULL,
    sqlite3.SQLITE_NOMEM: _MEMORY,
    sqlite3.SQLITE_IOERR_NOMEM: _MEMORY,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _RIGHTS,
}
_ASKED = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR)
_NEEDED = 3  # descriptors of a connection: the database, its log, the index of that
_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)  # what stands there is no such file


@contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Turn what the operating system raises into the error of its cause."""
    try:
        yield
    except OSError as error:
        raise of_system(error, what) from error


def of_system(error: OSError, what: str) -> StorageError:
    """Return the error for what kept the server from doing something."""
    known = BY_NUMBER.get(error.errno or 0)
    if isinstance(error, Unsynced):
        return SyncFailed(f"Could not {what}: the sync failed: {error.strerror}")
    if known is None:
        return StoreFailed(f"Could not {what}: {error}")
    kind, remedy = known
    if kind is StorageFull:
        return StorageFull(f"No space left to {what}: {remedy}")
    return kind(f"Could not {what}: {error.strerror}; {remedy}")


def unreadable(path: Path, error: OSError) -> StorageError:
    """Return the error for a file that could not be read: damage only if there is no such file."""
    if error.errno in _MISSING:
        return Damaged(path, "a file", error.strerror, "file")
    return of_system(error, f"read {path}")


def of_sqlite(path: Path, error: sqlite3.Error) -> StorageError | None:
    """Return the error for what SQLite could not do; None where its cause is another."""
    extended = getattr(error, "sqlite_errorcode", 0)
    known = BY_CODE.get(extended) or BY_CODE.get(extended & 0xFF)
    what = f"read or write {path}"
    if extended & 0xFF == sqlite3.SQLITE_IOERR and known is None and has_no_room(path.parent):
        known = _FULL
    if known is not None:
        kind, remedy = known
        if kind is StorageFull:
            return StorageFull(f"No space left to write {path}: {remedy}")
        return kind(f"Could not {what}: {error}; {remedy}")
    if is_unsynced(error):
        return SyncFailed(f"A sync of {path} failed: what was written may not be on the disk")
    if extended & 0xFF in _ASKED:
        return _asked(path, what, extended & 0xFF == sqlite3.SQLITE_IOERR)
    return None


def _asked(path: Path, what: str, failed: bool) -> StorageError | None:
    """Return why a file cannot be opened or read now, as the system has it; None if it can.

    Not by opening the file itself: closing it again would take SQLite's locks on it away.

    Args:
        path: of the file.
        what: could not be done to it.
        failed: whether it was opened, but could not be read or written.
    """
    held: list[int] = []
    try:
        for _ in range(_NEEDED):
            held.append(os.open(path.parent, os.O_RDONLY))
        if not os.access(path, os.R_OK | os.W_OK):
            read_only = os.statvfs(path).f_flag & os.ST_RDONLY
            number = errno.EROFS if read_only else errno.EACCES
            return of_system(OSError(number, os.strerror(number)), what)
    except OSError as error:
        return of_system(error, what)
    finally:
        for descriptor in held:
            os.close(descriptor)
    number = errno.EIO
    return of_system(OSError(number, os.strerror(number)), what) if failed else None
