"""Checks a store by itself: its pages, its tables, and rows that carry checksums."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

from index.checks.findings import BACKUP, Finding, Sink, telling
from index.checks.stored import Listing, Stored
from index.collection_config import CollectionConfig

_MOST_TOLD = 8


def check_pages(stored: Stored, sink: Sink) -> bool:
    """Let SQLite check its pages, tables and indexes; tell whether they are whole."""
    whole = True
    with telling(sink, "store", stored.path), stored.snapshot() as own:
        for (problem,) in own.execute(f"PRAGMA integrity_check({_MOST_TOLD})").fetchall():
            if problem != "ok":
                whole = False
                sink.found(Finding("lost", "store", stored.path, problem, remedy=BACKUP))
    with telling(sink, "store", stored.path):
        sink.read(stored.path.stat().st_size)
    return whole


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


def check_staged(stored: Stored, listing: Listing, sink: Sink) -> int:
    """Check the rows that are in no segment yet; return how many there are."""
    waiting = 0
    slot: int | None = -1
    with telling(sink, "store", stored.path):
        while slot is not None:
            slot, rows = _check_entry(stored, slot, listing, sink)
            waiting += rows
    return waiting


def _check_entry(
    stored: Stored, after: int, listing: Listing, sink: Sink
) -> tuple[int | None, int]:
    """Check the staged entry behind a slot; return its slot, None if there is none, and its rows.

    Each is read by itself: a log is not moved into the database while a long read is under way.
    """
    with stored.snapshot() as own:
        row = own.execute(
            "SELECT slot, vector, n, crc32, ids, value FROM staged WHERE slot > ?"
            " ORDER BY slot LIMIT 1",
            (after,),
        ).fetchone()
    if row is None:
        return None, 0
    slot, vector, n, checksum, ids, value = row
    sink.read(len(ids) + len(value))
    if slot <= listing.sealed.get(vector, 0):
        return slot, 0
    found = zlib.crc32(value, zlib.crc32(ids))
    if found != checksum:
        what = f"checksum of staged rows at slot {slot}"
        sink.found(_other(stored, what, checksum, found))
    return slot, n


def check_folded(stored: Stored, sink: Sink) -> None:
    """Check the seqs that are kept as arrays."""
    with telling(sink, "store", stored.path), stored.snapshot() as own:
        if not stored.has("folded_seqs"):
            return
        for first, checksum, value in own.execute("SELECT first, crc32, seqs FROM folded_seqs"):
            found = zlib.crc32(value)
            if found != checksum:
                what = f"checksum of seqs from {first} on"
                sink.found(_other(stored, what, checksum, found))
            sink.read(len(value))


def _other(stored: Stored, what: str, expected: Any, found: Any) -> Finding:
    return Finding("lost", "store", stored.path, what, str(expected), str(found), BACKUP)


def check_rows(
    stored: Stored,
    sink: Sink,
    after: Sequence[Any] = (),
    reached: Callable[[tuple[Any, ...]], None] = lambda _: None,
) -> None:
    """Check the rows of all tables by their checksums.

    Args:
        stored: the store.
        sink: is told.
        after: the table, and the key of the row, to go on behind.
        reached: is told the same of each stretch that was checked.
    """
    with stored.snapshot():
        listing = stored.listing()
    check_folded(stored, sink)
    check_staged(stored, listing, sink)
