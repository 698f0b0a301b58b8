"""Brings a store of an older format to the newest, in one transaction."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.storage.causes import disk_errors
from palimpsest.index.storage.ids import ids_from_bytes, keys_of, unpack_ids
from palimpsest.index.storage.reach import Reach, create_record, record_of
from palimpsest.index.storage.schema import (
    FIELDS,
    FORMAT,
    JOBS,
    LISTING,
    POINTS,
    REACH,
    SEQS,
    SUPERSEDED,
    VERSIONS,
    checksum_columns,
    close_commit,
    count_columns,
    put_schema_sum,
    put_setting,
    triggers,
)
from palimpsest.index.storage.schema_sum import require_schema
from palimpsest.index.storage.seqs import STRETCH
from palimpsest.index.storage.summing import MARK
from palimpsest.index.storage.sums import COUNTED, check_of, tables_of

_SMALL = ("settings", "segments", "sealed", "fields", "adapters", "superseded")
_TRIGGERS = [f"{table}_{event}" for table in LISTING for event in ("gone", "listed")]


def migrate(path: Path, connection: sqlite3.Connection, reach: Reach | None) -> Reach | None:
    """Bring a store to the newest format; one that has it only gets the checksum of its schema.

    Args:
        path: of the store.
        connection: to it.
        reach: of its last commit, None for one of a format without.

    Returns:
        The reach that it has now.

    Raises:
        Damaged: the schema of one of the newest format is other than was written.
    """
    row = connection.execute("SELECT value FROM settings WHERE name = 'format'").fetchone()
    if row[0] == FORMAT and require_schema(path, connection):
        return reach
    if reach is None:
        reach = Reach.none()
        with disk_errors(f"write {record_of(path)}"):
            create_record(record_of(path), reach)  # first: a store that has a reach has a record
    reach = reach.next()
    # All steps in one transaction: a crash, or a full disk, leaves the store as the release before
    # wrote it, which can still read it.
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in _STEPS[row[0] - 1 :]:
            step(connection)
        put_schema_sum(connection)
        put_setting(connection, "format", FORMAT)
        close_commit(connection, reach)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite itself may have ended it
            connection.execute("ROLLBACK")
        raise
    return reach


def _number_points(connection: sqlite3.Connection) -> None:
    """Format 1 to 2: number the points in the order of their ids, staged rows too."""
    connection.execute("ALTER TABLE points RENAME TO unnumbered")
    _run(connection, POINTS + FIELDS)
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


def _add_versions(connection: sqlite3.Connection) -> None:
    """Format 2 to 3: nothing was upgraded or counted yet."""
    _run(connection, VERSIONS)


def _name_datatypes_and_keep_seqs(connection: sqlite3.Connection) -> None:
    """Format 3 to 4: say of each vector what its values are rounded to, and keep seqs."""
    _name_datatypes(connection)
    _keep_seqs(connection)


def _keep_seqs(connection: sqlite3.Connection) -> None:
    """Format 3 to 4: keep the seqs of all points where they are quick to read."""
    _run(connection, SEQS)
    last = connection.execute("SELECT max(number) FROM points").fetchone()[0]
    for first in range(0, 0 if last is None else last + 1, STRETCH):
        stop = min(first + STRETCH, last + 1)
        seqs = np.zeros(stop - first, dtype=np.uint64)
        rows = connection.execute(
            "SELECT number, seq FROM points WHERE number >= ? AND number < ?", (first, stop)
        )
        for number, seq in rows:
            seqs[number - first] = seq
        _put_stretch(connection, first, seqs)


def _put_stretch(connection: sqlite3.Connection, first: int, seqs: NDArray[np.uint64]) -> None:
    value = seqs.astype("<u8").tobytes()
    connection.execute(
        "INSERT INTO folded_seqs VALUES (?, ?, ?)", (first, zlib.crc32(value), value)
    )


def _chain_commits(connection: sqlite3.Connection) -> None:
    """Format 4 to 5: this is the first commit that is numbered."""
    _run(connection, f"{REACH};{SUPERSEDED}")


def _add_checksums(connection: sqlite3.Connection) -> None:
    """Format 5 to 6: rows of small tables are summed here, others later (``summing``)."""
    for name in _TRIGGERS:
        # Those of an earlier release write rows without checksums.
        connection.execute(f"DROP TRIGGER IF EXISTS {name}")
    for statement in (*count_columns(), *checksum_columns(tables_of(6).values())):
        connection.execute(statement)
    for table in COUNTED:
        connection.execute(f"UPDATE position SET {table}_rows = (SELECT count(*) FROM {table})")
    for table in _SMALL:
        columns = ", ".join(check_of(table).columns)
        connection.execute(f"UPDATE {table} SET checksum = row_sum('{table}', {columns})")
    for statement in triggers():
        connection.execute(statement)
    put_setting(connection, MARK, json.dumps([]))


def _date_dead_slots_and_keep_jobs(connection: sqlite3.Connection) -> None:
    """Format 6 to 7: slots that died before count as dead by the last write; no job is known.

    A row that is damaged, or has no checksum yet, stays so.
    """
    _run(connection, JOBS)
    connection.execute("ALTER TABLE jobs ADD COLUMN checksum INTEGER")
    connection.execute("ALTER TABLE dead ADD COLUMN seq INTEGER NOT NULL DEFAULT 0")
    connection.execute("UPDATE dead SET seq = (SELECT seq FROM position)")
    rows = connection.execute("SELECT slot, checksum, seq FROM dead").fetchall()
    (before,) = tables_of(6)["dead"].checks
    bad = {*before.bad(rows, [0], 1)}
    whole = [(row[0], row[2]) for place, row in enumerate(rows) if place not in bad]
    sums = check_of("dead").sums(whole)
    connection.executemany(
        "UPDATE dead SET checksum = ? WHERE slot = ?",
        ((own, slot) for own, (slot, _) in zip(sums, whole, strict=True)),
    )


def _name_datatypes(connection: sqlite3.Connection) -> None:
    """Format 3 to 4: what values are rounded to is said of each dense vector, as it was declared.

    Rows written before are rounded when they are read from here, and segments that hold others are
    written anew in the background: nothing else of the store changes, however large it is.
    """
    stored = connection.execute("SELECT value FROM settings WHERE name = 'config'").fetchone()
    config = json.loads(stored[0])
    for name, described in _described(config):
        vector = config["vectors"].get(name, {})
        datatype = described.get("datatype")
        if datatype in ("float16", "uint8") and "datatype" not in vector and "distance" in vector:
            vector["datatype"] = datatype
            if datatype == "uint8" and vector["distance"] == "cosine":
                # unit vectors of bytes are no bytes, and float16 would round them when sealed
                vector["originals"] = vector["originals"].replace("float16", "float32")
    connection.execute("UPDATE settings SET value = ? WHERE name = 'config'", (json.dumps(config),))


def _described(config: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the column of each dense vector that was described, and its description."""
    vectors = config.get("declared", {}).get("vectors") or {}
    is_one = "distance" in vectors and not isinstance(vectors["distance"], dict)
    yield from ({"": vectors} if is_one else vectors).items()
    for one in config.get("versions", ()):
        if one["state"] != "active":
            yield f"{one['vector']}@{one['version']}", one["declared"]


_STEPS = (
    _number_points,
    _add_versions,
    _name_datatypes_and_keep_seqs,
    _chain_commits,
    _add_checksums,
    _date_dead_slots_and_keep_jobs,
)  # from format 1 on, each to the next


def _run(connection: sqlite3.Connection, statements: str) -> None:
    for statement in statements.split(";"):  # a script would commit
        connection.execute(statement)


def _number_of(connection: sqlite3.Connection, key: int | bytes) -> int:
    """Return a point's number; 0 for one that is gone, whose rows are dead."""
    row = connection.execute("SELECT number FROM points WHERE id = ?", (key,)).fetchone()
    return row[0] if row else 0
