"""The SQLite file of one collection: log, payloads, ids and manifest. Nothing else decides what exists.

Tables (all slots are collection-wide, ascending, never used twice):
  settings    the format number and the collection's config
  position    one row: last seq, next slot, number of points
  points      id -> seq, payload and the slot of each vector name (8 bytes a name, 0 = no vector)
  staged      vectors not sealed yet: one row per write and vector name, as arrays
  dead        slots whose point was deleted or written again, until their rows are gone from disk
  segments    the manifest: sealed folders, with the crc32 of their description
  sealed      per vector name, the slot up to which staged rows have moved into segments

WAL mode with synchronous=FULL: a committed transaction has been synced. One thread writes (see
``index.writer``); any thread reads, each on its own connection.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.errors import Damaged, PalimpsestError, StorageFull, StoreFailed, UnknownFormat
from index.storage.ids import Ids, Key, ids_from_bytes, ids_to_bytes
from index.types import Slots, Vectors

FORMAT = 1
LOOKUP = 512  # ids asked for by one statement; below SQLite's smallest limit of 999
_CHECKPOINT_PAGES = 8_000  # 32 MB of log between checkpoints

_SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE position (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL,
    slot INTEGER NOT NULL, points INTEGER NOT NULL);
CREATE TABLE points (id PRIMARY KEY, seq INTEGER NOT NULL, slots BLOB NOT NULL, payload BLOB)
    WITHOUT ROWID;
CREATE TABLE staged (slot INTEGER PRIMARY KEY, vector INTEGER NOT NULL, n INTEGER NOT NULL,
    seq INTEGER NOT NULL, crc32 INTEGER NOT NULL, ids BLOB NOT NULL, value BLOB NOT NULL);
CREATE TABLE dead (slot INTEGER PRIMARY KEY);
CREATE TABLE segments (name TEXT PRIMARY KEY, vector INTEGER NOT NULL, crc32 INTEGER NOT NULL);
CREATE TABLE sealed (vector INTEGER PRIMARY KEY, slot INTEGER NOT NULL);
INSERT INTO position VALUES (1, 0, 1, 0);
"""
_FIND = f"SELECT slots FROM points WHERE id IN ({','.join('?' * LOOKUP)})"
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@dataclass(frozen=True, slots=True)
class Position:
    """Where the log stands: last seq, next slot, number of points."""

    seq: int
    slot: int
    points: int


@dataclass(frozen=True, slots=True)
class StagedRows:
    """Rows of one write and one vector name; their slots are ``first`` and up."""

    vector: int
    first: int
    seq: int
    ids: Ids
    values: Vectors  # (n, d)


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """One line of the manifest."""

    name: str
    vector: int
    checksum: int


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into StorageFull, Damaged or StoreFailed."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translate(path, error) from error


def _translate(path: Path, error: sqlite3.Error) -> PalimpsestError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StorageFull(f"No space left to write {path}: free some, the server goes on")
    if code in _DAMAGE:
        return Damaged(path, "a SQLite database", str(error), "file")
    return StoreFailed(f"SQLite failed on {path}: {error}")


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection that leaves transactions to its owner."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def create_store(path: Path, config: dict[str, Any]) -> None:
    """Create an empty store; its file is whole and synced on return."""
    with store_errors(path):
        connection = connect(path)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)
            connection.executemany(
                "INSERT INTO settings VALUES (?, ?)",
                [("format", FORMAT), ("config", json.dumps(config))],
            )
        finally:
            connection.close()


