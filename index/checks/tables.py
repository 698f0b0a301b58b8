"""Checks a store by itself: its pages, its tables, and rows that carry checksums."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from palimpsest.index.checks.findings import BACKUP, Finding, Severity, Sink, telling
from palimpsest.index.checks.stored import Listing, Stored
from palimpsest.index.config.collection import CollectionConfig
from palimpsest.index.remedies import Act
from palimpsest.index.storage.checked import bad_rows
from palimpsest.index.storage.schema_sum import require_schema
from palimpsest.index.storage.sums import RowKey, Table, tables_of

INDEX = "sqlite_autoindex_points_1"  # of the ids of points
SUMMED = 6  # the format from which on rows have checksums
_MOST_TOLD = 8
_PIECE = 512  # rows read at once, or fewer:
_MOST_BYTES = 8 << 20
_SHORT = 48  # bytes of a row without long values, about
_LONG = {
    "points": ("number", "ifnull(length(payload), 0)"),
    "staged": ("slot", "ifnull(length(ids) + length(value), 0)"),
    "folded_seqs": ("first", "ifnull(length(seqs), 0)"),
}
_NO_DATA = {"demand", "superseded", "touched"}  # what answers do not depend on, or is made anew
# from the rest of a collection
_DERIVED = {"dead": Act.REOPEN, "adapters": Act.FIT_AGAIN, "fields": Act.REOPEN}


def check_pages(stored: Stored, sink: Sink) -> bool:
    """Let SQLite check its pages, tables and indexes; tell whether they are whole."""
    whole = True
    with telling(sink, "store", stored.path), stored.snapshot() as own:
        for (problem,) in own.execute(f"PRAGMA integrity_check({_MOST_TOLD})").fetchall():
            if problem != "ok":
                whole = False
                sink.found(_page_finding(stored, problem))
    with telling(sink, "store", stored.path):
        sink.read(stored.path.stat().st_size)
    return whole


def _page_finding(stored: Stored, problem: str) -> Finding:
    if problem.endswith(f" {INDEX}"):  # such as `row 7 missing from index ...`
        return Finding("damage", "index", stored.path, problem, remedy=Act.REINDEX)
    return Finding("lost", "store", stored.path, problem, remedy=BACKUP)


def check_position(stored: Stored, listing: Listing, sink: Sink) -> None:
    """Check the counts of a store against its rows."""
    with telling(sink, "store", stored.path), stored.snapshot() as own:
        points = own.execute("SELECT points FROM position").fetchone()[0]
        found = own.execute("SELECT count(*) FROM points").fetchone()[0]
        if points != found:
            what = "number of points"
            sink.found(Finding("lost", "store", stored.path, what, str(points), str(found), BACKUP))
    with telling(sink, "store", stored.path):
        config = CollectionConfig.from_json(listing.config)
        columns = {one.vector for one in listing.segments}
        unknown = [c for c in columns if c >= len(config.columns) or config.columns[c] is None]
        if unknown:
            what = "columns of segments that the collection does not declare"
            sink.found(Finding("lost", "store", stored.path, what, "none", str(unknown), BACKUP))


def waiting_rows(stored: Stored) -> int:
    """Return how many rows are in no segment yet."""
    with stored.snapshot() as own:
        found: int = own.execute(
            "SELECT ifnull(sum(n), 0) FROM staged s LEFT JOIN sealed USING (vector)"
            " WHERE s.slot > ifnull(sealed.slot, 0)"
        ).fetchone()[0]
    return found


def _check_arrays(stored: Stored, sink: Sink) -> None:
    """Check staged rows and seqs of a store whose rows have no checksums."""
    slot = -1
    while True:
        # one at a time: a log is not moved into the database while a long read is under way
        with stored.snapshot() as own:
            row = own.execute(
                "SELECT slot, crc32, ids, value FROM staged WHERE slot > ? ORDER BY slot LIMIT 1",
                (slot,),
            ).fetchone()
        if row is None:
            break
        slot, checksum, ids, value = row
        found = zlib.crc32(value, zlib.crc32(ids))
        if found != checksum:
            sink.found(_other(stored, f"checksum of staged rows at slot {slot}", checksum, found))
        sink.read(len(ids) + len(value))
    with stored.snapshot() as own:
        folded = stored.has("folded_seqs")
        rows = (
            own.execute("SELECT first, crc32, seqs FROM folded_seqs").fetchall() if folded else []
        )
    for first, checksum, value in rows:
        found = zlib.crc32(value)
        if found != checksum:
            sink.found(_other(stored, f"checksum of seqs from {first} on", checksum, found))
        sink.read(len(value))


def _other(stored: Stored, what: str, expected: Any, found: Any) -> Finding:
    return Finding("lost", "store", stored.path, what, str(expected), str(found), BACKUP)


def check_rows(
    stored: Stored,
    sink: Sink,
    after: Sequence[Any] = (),
    reached: Callable[[tuple[Any, ...]], None] = lambda _: None,
) -> None:
    """Check the schema, and the rows of all tables, by their checksums.

    Args:
        stored: the store.
        sink: is told.
        after: the table, and the key of the row, to go on behind.
        reached: is told the same of each stretch that was checked.
    """
    with stored.snapshot():
        found = stored.listing().format
    if found < SUMMED:
        _check_arrays(stored, sink)
        return
    with telling(sink, "store", stored.path), stored.snapshot() as own:
        require_schema(stored.path, own)
    tables = tables_of(found)
    names = list(tables)
    start = names.index(after[0]) if after and after[0] in tables else 0
    key = tuple(after[1:]) if after and after[0] in tables else None
    for name in names[start:]:
        _check_table(stored, tables[name], key or None, sink, reached)
        key = None


def _check_table(
    stored: Stored,
    table: Table,
    key: RowKey | None,
    sink: Sink,
    reached: Callable[[tuple[Any, ...]], None],
) -> None:
    told, name = 0, table.name
    severity: Severity = "damage" if name in _NO_DATA or name in _DERIVED else "lost"
    remedy = _DERIVED.get(name, BACKUP)
    while True:
        with stored.snapshot() as own:
            limit, nbytes = _piece(own, name, key)
            following, bad = bad_rows(own, table, key, limit)
        for one in bad:
            told += 1
            if told <= _MOST_TOLD:
                sink.found(Finding(severity, "rows", stored.path, one.text, remedy=remedy))
        sink.read(nbytes)
        if following is None:
            break
        key = following
        reached((name, *key))
    if told > _MOST_TOLD:
        what = f"{told - _MOST_TOLD} further rows of {name} are other than was written"
        sink.found(Finding(severity, "rows", stored.path, what, remedy=remedy))


def _piece(own: sqlite3.Connection, name: str, key: RowKey | None) -> tuple[int, int]:
    """Return how many rows to read at once, and about how many bytes they have."""
    if name not in _LONG:
        return _PIECE, _PIECE * _SHORT
    column, length = _LONG[name]
    rows = own.execute(
        f"SELECT {length} FROM {name} WHERE {column} > ? ORDER BY {column} LIMIT {_PIECE}",
        (-1 if key is None else key[0],),
    )
    limit = nbytes = 0
    for (one,) in rows:
        limit += 1
        nbytes += one + _SHORT
        if nbytes >= _MOST_BYTES:
            break
    return max(1, limit), nbytes
