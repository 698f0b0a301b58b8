"""The store's tables of payload indexes: what is declared, what is on disk, what changed since."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from index.storage.checked import verified
from index.storage.sums import put_row
from index.types import Numbers


@dataclass(frozen=True, slots=True)
class FieldEntry:
    """A payload index: as declared, and the folder that holds it as of ``seq``, if any."""

    key: str
    declared: str
    folder: str | None
    checksum: int | None
    seq: int


class FieldTable:
    """Part of ``Store``: its methods belong to the writer thread, writes inside a transaction."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    def entries(self) -> list[FieldEntry]:
        """Return the payload indexes, in the order of their keys. Raises Damaged."""
        rows = verified(self._path, self._connection, "fields", "ORDER BY key")
        return [FieldEntry(*row) for row in rows]

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