class Store:
    """The writing side. Every method but ``open`` belongs to the collection's writer thread."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open an existing store. Raises Damaged or UnknownFormat."""
        if not path.exists():
            raise Damaged(path, "a SQLite database", "no file", "file")
        with store_errors(path):
            connection = connect(path)
            try:
                connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
                connection.execute(f"PRAGMA journal_size_limit = {64 << 20}")
                _check_format(path, connection)
            except BaseException:
                connection.close()
                raise
            return cls(path, connection)

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what the block wrote, synced, or nothing of it."""
        with store_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    # What a reopened collection starts from.

    def config(self) -> dict[str, Any]:
        return json.loads(self._one("SELECT value FROM settings WHERE name = 'config'")[0])  # type: ignore[no-any-return]

    def position(self) -> Position:
        return Position(*self._one("SELECT seq, slot, points FROM position"))

    def segments(self) -> list[SegmentEntry]:
        rows = self._connection.execute("SELECT name, vector, crc32 FROM segments ORDER BY rowid")
        return [SegmentEntry(*row) for row in rows]

    def dead(self) -> Slots:
        """Return all dead slots (m,), ascending."""
        rows = self._connection.execute("SELECT slot FROM dead ORDER BY slot")
        return np.fromiter((row[0] for row in rows), dtype=np.uint64)

    def sealed(self) -> dict[int, int]:
        """Return per vector number the last slot that has left the staged rows."""
        return dict(self._connection.execute("SELECT vector, slot FROM sealed"))

    def staged(self) -> Iterator[StagedRows]:
        """Yield staged rows in the order they were written. Raises Damaged."""
        rows = self._connection.execute(
            "SELECT s.vector, s.slot, s.seq, s.n, s.crc32, s.ids, s.value FROM staged s"
            " LEFT JOIN sealed USING (vector) WHERE s.slot > ifnull(sealed.slot, 0) ORDER BY s.slot"
        )
        for vector, first, seq, n, checksum, ids, value in rows:
            found = _staged_checksum(ids, value)
            if found != checksum:
                raise Damaged(self.path, checksum, found, f"checksum of staged rows at slot {first}")
            values = np.frombuffer(value, dtype=np.float32).reshape(n, -1)
            yield StagedRows(vector, first, seq, ids_from_bytes(ids, n), values)

    def _one(self, statement: str) -> Any:
        row = self._connection.execute(statement).fetchone()
        if row is None:
            raise Damaged(self.path, "one row", "none", f"answer to {statement!r}")
        return row

    # Writes, inside a transaction.

    def move_to(self, position: Position) -> None:
        self._connection.execute(
            "UPDATE position SET seq = ?, slot = ?, points = ?",
            (position.seq, position.slot, position.points),
        )

    def slots_of(self, keys: Sequence[Key]) -> tuple[int, Slots]:
        """Return how many of the points exist, and the slots of all their vectors."""
        found: list[bytes] = []
        for start in range(0, len(keys), LOOKUP):
            some = list(keys[start : start + LOOKUP])
            some += [None] * (LOOKUP - len(some))  # type: ignore[list-item]
            found += [row[0] for row in self._connection.execute(_FIND, some)]
        slots = np.frombuffer(b"".join(found), dtype="<u8")
        return len(found), slots[slots != 0]

    def put_points(
        self,
        keys: Sequence[Key],
        seq: int,
        slots: NDArray[np.uint64],
        payloads: Sequence[bytes | None],
    ) -> None:
        """Insert or replace points; ``slots`` is (n, vector names)."""
        width = slots.shape[1] * 8
        text = slots.astype("<u8").tobytes()
        cells = [text[place * width : (place + 1) * width] for place in range(len(keys))]
        self._connection.executemany(
            "INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?)",
            zip(keys, [seq] * len(keys), cells, payloads, strict=True),
        )

    def delete_points(self, keys: Sequence[Key]) -> None:
        self._connection.executemany("DELETE FROM points WHERE id = ?", ((key,) for key in keys))

    def stage(self, rows: StagedRows) -> None:
        ids = ids_to_bytes(rows.ids)
        value = rows.values.data.cast("B")
        self._connection.execute(
            "INSERT INTO staged VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                rows.first,
                rows.vector,
                len(rows.values),
                rows.seq,
                _staged_checksum(ids, value),
                ids,
                value,
            ),
        )

    def bury(self, slots: Slots) -> None:
        """Record slots as dead."""
        self._connection.executemany(
            "INSERT OR IGNORE INTO dead VALUES (?)", ((slot,) for slot in slots.tolist())
        )

    def unbury(self, slots: Slots) -> None:
        """Forget dead slots whose rows are in no file any more."""
        self._connection.executemany(
            "DELETE FROM dead WHERE slot = ?", ((slot,) for slot in slots.tolist())
        )

    def add_segment(self, entry: SegmentEntry) -> None:
        self._connection.execute(
            "INSERT INTO segments VALUES (?, ?, ?)", (entry.name, entry.vector, entry.checksum)
        )

    def remove_segments(self, names: Sequence[str]) -> None:
        self._connection.executemany(
            "DELETE FROM segments WHERE name = ?", ((name,) for name in names)
        )

    def mark_sealed(self, vector: int, slot: int) -> None:
        """Record that staged rows of the vector up to the slot are in segments, or dead."""
        self._connection.execute("INSERT OR REPLACE INTO sealed VALUES (?, ?)", (vector, slot))

    def purge_staged(self, limit: int) -> bool:
        """Delete up to ``limit`` staged entries that have been sealed; tell whether any was left."""
        deleted = self._connection.execute(
            "DELETE FROM staged WHERE slot IN (SELECT s.slot FROM staged s JOIN sealed USING (vector)"
            " WHERE s.slot <= sealed.slot ORDER BY s.slot LIMIT ?)",
            (limit,),
        )
        return deleted.rowcount == limit

    def put_config(self, config: dict[str, Any]) -> None:
        self._connection.execute(
            "UPDATE settings SET value = ? WHERE name = 'config'", (json.dumps(config),)
        )


def _staged_checksum(ids: bytes, value: bytes | memoryview) -> int:
    return zlib.crc32(value, zlib.crc32(ids))


def _check_format(path: Path, connection: sqlite3.Connection) -> None:
    row = connection.execute("SELECT value FROM settings WHERE name = 'format'").fetchone()
    if row is None or row[0] not in range(1, FORMAT + 1):
        raise UnknownFormat(path, row and row[0], FORMAT)
