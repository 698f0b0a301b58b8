"""Brings a store of an older format to the newest, in one transaction."""

from __future__ import annotations

import sqlite3

import numpy as np

from index.storage.ids import ids_from_bytes, keys_of, unpack_ids
from index.storage.schema import FORMAT, POINTS_AND_FIELDS, VERSIONS


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a store to the newest format; one that has it is left alone."""
    row = connection.execute("SELECT value FROM settings WHERE name = 'format'").fetchone()
    if row[0] == FORMAT:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if row[0] < 2:
            _number_points(connection)
        _run(connection, VERSIONS)
        connection.execute("UPDATE settings SET value = ? WHERE name = 'format'", (FORMAT,))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite itself may have ended it
            connection.execute("ROLLBACK")
        raise


def _number_points(connection: sqlite3.Connection) -> None:
    """Format 1 to 2: number the points in the order of their ids, staged rows too."""
    connection.execute("ALTER TABLE points RENAME TO unnumbered")
    _run(connection, POINTS_AND_FIELDS)
    connection.execute(
        "INSERT INTO points SELECT row_number() OVER (ORDER BY id) - 1, id, seq, slots, payload"
        " FROM unnumbered"
    )
    connection.execute("DROP TABLE unnumbered")
    connection.execute("ALTER TABLE staged ADD COLUMN numbers BLOB NOT NULL DEFAULT x''")
    entries = connection.execute("SELECT slot, n, ids FROM staged").fetchall()
    for slot, n, ids in entries:
        keys = keys_of(unpack_ids(ids_from_bytes(ids, n)))
        numbers = [_number_of(connection, key) for key in keys]
        connection.execute(
            "UPDATE staged SET numbers = ? WHERE slot = ?",
            (np.array(numbers, dtype=np.uint32).tobytes(), slot),
        )


def _run(connection: sqlite3.Connection, statements: str) -> None:
    for statement in statements.split(";"):  # a script would commit
        connection.execute(statement)


def _number_of(connection: sqlite3.Connection, key: int | bytes) -> int:
    """Return a point's number; 0 for one that is gone, whose rows are dead."""
    row = connection.execute("SELECT number FROM points WHERE id = ?", (key,)).fetchone()
    return row[0] if row else 0
