"""Reads of the store from any thread, each on a connection of its own."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import numpy as np
from pyroaring import BitMap

from index.errors import CollectionNotFound, Damaged, DamagedPoint, StoreFailed
from index.stops import check_stop, is_stopped
from index.storage.ids import UUID_BYTES, Key, id_of_key, order_of
from index.storage.schema import connect, connect_frozen, store_errors
from index.storage.store import LOOKUP
from index.types import Numbers, Slots

StoredPoint: TypeAlias = tuple[int, Slots, bytes | None]  # seq, slot per vector name, payload

_COLUMNS = {True: "id, seq, slots, payload", False: "id, seq, slots"}
_STRETCH = "SELECT number, payload FROM points WHERE number BETWEEN ? AND ?"
_PATIENCE = 64  # ids walked past per wanted point
_READ_THROUGH = 4  # stored points per wanted one
_STEPS = 10_000  # of SQLite between two looks at whether to stop, about half a millisecond
_NO_SLOTS = "does not say where its vectors are"
_SIZES = (1, 4, 10, 32, 128, LOOKUP)  # few statement texts, so that each stays compiled


class Reader:
    """Points by id and in id order, until closed: then CollectionNotFound."""

    def __init__(self, path: Path, collection: str, *, frozen: bool = False) -> None:
        self.path = path
        self._frozen = frozen  # nothing can be written, not even what SQLite shares of a log
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
                found.update((row[0], self._stored_point(row)) for row in rows)
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

    def numbers(self, keys: Sequence[Key]) -> dict[Key, int]:
        """Return the numbers of the stored points among ``keys``."""
        found: dict[Key, int] = {}
        with self._reading() as connection:
            for start in range(0, len(keys), LOOKUP):
                some = list(keys[start : start + LOOKUP])
                found.update(_look_up(connection, "id, number", some).fetchall())
        return found

    def held(
        self, numbers: Sequence[int], *, with_payload: bool
    ) -> dict[int, tuple[bytes, bytes | None]]:
        """Return stored slots (see ``slot_in``) and payloads by number: the quickest read."""
        columns = "number, slots, payload" if with_payload else "number, slots, NULL"
        found: dict[int, tuple[bytes, bytes | None]] = {}
        with self._reading() as connection:
            for start in range(0, len(numbers), LOOKUP):
                some = numbers[start : start + LOOKUP]
                for number, slots, payload in _look_up(connection, columns, some, by="number"):
                    if slots.__class__ is not bytes:
                        raise DamagedPoint(self.path, f"of number {number}", _NO_SLOTS)
                    found[number] = slots, payload
        return found

    def by_number(
        self, numbers: Sequence[int], *, with_payload: bool
    ) -> dict[int, tuple[Key, StoredPoint]]:
        """Return the stored points of the numbers."""
        found: dict[int, tuple[Key, StoredPoint]] = {}
        columns = f"number, {_COLUMNS[with_payload]}"
        with self._reading() as connection:
            for start in range(0, len(numbers), LOOKUP):
                some = list(numbers[start : start + LOOKUP])
                for row in _look_up(connection, columns, some, by="number"):
                    found[row[0]] = row[1], self._stored_point(row[1:])
        return found

    def ids(self, numbers: Sequence[int]) -> dict[int, Key]:
        """Return the ids of the stored points of the numbers."""
        found: dict[int, Key] = {}
        with self._reading() as connection:
            for start in range(0, len(numbers), LOOKUP):
                some = list(numbers[start : start + LOOKUP])
                found.update(_look_up(connection, "number, id", some, by="number").fetchall())
        return found

    def seq(self) -> int:
        """Return the seq of the last write that was committed."""
        with self._reading() as connection:
            row = connection.execute("SELECT seq FROM position").fetchone()
        if row is None:
            raise Damaged(self.path, "one row", "none", "position of the log", "file")
        seq: int = row[0]
        return seq

    def payload_bytes(self) -> int:
        """Return how many bytes all stored payloads take."""
        with self._reading() as connection:
            (total,) = connection.execute("SELECT total(length(payload)) FROM points").fetchone()
        return int(total)

    def payloads_of(
        self, numbers: Numbers
    ) -> Iterator[tuple[list[int], list[tuple[int, bytes | None]]]]:
        """Yield wanted numbers, and those of stored points with payloads; ``numbers`` ascending.

        Where most points of a stretch are wanted the stretch is read through.
        """
        for start in range(0, len(numbers), LOOKUP):
            some = numbers[start : start + LOOKUP].tolist()
            yield some, self._payloads(some)

    def _payloads(self, numbers: list[int]) -> list[tuple[int, bytes | None]]:
        # No generator: one that is never finished would count as a read under way for ever.
        with self._reading() as connection:
            if numbers[-1] - numbers[0] >= _READ_THROUGH * len(numbers):
                return _look_up(connection, "number, payload", numbers, by="number").fetchall()
            rows = connection.execute(_STRETCH, (numbers[0], numbers[-1])).fetchall()
        wanted = set(numbers)
        return [row for row in rows if row[0] in wanted]

    def page(
        self, start: Key | None, limit: int, *, with_payload: bool
    ) -> list[tuple[Key, StoredPoint]]:
        """Return up to ``limit`` points from ``start`` on, ascending."""
        where = "" if start is None else "WHERE id >= ?"
        statement = f"SELECT {_COLUMNS[with_payload]} FROM points {where} ORDER BY id LIMIT ?"
        arguments = [limit] if start is None else [start, limit]
        with self._reading() as connection:
            rows = connection.execute(statement, arguments).fetchall()
        self.require_order([row[0] for row in rows], start)
        return [(row[0], self._stored_point(row)) for row in rows]

    def page_among(self, allowed: BitMap, start: Key | None, limit: int) -> list[int]:
        """Return the numbers of the first ``limit`` points of ``allowed`` from id ``start`` on.

        Walks the ids in order where that soon meets enough points, and else looks up and sorts the
        ids of all that are allowed.
        """
        where = "" if start is None else "WHERE id >= ?"
        first = [] if start is None else [start]
        found: list[int] = []
        with self._reading() as connection:
            rows = connection.execute(f"SELECT number FROM points {where} ORDER BY id", first)
            patience = limit * _PATIENCE + len(allowed)
            while patience > 0 and len(found) < limit:
                some = rows.fetchmany(LOOKUP)
                if not some:
                    return found
                found += [row[0] for row in some if row[0] in allowed]
                patience -= len(some)
        if len(found) >= limit:
            return found[:limit]
        keyed = [(key, n) for n, key in self.ids(list(allowed)).items()]
        ranked = sorted((order_of(key), n) for key, n in keyed)
        least = order_of(-(1 << 63) if start is None else start)
        return [n for order, n in ranked if order >= least][:limit]

    def require_order(self, keys: Sequence[Key], start: Key | None) -> None:
        """Raise Damaged unless keys ascend from ``start`` on: else a scroll would not advance."""
        for key in keys:
            self._require_key(key)
        orders = [order_of(key) for key in keys]
        if orders and start is not None and orders[0] < order_of(start):
            raise self._disordered(start, keys[0])
        for place, (before, after) in enumerate(pairwise(orders)):
            if after <= before:
                raise self._disordered(keys[place], keys[place + 1])

    def _disordered(self, before: Key, after: Key) -> Damaged:
        found = f"{id_of_key(after)} after {id_of_key(before)}"
        return Damaged(self.path, "ids in ascending order", found, "index of points", "file")

    def _require_key(self, key: object) -> None:
        if key.__class__ is not int and not (isinstance(key, bytes) and len(key) == UUID_BYTES):
            raise Damaged(self.path, "the id of a point", repr(key), "row of points", "file")

    def _stored_point(
        self, row: tuple[Key, int, bytes] | tuple[Key, int, bytes, bytes | None]
    ) -> StoredPoint:
        self._require_key(row[0])
        if row[1].__class__ is not int or row[2].__class__ is not bytes or len(row[2]) % 8:
            raise DamagedPoint(self.path, id_of_key(row[0]), _NO_SLOTS)
        payload = row[3] if len(row) == 4 else None
        if payload is not None and payload.__class__ is not bytes:
            raise DamagedPoint(self.path, id_of_key(row[0]), "has a payload of another type")
        return row[1], np.frombuffer(row[2], dtype="<u8"), payload

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Give the calling thread's connection, which stays open for as long as the block."""
        with self._left:
            if self._closed:
                raise CollectionNotFound(self._collection)
            self._inside += 1
        try:
            check_stop()
            with store_errors(self.path):
                yield self._connection()
        except StoreFailed:
            check_stop()  # a statement was interrupted because of it
            raise
        finally:
            with self._left:
                self._inside -= 1
                self._left.notify_all()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = (connect_frozen if self._frozen else connect)(self.path)
            connection.execute("PRAGMA query_only = ON")
            connection.set_progress_handler(is_stopped, _STEPS)  # true interrupts the statement
            with self._left:
                self._open.append(connection)
            self._local.connection = connection
        return connection


def slot_in(slots: bytes, column: int) -> int:
    """Return the slot of one column of stored slots, 0 where there is none."""
    return int.from_bytes(slots[8 * column : 8 * column + 8], "little")


def _look_up(
    connection: sqlite3.Connection, columns: str, keys: Sequence[Key], by: str = "id"
) -> sqlite3.Cursor:
    # Joined with the wanted ids in their order, which takes half the time of `id IN (...)`.
    size = next(size for size in _SIZES if size >= len(keys))
    statement = (
        f"SELECT {columns} FROM (VALUES {','.join(['(?)'] * size)}) AS wanted"
        f" CROSS JOIN points ON {by} = wanted.column1"
    )
    return connection.execute(statement, [*keys, *[None] * (size - len(keys))])
