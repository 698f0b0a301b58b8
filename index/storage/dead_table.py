"""The store's table of dead slots: rows that a delete or a later write took away."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from palimpsest.index.errors import Damaged
from palimpsest.index.storage.checked import verified
from palimpsest.index.storage.sums import Row, check_of
from palimpsest.index.types import Slots


class DeadTable:
    """Dead slots, and their number beside them."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    def slots(self, since: int = -1) -> Slots:
        """Return the slots (m,), ascending, that died by writes after ``since``. Raises Damaged."""
        # all are read and verified: a damaged seq must not hide its row
        rows = verified(self._path, self._connection, "dead", "ORDER BY slot")
        slots = np.array([slot for slot, seq in rows if seq > since], dtype=np.uint64)
        if (slots[1:] <= slots[:-1]).any():
            raise Damaged(self._path, "each slot once", "some twice", "dead slots")
        return slots

    def whole(self) -> Slots:
        """Return the slots (m,), in no order, of the rows that are as they were written."""
        rows = self._connection.execute("SELECT slot, seq, checksum FROM dead").fetchall()
        bad = {*check_of("dead").bad(rows, [0, 1], 2)}
        kept = [row[0] for place, row in enumerate(rows) if place not in bad]
        return np.array(kept, dtype=np.uint64)

    def put_anew(self, slots: Slots, seq: int) -> None:
        """Record these slots as dead by a write, and no others, whatever the table says."""
        self._connection.execute("DELETE FROM dead")
        self._connection.execute("UPDATE position SET dead_rows = 0")
        self.bury(slots, seq)

    def bury(self, slots: Slots, seq: int) -> None:
        """Record that slots died by a write; those that are dead stay as they are."""
        own, seqs = slots.tolist(), [seq] * len(slots)
        self._change(
            "INSERT OR IGNORE INTO dead (slot, seq, checksum) VALUES (?, ?, ?)",
            zip(own, seqs, check_of("dead").sums_of(own, seqs), strict=True),
            1,
        )

    def unbury(self, slots: Slots) -> None:
        """Forget dead slots whose rows are in no file any more."""
        rows = ((slot,) for slot in slots.tolist())
        self._change("DELETE FROM dead WHERE slot = ?", rows, -1)

    def _change(self, statement: str, rows: Iterable[Row], sign: int) -> None:
        """Carry a statement out for each row, and count rows: a trigger would for each by itself.

        Stores made before have such triggers, which come to the same number.
        """
        (before,) = self._connection.execute("SELECT dead_rows FROM position").fetchone()
        changed = self._connection.executemany(statement, rows).rowcount
        self._connection.execute("UPDATE position SET dead_rows = ?", (before + sign * changed,))
