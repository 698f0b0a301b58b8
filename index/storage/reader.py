"""Reads of the store from any thread, each on a connection of its own."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from index.errors import StoreFailed
from index.storage.ids import Key
from index.storage.store import LOOKUP, connect, store_errors
from index.types import Slots

StoredPoint: TypeAlias = tuple[int, Slots, bytes | None]  # seq, slot per vector name, payload

_COLUMNS = {True: "id, seq, slots, payload", False: "id, seq, slots"}
_SIZES = (1, 16, 128, LOOKUP)  # few statement texts, so that each stays compiled


class Reader:
    """Points by id and in id order."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    def close(self) -> None:
        """Close the connections of every thread."""
        with self._lock:
            self._closed = True
            for connection in self._open:
                connection.close()
            self._open.clear()

    def points(self, keys: Sequence[Key], *, with_payload: bool) -> dict[Key, StoredPoint]:
        """Return the stored points among ``keys``."""
        found: dict[Key, StoredPoint] = {}
        with store_errors(self._path):
            connection = self._connection()
            for start in range(0, len(keys), LOOKUP):
                some = list(keys[start : start + LOOKUP])
                size = next(size for size in _SIZES if size >= len(some))
                statement = (
                    f"SELECT {_COLUMNS[with_payload]} FROM points"
                    f" WHERE id IN ({','.join('?' * size)})"
                )
                rows = connection.execute(statement, some + [None] * (size - len(some)))
                found.update((row[0], _stored_point(row)) for row in rows)
        return found

    def payloads(self, keys: Sequence[Key]) -> dict[Key, bytes | None]:
        """Return the payloads of the stored points among ``keys``."""
        found: dict[Key, bytes | None] = {}
        with store_errors(self._path):
            connection = self._connection()
            for start in range(0, len(keys), LOOKUP):
                some = list(keys[start : start + LOOKUP])
                size = next(size for size in _SIZES if size >= len(some))
                statement = f"SELECT id, payload FROM points WHERE id IN ({','.join('?' * size)})"
                found.update(connection.execute(statement, some + [None] * (size - len(some))))
        return found

    def page(
        self, start: Key | None, limit: int, *, with_payload: bool
    ) -> list[tuple[Key, StoredPoint]]:
        """Return up to ``limit`` points from ``start`` on, ascending."""
        where = "" if start is None else "WHERE id >= ?"
        statement = f"SELECT {_COLUMNS[with_payload]} FROM points {where} ORDER BY id LIMIT ?"
        arguments = [limit] if start is None else [start, limit]
        with store_errors(self._path):
            rows = self._connection().execute(statement, arguments).fetchall()
        return [(row[0], _stored_point(row)) for row in rows]

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = connect(self._path)
            connection.execute("PRAGMA query_only = ON")
            with self._lock:
                if self._closed:
                    connection.close()
                    raise StoreFailed(f"{self._path} was closed")
                self._open.append(connection)
            self._local.connection = connection
        return connection


def _stored_point(row: tuple[Key, int, bytes] | tuple[Key, int, bytes, bytes | None]) -> StoredPoint:
    payload = row[3] if len(row) == 4 else None
    return row[1], np.frombuffer(row[2], dtype="<u8"), payload
