"""Writes a store anew without its free pages, while nobody else has it open.

So a store that was made before stores gave pages back (``index.storage.vacuum``) comes to do so.
The new file is written and synced beside the old one, compared with it row by row, and takes its
place by one rename: a kill leaves one of both, whole, and at most a file that the next compaction,
or opening, removes.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from palimpsest.index.errors import Damaged, StorageFull, StoreFailed
from palimpsest.index.storage.causes import disk_errors
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.schema import connect_frozen, store_errors
from palimpsest.index.storage.store import Store
from palimpsest.index.storage.syncing import sync_file
from palimpsest.index.storage.unfinished import require_restored
from palimpsest.index.storage.vacuum import Pages, gives_back
from palimpsest.index.storage.verify import log_of

SUFFIX = ".compact"  # of the new file until it takes the place of the old one
_BESIDE = ("", "-wal", "-shm", "-journal")
_MARGIN = 16 << 20  # bytes that are to be free beside what is written
_WORTH = 1 << 20  # bytes of free pages, below which a store that gives them back is left alone
_PIECE = 1_000  # rows compared at once


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a store took before and takes now, in bytes."""

    before: int
    after: int


def compact(path: Path) -> Compacted | None:
    """Write a store anew, where that gives anything back; return None where it was left alone.

    Raises:
        Damaged: it is not what was written, or the new one would not be; the old one stays.
        StorageFull: there is no room for the new one beside the old one.
        StoreFailed: something has it open.
        StorageError: one of its other subclasses.
    """
    require_restored(path.parent)
    remove_unfinished(path)
    pages, is_new = _at_rest(path)
    if is_new and pages.free_bytes <= _WORTH:
        return None
    with disk_errors(f"write {path}"):
        _require_room(path, pages)
        before = path.stat().st_size
        unfinished = path.with_name(path.name + SUFFIX)
        try:
            _write(path, unfinished)
            _require_same(path, unfinished)
            sync_file(unfinished)
            # Frames of the old file's log would be taken for the new one's.
            _require_no_log(path)
            folder = Local(path.parent)
            folder.rename(unfinished.name, folder, path.name)
            folder.sync()
        finally:
            remove_unfinished(path)
    Store.open(path).close()  # as a server will
    return Compacted(before, path.stat().st_size)


def remove_unfinished(path: Path) -> None:
    """Remove what a compaction of a store left that was cut off."""
    for name in _BESIDE:
        Local(path.parent).remove(f"{path.name}{SUFFIX}{name}")


def _at_rest(path: Path) -> tuple[Pages, bool]:
    """Bring a store to the newest format, and its log into it; return its pages.

    Also return whether it gives them back by itself.
    """
    store = Store.open(path)
    try:
        pages, is_new = store.pages, store.gives_back
        if not store.rest():
            raise StoreFailed(_IN_USE.format(path=path))
    finally:
        if store.is_awake:
            store.close()
    _require_no_log(path)
    return pages, is_new


_IN_USE = "{path} is read by something else: end it, and compact again"


def _require_no_log(path: Path) -> None:
    if log_of(path).exists():
        raise StoreFailed(_IN_USE.format(path=path))


def _require_room(path: Path, pages: Pages) -> None:
    disk = os.statvfs(path.parent)
    needed, free = pages.used_bytes + _MARGIN, disk.f_bavail * disk.f_frsize
    if free < needed:
        raise StorageFull(
            f"No space left to write {path} anew beside itself: {needed} bytes are needed, {free} "
            "are free; nothing was changed"
        )


def _write(path: Path, unfinished: Path) -> None:
    # Frozen: nothing of the old file can be changed by it, whatever happens.
    with store_errors(path), closing(connect_frozen(path)) as old:
        if not gives_back(old):  # else the new file is as the old one, which cannot be set
            old.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of the file that is written
        old.execute("VACUUM INTO ?", (str(unfinished),))
    with (
        store_errors(unfinished),
        closing(sqlite3.connect(unfinished, isolation_level=None)) as new,
    ):
        new.execute("PRAGMA journal_mode = WAL")


def _require_same(path: Path, unfinished: Path) -> None:
    """Require that a file holds what a store does. Raises Damaged."""
    with (
        store_errors(path),
        closing(connect_frozen(path)) as old,
        closing(connect_frozen(unfinished)) as new,
    ):
        found = new.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if found != "ok" or not gives_back(new):
            raise Damaged(unfinished, "a store as it is written", found, "file")
        of_tables = "SELECT name, sql FROM sqlite_master ORDER BY type, name"
        tables = old.execute(of_tables).fetchall()
        if new.execute(of_tables).fetchall() != tables:
            raise Damaged(unfinished, "the tables of the store", "others", "schema")
        for (name,) in old.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        ).fetchall():
            if not _are_same(old.execute(_ALL.format(name)), new.execute(_ALL.format(name))):
                raise Damaged(unfinished, "the rows of the store", "others", f"table {name}")


_ALL = 'SELECT * FROM "{}"'  # in the order of their keys, or as they came: both files alike


def _are_same(one: sqlite3.Cursor, other: sqlite3.Cursor) -> bool:
    while rows := one.fetchmany(_PIECE):
        if other.fetchmany(_PIECE) != rows:
            return False
    return not other.fetchmany(1)
