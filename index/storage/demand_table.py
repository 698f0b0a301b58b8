"""The store's table of demand: how often points were answers, by the column of the queries."""

from __future__ import annotations

import sqlite3

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.storage.checked import is_summed
from palimpsest.index.storage.sums import check_of
from palimpsest.index.types import Numbers


class DemandTable:
    """Part of ``Store``: its methods belong to the writer thread, writes inside a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def entries(self) -> dict[int, tuple[Numbers, NDArray[np.float32]]]:
        """Return numbers and hits of all points in demand, by column.

        What is damaged is left out: hits are an estimate that searches make anew.
        """
        check, may_lack = check_of("demand"), not is_summed(self._connection)
        rows = self._connection.execute(
            "SELECT vector, number, hits, checksum FROM demand"
        ).fetchall()
        bad = {*check.bad(rows, [0, 1, 2], 3, may_lack=may_lack)}
        whole = [
            row[:3] for place, row in enumerate(rows) if place not in bad and _is_sensible(*row[:3])
        ]
        table = np.array(whole, dtype=np.float64).reshape(-1, 3)
        return {
            int(column): (own[:, 1].astype(np.uint32), own[:, 2].astype(np.float32))
            for column in np.unique(table[:, 0])
            for own in (table[table[:, 0] == column],)
        }

    def put(self, column: int, numbers: Numbers, hits: NDArray[np.float32]) -> None:
        """Replace the hits (n,) of points; those without any are forgotten."""
        kept = hits > 0
        columns = numbers[kept].tolist(), hits[kept].tolist()
        rows = [(column, *one) for one in zip(*columns, strict=True)]
        sums = check_of("demand").sums(rows)
        self._connection.executemany(
            "INSERT OR REPLACE INTO demand (vector, number, hits, checksum) VALUES (?, ?, ?, ?)",
            ((*row, own) for row, own in zip(rows, sums, strict=True)),
        )
        self._connection.executemany(
            "DELETE FROM demand WHERE vector = ? AND number = ?",
            ((column, number) for number in numbers[~kept].tolist()),
        )

    def forget(self, column: int) -> None:
        """Forget the demand of a column."""
        self._connection.execute("DELETE FROM demand WHERE vector = ?", (column,))


def _is_sensible(vector: object, number: object, hits: object) -> bool:
    return (
        isinstance(vector, int)
        and isinstance(number, int)
        and 0 <= number < 1 << 32
        and isinstance(hits, float)
        and 0 <= hits <= 1e30
    )
