"""The store's table of superseded folders: those that may be deleted though no table lists them.

A folder is planned before it is written, and superseded from the commit on that takes its line out
of another table (by triggers, see ``index.storage.schema``). What is neither listed nor here is not
known to be useless, and never deleted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable


class SupersededTable:
    """Part of ``Store``: its methods belong to the writer thread, writes inside a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def names(self) -> set[str]:
        """Return the names of all."""
        return {name for (name,) in self._connection.execute("SELECT name FROM superseded")}

    def replaced(self) -> set[str]:
        """Return the names of those that were listed once."""
        rows = self._connection.execute("SELECT name FROM superseded WHERE planned = 0")
        return {name for (name,) in rows}

    def plan(self, name: str) -> None:
        """Note a folder that is about to be written."""
        self._connection.execute("INSERT INTO superseded VALUES (?, 1)", (name,))

    def forget(self, names: Iterable[str]) -> None:
        """Forget folders that are gone."""
        self._connection.executemany(
            "DELETE FROM superseded WHERE name = ?", ((name,) for name in names)
        )
