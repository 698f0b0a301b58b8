"""The store's table of superseded folders: those that may be deleted though no table lists them.

A folder is planned before it is written, and superseded from the commit on that takes its line out
of another table (by triggers, see ``index.storage.schema``). What is neither listed nor here is not
known to be useless, and never deleted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from palimpsest.index.storage.sums import Row, check_of, put_row


class SupersededTable:
    """Part of ``Store``: its methods belong to the writer thread, writes inside a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def names(self) -> set[str]:
        """Return the names of all; a row that is damaged is left out, so its folder is kept."""
        return {name for name, _ in self._whole()}

    def replaced(self) -> set[str]:
        """Return the names of those that were listed once."""
        return {name for name, planned in self._whole() if planned == 0}

    def _whole(self) -> list[Row]:
        check = check_of("superseded")
        rows = self._connection.execute("SELECT name, planned, checksum FROM superseded").fetchall()
        bad = {*check.bad(rows, [0, 1], 2)}
        return [row[:2] for place, row in enumerate(rows) if place not in bad]

    def plan(self, name: str) -> None:
        """Note a folder that is about to be written."""
        put_row(self._connection, "superseded", (name, 1))

    def forget(self, names: Iterable[str]) -> None:
        """Forget folders that are gone."""
        self._connection.executemany(
            "DELETE FROM superseded WHERE name = ?", ((name,) for name in names)
        )
