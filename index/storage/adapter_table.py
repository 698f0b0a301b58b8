"""The store's table of adapters: which folder holds the one between two versions."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from palimpsest.index.errors import Damaged
from palimpsest.index.storage.checked import damaged_row, is_summed, verified
from palimpsest.index.storage.sums import Check, Row, check_of, put_row

_NO_FOLDER = "none"


@dataclass(frozen=True, slots=True)
class AdapterEntry:
    """An adapter from the rows of one column to queries of another, by their numbers."""

    rows: int
    queries: int
    folder: str
    checksum: int


@dataclass(frozen=True, slots=True)
class BadAdapter:
    """A row that is not as it was written: what it says of its ends may be wrong."""

    ends: tuple[int, int] | None
    error: Damaged


class AdapterTable:
    """Part of ``Store``: its methods belong to the writer thread, writes inside a transaction."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    def entries(self) -> list[AdapterEntry]:
        """Return all adapters, in the order of their columns. Raises Damaged."""
        rows = verified(self._path, self._connection, "adapters", 'ORDER BY "rows", queries')
        return [AdapterEntry(*row) for row in rows]

    def parted(self) -> tuple[list[AdapterEntry], list[BadAdapter]]:
        """Return the adapters whose rows are as they were written, and the other rows."""
        check = check_of("adapters")
        rows = self._connection.execute(
            'SELECT "rows", queries, folder, crc32, checksum FROM adapters ORDER BY "rows", queries'
        ).fetchall()
        bad = {*check.bad(rows, [0, 1, 2, 3], 4, may_lack=not is_summed(self._connection))}
        whole = [AdapterEntry(*row[:4]) for place, row in enumerate(rows) if place not in bad]
        return whole, [self._bad(check, rows[place]) for place in sorted(bad)]

    def _bad(self, check: Check, row: Row) -> BadAdapter:
        are_numbers = all(isinstance(value, int) for value in row[:2])
        return BadAdapter(row[:2] if are_numbers else None, damaged_row(self._path, check, row))

    def put_anew(self, entries: Sequence[AdapterEntry]) -> None:
        """List these adapters, and no others, whatever the table says.

        Folders that it names are not superseded by that: one that is listed no more may be of use.
        """
        self._connection.execute("UPDATE adapters SET folder = ?", (_NO_FOLDER,))
        self._connection.execute("DELETE FROM adapters")
        self._connection.execute("DELETE FROM superseded WHERE name = ?", (_NO_FOLDER,))
        for entry in entries:
            self.put(entry)
        self._connection.execute("UPDATE position SET adapters_rows = ?", (len(entries),))

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
