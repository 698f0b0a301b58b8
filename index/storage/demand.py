"""The store's table of demand: how often points were answers, by the column of the queries."""

from __future__ import annotations

import sqlite3

import numpy as np
from numpy.typing import NDArray

from index.types import Numbers

_SENSIBLE = (
    "SELECT vector, number, hits FROM demand WHERE typeof(vector) = 'integer'"
    " AND typeof(number) = 'integer' AND number BETWEEN 0 AND 4294967295"
    " AND typeof(hits) = 'real' AND hits BETWEEN 0 AND 1e30"
)


class DemandTable:
    """Part of ``Store``: its methods belong to the writer thread, writes inside a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def entries(self) -> dict[int, tuple[Numbers, NDArray[np.float32]]]:
        """Return numbers and hits of all points in demand, by column.

        What is damaged is left out: hits are an estimate that searches make anew.
        """
        rows = self._connection.execute(_SENSIBLE).fetchall()
        table = np.array(rows, dtype=np.float64).reshape(-1, 3)
        return {
            int(column): (own[:, 1].astype(np.uint32), own[:, 2].astype(np.float32))
            for column in np.unique(table[:, 0])
            for own in (table[table[:, 0] == column],)
        }

    def put(self, column: int, numbers: Numbers, hits: NDArray[np.float32]) -> None:
        """Replace the hits (n,) of points; those without any are forgotten."""
        kept = hits > 0
        self._connection.executemany(
            "INSERT OR REPLACE INTO demand VALUES (?, ?, ?)",
            (
                (column, *one)
                for one in zip(numbers[kept].tolist(), hits[kept].tolist(), strict=True)
            ),
        )
        self._connection.executemany(
            "DELETE FROM demand WHERE vector = ? AND number = ?",
            ((column, number) for number in numbers[~kept].tolist()),
        )

    def forget(self, column: int) -> None:
        """Forget the demand of a column."""
        self._connection.execute("DELETE FROM demand WHERE vector = ?", (column,))
