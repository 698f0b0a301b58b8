"""The store's table of adapters: which folder holds the one between two versions."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from index.storage.checked import verified
from index.storage.sums import put_row


@dataclass(frozen=True, slots=True)
class AdapterEntry:
    """An adapter from the rows of one column to queries of another, by their numbers."""

    rows: int
    queries: int
    folder: str
    checksum: int


class AdapterTable:
    """Part of ``Store``: its methods belong to the writer thread, writes inside a transaction."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    def entries(self) -> list[AdapterEntry]:
        """Return all adapters, in the order of their columns. Raises Damaged."""
        rows = verified(self._path, self._connection, "adapters", 'ORDER BY "rows", queries')
        return [AdapterEntry(*row) for row in rows]

    def put(self, entry: AdapterEntry) -> None:
        """Name the folder of an adapter, in place of the one before."""
        row = (entry.rows, entry.queries, entry.folder, entry.checksum)
        put_row(self._connection, "adapters", row)

    def remove(self, rows: int, queries: int) -> None:
        """Forget an adapter."""
        self._connection.execute(
            'DELETE FROM adapters WHERE "rows" = ? AND queries = ?', (rows, queries)
        )

    def remove_column(self, number: int) -> None:
        """Forget the adapters from and to a column."""
        self._connection.execute(
            'DELETE FROM adapters WHERE "rows" = ? OR queries = ?', (number, number)
        )
