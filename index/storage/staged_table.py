"""The store's tables of rows that are not in a segment yet."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from palimpsest.index.errors import Damaged
from palimpsest.index.storage.checked import require_sums, verified
from palimpsest.index.storage.entries import StagedRows
from palimpsest.index.storage.ids import ids_from_bytes, ids_to_bytes
from palimpsest.index.storage.sums import check_of, long_sum, put_row

_PURGED_ENTRIES = 128  # staged entries looked at by one purge
_SEALED_ENTRIES = (
    "SELECT s.slot, length(s.value) FROM staged s JOIN sealed USING (vector)"
    f" WHERE s.slot <= sealed.slot ORDER BY s.slot LIMIT {_PURGED_ENTRIES}"
)


class StagedTable:
    """Rows in the order they were written, and up to where each vector's have been sealed."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    def rows(self, first_slot: int = 0) -> Iterator[StagedRows]:
        """Yield staged rows from a slot on, in the order they were written. Raises Damaged."""
        check, sealed = check_of("staged"), self.sealed()
        names = ", ".join((*check.columns, check.stored))
        statement = f"SELECT {names}, ids, value FROM staged WHERE slot >= ? ORDER BY slot"
        rows = self._connection.execute(statement, (first_slot,))
        for row in rows:
            require_sums(self._path, self._connection, check, [row])
            first, vector, n, seq, checksum, numbers, _, ids, value = row
            # They are in a segment, and only wait to be deleted.
            if first <= sealed.get(vector, 0):
                continue
            # Beside the checksum of the row: ids and vectors are megabytes, and are summed by
            # native code.
            found = long_sum([ids, value])
            if found != checksum:
                what = f"checksum of staged rows at slot {first}"
                raise Damaged(self._path, checksum, found, what)
            own = np.frombuffer(numbers, dtype=np.uint32)
            yield StagedRows(vector, first, seq, ids_from_bytes(ids, n), own, value)

    def sealed(self) -> dict[int, int]:
        """Return per vector number the last slot that has left the staged rows. Raises Damaged."""
        return {vector: slot for vector, slot in verified(self._path, self._connection, "sealed")}

    def add(self, rows: StagedRows) -> None:
        """Keep rows until they are sealed."""
        ids = ids_to_bytes(rows.ids)
        row = (
            rows.first,
            rows.vector,
            len(rows.numbers),
            rows.seq,
            long_sum([ids, rows.value]),
            rows.numbers.tobytes(),
        )
        self._connection.execute(
            "INSERT INTO staged (slot, vector, n, seq, crc32, numbers, checksum, ids, value)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, check_of("staged").sum(row), ids, rows.value),
        )

    def mark_sealed(self, vector: int, slot: int) -> None:
        """Record that staged rows of the vector up to the slot are in segments, or dead."""
        put_row(self._connection, "sealed", (vector, slot))

    def has_sealed(self) -> bool:
        """Tell whether an entry of the staged rows can be deleted."""
        found = self._connection.execute(f"SELECT EXISTS ({_SEALED_ENTRIES})")
        return bool(found.fetchone()[0])

    def purge(self, nbytes: int) -> bool:
        """Delete sealed entries of the staged rows; tell whether more may be left.

        Args:
            nbytes: stop after about that much, so that writes need not wait long.

        Raises:
            Damaged: some are listed that are not there.
        """
        entries = self._connection.execute(_SEALED_ENTRIES).fetchall()
        total, purged = 0, []
        for slot, length in entries:
            if total >= nbytes:
                break
            total += length
            purged.append((slot,))
        deleted = self._connection.executemany("DELETE FROM staged WHERE slot = ?", purged).rowcount
        if deleted < len(purged):  # or it would be asked for the same ones again and again
            what = "staged rows that can be deleted"
            raise Damaged(self._path, len(purged), deleted, what)
        return len(purged) < len(entries) or len(entries) == _PURGED_ENTRIES
