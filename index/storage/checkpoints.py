"""Moves the log of a store into the database, beside the writer.

What is in the database needs no log to be read back. SQLite does so itself when the log has grown
(see ``index.storage.store``); here it is done when it is worth more: after a seal, and before a
store is put to rest, whose log then is emptied as well.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from palimpsest.index.storage.schema import store_errors


class Checkpoints:
    """Of one store. Any thread may ask; each move has a connection of its own and waits for none.

    Raises:
        StorageError: by ``move`` and ``trim``: the database could not be written; nothing is lost.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def move(self) -> None:
        """Move what no read needs, and sync it; writes go on meanwhile."""
        self._run("PASSIVE")

    def trim(self) -> bool:
        """Move everything and empty the log; tell whether no read or write was in the way."""
        # First what can be moved beside reads and writes: emptying the log then holds the lock for
        # little.
        self.move()
        return not self._run("TRUNCATE")

    def _run(self, how: str) -> bool:
        name = f"{self._path.absolute().as_uri()}?mode=rw"
        with (
            store_errors(self._path),
            # Of its own, and without patience: whoever waits for a checkpoint would hold up a
            # commit.
            closing(sqlite3.connect(name, uri=True, isolation_level=None, timeout=0)) as own,
        ):
            own.execute("PRAGMA synchronous = FULL")
            try:
                return bool(own.execute(f"PRAGMA wal_checkpoint({how})").fetchone()[0])
            except sqlite3.OperationalError as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                    return True
                raise
