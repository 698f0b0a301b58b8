"""Syncs that fail, and how to tell from their errors what is the matter.

After a failed sync the system may drop what was written, and let the next sync succeed.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import uuid
from contextlib import suppress
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)
_UNSYNCED = (sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC)
_PROBE = 64 << 10  # bytes


class Unsynced(OSError):
    """A sync failed, though there is room."""


def sync(descriptor: int) -> None:
    """Sync an open file or folder. Raises Unsynced, or OSError where there is no room."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in FULL:
            raise
        raise Unsynced(error.errno, error.strerror) from error


def sync_file(path: Path) -> None:
    """Sync what was written to a file that nobody has open. Raises as ``sync``."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def is_unsynced(error: BaseException | None) -> bool:
    """Tell whether SQLite could not sync what it wrote."""
    return getattr(error, "sqlite_errorcode", 0) in _UNSYNCED


def has_no_room(folder: Path) -> bool:
    """Tell whether the disk of a folder, or what may be taken of it, is used up: by writing."""
    probe = folder / f"{uuid.uuid4().hex}.probe"
    try:
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            written = os.write(descriptor, bytes(_PROBE))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        return error.errno in FULL
    finally:
        with suppress(OSError):
            probe.unlink()
    return written < _PROBE
