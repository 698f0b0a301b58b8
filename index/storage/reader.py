"""Reads of the store from any thread, each on a connection of its own."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np

from index.errors import CollectionNotFound
from index.storage.ids import Key
from index.storage.schema import connect, store_errors
from index.storage.store import LOOKUP
from index.types import Slots

StoredPoint: TypeAlias = tuple[int, Slots, bytes | None]  # seq, slot per vector name, payload

_COLUMNS = {True: "id, seq, slots, payload", False: "id, seq, slots"}
_SIZES = (1, 4, 10, 32, 128, LOOKUP)  # few statement texts, so that each stays compiled


class Reader:
    """Points by id and in id order, until closed: then CollectionNotFound."""

    def __init__(self, path: Path, collection: str) -> None:
        self._path = path
        self._collection = collection
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._left = threading.Condition()
        self._inside = 0  # reads under way
        self._closed = False

    def close(self) -> None:
        """Wait for the reads under way, then close the connections of every thread.

        Closing a connection while its thread is inside SQLite would end the program.
        """
        with self._left:
            self._closed = True
            self._left.wait_for(lambda: self._inside == 0)
            for connection in self._open:
                connection.close()
            self._open.clear()

    def points(self, keys: Sequence[Key], *, with_payload: bool) -> dict[Key, StoredPoint]:
        """Return the stored points among ``keys``."""
        found: dict[Key, StoredPoint] = {}
        with self._reading() as connection:
            for start in range(0, len(keys), LOOKUP):
                some = list(keys[start : start + LOOKUP])
                rows = _look_up(connection, _COLUMNS[with_payload], some)
                found.update((row[0], _stored_point(row)) for row in rows)
        return found

    def payloads(self, keys: Sequence[Key]) -> dict[Key, tuple[int, bytes | None]]:
        """Return seq and payload of the stored points among ``keys``."""
        found: dict[Key, tuple[int, bytes | None]] = {}
        with self._reading() as connection:
            for start in range(0, len(keys), LOOKUP):
                some = list(keys[start : start + LOOKUP])
                for key, seq, payload in _look_up(connection, "id, seq, payload", some):
                    found[key] = seq, payload
        return found

    def page(
        self, start: Key | None, limit: int, *, with_payload: bool
    ) -> list[tuple[Key, StoredPoint]]:
        """Return up to ``limit`` points from ``start`` on, ascending."""
        where = "" if start is None else "WHERE id >= ?"
        statement = f"SELECT {_COLUMNS[with_payload]} FROM points {where} ORDER BY id LIMIT ?"
        arguments = [limit] if start is None else [start, limit]
        with self._reading() as connection:
            rows = connection.execute(statement, arguments).fetchall()
        return [(row[0], _stored_point(row)) for row in rows]

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Give the calling thread's connection, which stays open for as long as the block."""
        with self._left:
            if self._closed:
                raise CollectionNotFound(self._collection)
            self._inside += 1
        try:
            with store_errors(self._path):
                yield self._connection()
        finally:
            with self._left:
                self._inside -= 1
                self._left.notify_all()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = connect(self._path)
            connection.execute("PRAGMA query_only = ON")
            with self._left:
                self._open.append(connection)
            self._local.connection = connection
        return connection


def _look_up(connection: sqlite3.Connection, columns: str, keys: list[Key]) -> sqlite3.Cursor:
    # Joined with the wanted ids in their order, which takes half the time of `id IN (...)`.
    size = next(size for size in _SIZES if size >= len(keys))
    statement = (
        f"SELECT {columns} FROM (VALUES {','.join(['(?)'] * size)}) AS wanted"
        " CROSS JOIN points ON id = wanted.column1"
    )
    return connection.execute(statement, keys + [None] * (size - len(keys)))


def _stored_point(
    row: tuple[Key, int, bytes] | tuple[Key, int, bytes, bytes | None],
) -> StoredPoint:
    payload = row[3] if len(row) == 4 else None
    return row[1], np.frombuffer(row[2], dtype="<u8"), payload
