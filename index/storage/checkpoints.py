"""Moves the log of a store into the database, beside the writer.

What is in the database needs no log to be read back. SQLite does so itself when the log has grown
(see ``index.storage.store``); here it is done when it is worth more: after a seal, and once a
collection is idle, whose log then is emptied as well.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from palimpsest.index.storage.schema import store_errors
from palimpsest.index.storage.verify import log_of

_IDLE_SECONDS = 60.0  # without a write, before the log is emptied
_AGAIN_SECONDS = 30.0  # after a read was in the way


class Checkpoints:
    """Of one store. Any thread may ask; each move has a connection of its own and waits for none.

    Raises:
        StorageError: by ``move`` and ``trim``: the database could not be written; nothing is lost.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = log_of(path)
        self._not_before = 0.0

    def move(self) -> None:
        """Move what no read needs, and sync it; writes go on meanwhile."""
        self._run("PASSIVE")

    def trim_delay(self, quiet_since: float) -> float | None:
        """Return in how many seconds the log is to be emptied, 0 for now; None if it is empty.

        Args:
            quiet_since: when the last write was seen, by ``time.monotonic``.
        """
        try:
            if self._log.stat().st_size == 0:
                return None
        except OSError:
            return None
        return max(0.0, max(quiet_since + _IDLE_SECONDS, self._not_before) - time.monotonic())

    def trim(self) -> bool:
        """Move everything and empty the log; tell whether no read or write was in the way."""
        self.move()
        busy = self._run("TRUNCATE")
        if busy:
            self._not_before = time.monotonic() + _AGAIN_SECONDS
        return not busy

    def _run(self, how: str) -> bool:
        name = f"{self._path.absolute().as_uri()}?mode=rw"
        with (
            store_errors(self._path),
            closing(sqlite3.connect(name, uri=True, isolation_level=None, timeout=0)) as own,
        ):
            own.execute("PRAGMA synchronous = FULL")
            try:
                return bool(own.execute(f"PRAGMA wal_checkpoint({how})").fetchone()[0])
            except sqlite3.OperationalError as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                    return True
                raise
