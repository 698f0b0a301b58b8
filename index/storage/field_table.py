"""The store's tables of payload indexes: what is declared, what is on disk, what changed since."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from palimpsest.index.errors import Damaged
from palimpsest.index.storage.checked import damaged_row, is_summed, verified
from palimpsest.index.storage.sums import check_of, put_row
from palimpsest.index.types import Numbers


@dataclass(frozen=True, slots=True)
class FieldEntry:
    """A payload index: as declared, and the folder that holds it as of ``seq``, if any."""

    key: str
    declared: str
    folder: str | None
    checksum: int | None
    seq: int


@dataclass(frozen=True, slots=True)
class BadField:
    """A row that is not as it was written: what it says may be wrong, and of any type."""

    key: object
    declared: object
    error: Damaged


class FieldTable:
    """Part of ``Store``: its methods belong to the writer thread, writes inside a transaction."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    def entries(self) -> list[FieldEntry]:
        """Return the payload indexes, in the order of their keys. Raises Damaged."""
        rows = verified(self._path, self._connection, "fields", "ORDER BY key")
        return [FieldEntry(*row) for row in rows]

    def parted(self) -> tuple[list[FieldEntry], list[BadField]]:
        """Return the payload indexes whose rows are as they were written, and the other rows."""
        check = check_of("fields")
        rows = self._connection.execute(
            "SELECT key, declared, folder, crc32, seq, checksum FROM fields ORDER BY key"
        ).fetchall()
        bad = {*check.bad(rows, [0, 1, 2, 3, 4], 5, may_lack=not is_summed(self._connection))}
        whole = [FieldEntry(*row[:5]) for place, row in enumerate(rows) if place not in bad]
        wrong = [rows[place] for place in sorted(bad)]
        return whole, [
            BadField(row[0], row[1], damaged_row(self._path, check, row)) for row in wrong
        ]

    def put_anew(self, entries: Sequence[FieldEntry]) -> None:
        """List these payload indexes, and no others, whatever the table says.

        Folders that it names are not superseded by that.
        """
        self._connection.execute("UPDATE fields SET folder = NULL")
        self._connection.execute("DELETE FROM fields")
        for entry in entries:
            self.put(entry)
        self._connection.execute("UPDATE position SET fields_rows = ?", (len(entries),))

    def touched(self) -> list[tuple[int, Numbers]]:
        """Return seqs, and the numbers of the points whose payload they changed. Raises Damaged."""
        rows = verified(self._path, self._connection, "touched", "ORDER BY seq")
        return [(seq, np.frombuffer(numbers, dtype=np.uint32)) for seq, numbers in rows]

    def count_touched(self) -> int:
        """Return about how many points that is; nothing is verified."""
        (nbytes,) = self._connection.execute(
            "SELECT total(length(numbers)) FROM touched"
        ).fetchone()
        return int(nbytes) // 4

    def forget_all_touched(self) -> None:
        """Forget what was touched, and with it the folders that lack it."""
        for entry in self.entries():
            self.put(replace(entry, folder=None, checksum=None, seq=0))
        self._connection.execute("DELETE FROM touched")

    def touch(self, seq: int, numbers: Numbers) -> None:
        """Record whose payload a write changed."""
        put_row(self._connection, "touched", (seq, numbers.tobytes()))

    def forget_touched(self, seq: int) -> None:
        """Forget what writes up to the seq touched."""
        self._connection.execute("DELETE FROM touched WHERE seq <= ?", (seq,))

    def put(self, entry: FieldEntry) -> None:
        """Declare a payload index, or name the folder it was written to."""
        row = (entry.key, entry.declared, entry.folder, entry.checksum, entry.seq)
        put_row(self._connection, "fields", row)

    def remove(self, key: str) -> None:
        """Forget a payload index."""
        self._connection.execute("DELETE FROM fields WHERE key = ?", (key,))
