"""Reads a store consistently and changes nothing, be it in use or where nothing can be written.

A store without commits in its log is read as it lies there. One with commits is read with its log,
by a connection that may not write: SQLite then neither moves the log into the database nor deletes
it. Where not even the index of a log can be made (a read-only file system), a copy is read. Beside
the store of a server, which may wake at any moment, an empty log and its index may be left.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palimpsest.index.storage.adapter_table import AdapterEntry
from palimpsest.index.storage.checked import is_summed
from palimpsest.index.storage.entries import Position, SegmentEntry
from palimpsest.index.storage.field_table import FieldEntry
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.reach import Reach
from palimpsest.index.storage.schema import (
    check_format,
    connect_frozen,
    connect_reading,
    is_read_only,
    store_errors,
    takes_no_writes,
)
from palimpsest.index.storage.verify import has_commits, log_of

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"


@dataclass(frozen=True, slots=True)
class Listing:
    """What a store says there is, as of one commit."""

    format: int
    config: dict[str, Any]
    position: Position
    reach: Reach | None
    segments: tuple[SegmentEntry, ...]
    fields: tuple[FieldEntry, ...]
    adapters: tuple[AdapterEntry, ...]
    superseded: frozenset[str]
    sealed: dict[int, int]
    summing: bool  # whether rows may still lack a checksum

    @property
    def folders(self) -> set[str]:
        """The names of all folders that a table lists."""
        indexes = {one.folder for one in self.fields if one.folder is not None}
        adapters = {one.folder for one in self.adapters}
        return {one.name for one in self.segments} | indexes | adapters


class Stored:
    """An open store. Raises what SQLite raises, within ``store_errors``: Damaged, StorageError."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection
        self._tables: set[str] = set()

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Let all reads of the block see the store as of one commit."""
        with store_errors(self.path):
            self.connection.execute("BEGIN")
            try:
                yield self.connection
            finally:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")

    def version(self) -> int:
        """Return a number that another commit changes; inside a snapshot."""
        found: int = self.connection.execute("PRAGMA data_version").fetchone()[0]
        return found

    def has(self, table: str) -> bool:
        """Tell whether the store's format has a table; inside a snapshot."""
        if not self._tables:
            self._tables = {name for (name,) in self.connection.execute(_TABLES)}
        return table in self._tables

    def listing(self) -> Listing:
        """Read what there is; inside a snapshot. Raises Damaged or UnknownFormat."""
        own = self.connection
        found = check_format(self.path, own)
        (config,) = own.execute("SELECT value FROM settings WHERE name = 'config'").fetchone()
        seq, slot, points = own.execute("SELECT seq, slot, points FROM position").fetchone()
        segments = own.execute("SELECT name, vector, crc32 FROM segments ORDER BY rowid")
        return Listing(
            found,
            json.loads(config),
            Position(seq, slot, points),
            self.reach(),
            tuple(SegmentEntry(*row) for row in segments),
            tuple(
                FieldEntry(*row)
                for row in self._rows("fields", "key, declared, folder, crc32, seq")
            ),
            tuple(
                AdapterEntry(*row)
                for row in self._rows("adapters", '"rows", queries, folder, crc32')
            ),
            frozenset(name for (name,) in self._rows("superseded", "name")),
            dict(self._rows("sealed", "vector, slot")),
            not is_summed(own),
        )

    def reach(self) -> Reach | None:
        """Return how far the store says it reaches, None of one without; inside a snapshot."""
        columns = self.connection.execute("SELECT name FROM pragma_table_info('position')")
        if ("reach",) not in columns.fetchall():
            return None
        (cell,) = self.connection.execute("SELECT reach FROM position").fetchone()
        return Reach.from_bytes(cell) if isinstance(cell, bytes) else None

    def _rows(self, table: str, columns: str) -> list[Any]:
        if not self.has(table):
            return []
        return self.connection.execute(f"SELECT {columns} FROM {table}").fetchall()


@contextmanager
def opened(path: Path, *, in_use: bool) -> Iterator[Stored]:
    """Open a store for reading alone.

    Args:
        path: of the store.
        in_use: whether a server may be writing to it.

    Raises:
        Damaged: it is no database.
        OSError: it, or a copy that would be needed, could not be read or written.
    """
    frozen = takes_no_writes(path.parent) or is_read_only(path, log_of(path))
    if in_use and not frozen:  # at rest, it may be woken at any moment
        with closing(connect_reading(path)) as connection:
            yield Stored(path, connection)
    elif not has_commits(path):
        with closing(connect_frozen(path)) as connection:
            yield Stored(path, connection)
    elif frozen:
        with tempfile.TemporaryDirectory(prefix="palimpsest-doctor-") as folder:
            for name in (path.name, log_of(path).name):
                Local(Path(folder)).write(name, [Local(path.parent).open(name)], synced=False)
            with closing(connect_reading(Path(folder) / path.name)) as connection:
                yield Stored(path, connection)
    else:
        shared = path.with_name(f"{path.name}-shm")
        was_there = shared.exists()
        try:
            with closing(connect_reading(path)) as connection:
                yield Stored(path, connection)
        finally:
            if not was_there:
                with suppress(OSError):
                    Local(path.parent).remove(shared.name)
