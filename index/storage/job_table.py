"""The store's table of jobs: long work that was begun, how far it came, and how it ended."""

from __future__ import annotations

import sqlite3

from palimpsest.index.storage.sums import check_of, put_row
from palimpsest.index.types import JobInfo

KEPT = 16  # of each kind that have ended
_COLUMNS = "id, kind, what, state, progress, started, ended, error, cancel"


class JobTable:
    """Part of ``Store``: its methods belong to the writer thread, writes inside a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def entries(self) -> list[JobInfo]:
        """Return all jobs, oldest first; a row that is damaged is left out, nothing hangs on it."""
        rows = self._connection.execute(f"SELECT {_COLUMNS}, checksum FROM jobs ORDER BY id")
        found = rows.fetchall()
        bad = {*check_of("jobs").bad(found, [*range(9)], 9)}
        whole = (row for place, row in enumerate(found) if place not in bad)
        return [JobInfo._make((*row[:8], bool(row[8]))) for row in whole]

    def put(self, job: JobInfo) -> None:
        """Write a job; of those of its kind that have ended the last are kept."""
        put_row(self._connection, "jobs", (*job[:8], int(job.cancel_requested)))
        if job.ended is not None:
            self._connection.execute(
                "DELETE FROM jobs WHERE kind = ? AND ended IS NOT NULL AND id NOT IN"
                " (SELECT id FROM jobs WHERE kind = ? AND ended IS NOT NULL"
                "  ORDER BY id DESC LIMIT ?)",
                (job.kind, job.kind, KEPT),
            )
