"""Gives pages of a store that hold nothing back to the disk, some at a time.

A store that was made to (``auto_vacuum``, which has to be set before its first table) keeps for
each page which one points at it, so that a page can be moved from the end of the file into one that
is free. One that was made before has to be written anew for that (``index.storage.compacting``).
(https://sqlite.org/pragma.html#pragma_incremental_vacuum)
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

_INCREMENTAL = 2  # of ``auto_vacuum``


@dataclass(frozen=True, slots=True)
class Pages:
    """Of a store as of its last commit: ``size`` in bytes, how many, and how many hold nothing."""

    size: int
    count: int
    free: int

    @property
    def used_bytes(self) -> int:
        """Bytes of the pages that hold something."""
        return (self.count - self.free) * self.size

    @property
    def free_bytes(self) -> int:
        """Bytes of the others."""
        return self.free * self.size


class Step(NamedTuple):
    """How much one transaction does at most: the work is bounded by time, its sync by pages."""

    seconds: float
    pages: int


def pages_of(connection: sqlite3.Connection) -> Pages:
    """Return what a connection sees of the pages of its store. Raises sqlite3.Error."""
    size, count = (_pragma(connection, name) for name in ("page_size", "page_count"))
    return Pages(size, count, _free(connection))


def gives_back(connection: sqlite3.Connection) -> bool:
    """Tell whether a store was made to give pages back some at a time. Raises sqlite3.Error."""
    return _pragma(connection, "auto_vacuum") == _INCREMENTAL


def vacuum_some(connection: sqlite3.Connection, leave: int, most: Step) -> None:
    """Give pages back inside a transaction.

    The file itself becomes shorter when the log is moved into it.

    Args:
        connection: of a store that gives pages back.
        leave: pages that may stay free.
        most: after which no other page is begun.

    Raises:
        sqlite3.Error: of damaged pages, say; the transaction is to be given up.
    """
    until, free = perf_counter() + most.seconds, _free(connection)
    last = max(leave, free - most.pages)
    while free > last:
        # One by one: the pragma gives a row of no columns for each page that it moves, and goes no
        # further than rows are fetched, of which the library fetches the first.
        connection.execute("PRAGMA incremental_vacuum(1)").fetchall()
        free = _free(connection)
        if perf_counter() >= until:
            return


def _free(connection: sqlite3.Connection) -> int:
    return _pragma(connection, "freelist_count")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    found: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return found
