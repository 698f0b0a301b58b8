"""A copy of a store as of one commit, whole in one file, made while others write.

SQLite's backup copies pages inside the reader's own transaction: no write waits for it, and none
makes it begin again. ``VACUUM INTO`` cannot run inside a transaction, so that it could not be told
which commit it saw. It is run on the copy, where much of that is free pages.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from palimpsest.index.snapshots.archive import GoOn
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.schema import store_errors
from palimpsest.index.storage.syncing import sync_file

_PAGES = 256  # copied without a sign of life
_FREE = 8  # one page in so many may be free


def copy_store(
    connection: sqlite3.Connection, folder: Local, name: str, go_on: GoOn = lambda _: None
) -> None:
    """Write what a connection reads into a new file; not synced.

    Args:
        connection: inside a transaction.
        folder: of the copy.
        name: of the file.
        go_on: told of bytes that were copied, after every ``_PAGES`` pages.

    Raises:
        StorageError: it could not be read or written.
    """
    path = folder.path / name
    with store_errors(path):
        with closing(_unsynced(path)) as copy:
            (page,) = connection.execute("PRAGMA page_size").fetchone()
            before = 0

            def copied(_: int, remaining: int, total: int) -> None:
                nonlocal before
                # Bit by bit: a commit that is synced meanwhile would have to wait until all of this
                # is on the disk, as file systems keep the order of what they allocate.
                sync_file(path)
                done, before = (total - remaining) - before, total - remaining
                go_on(done * page)

            connection.backup(copy, pages=_PAGES, progress=copied)
            _forget_statistics(copy)
            (pages,) = copy.execute("PRAGMA page_count").fetchone()
            (free,) = copy.execute("PRAGMA freelist_count").fetchone()
        if free * _FREE > pages:
            _compact(folder, name)
        with closing(_unsynced(path)) as copy:
            # it is what a store's header says: a copy without is one that rolls back
            copy.execute("PRAGMA journal_mode = WAL")


def _unsynced(path: Path) -> sqlite3.Connection:
    """Open a copy that nobody needs after a crash."""
    copy = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    copy.execute("PRAGMA synchronous = OFF")
    return copy


def _forget_statistics(copy: sqlite3.Connection) -> None:
    """Drop what someone may have had SQLite gather by hand: no part of a store's schema."""
    found = copy.execute("SELECT name FROM sqlite_master WHERE name GLOB 'sqlite_stat*'")
    for (name,) in found.fetchall():
        copy.execute(f"DROP TABLE {name}")


def _compact(folder: Local, name: str) -> None:
    whole = f"{name}.whole"
    with closing(_unsynced(folder.path / name)) as copy:
        copy.execute("VACUUM INTO ?", (str(folder.path / whole),))
    folder.remove(name)
    folder.rename(whole, folder, name)
