"""Rows as they are read back: verified, or named (``index.storage.sums``)."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palimpsest.index.errors import Damaged, DamagedPoint
from palimpsest.index.storage.ids import UUID_BYTES, id_of_key
from palimpsest.index.storage.sums import (
    PAYLOAD,
    PLACE,
    Check,
    Row,
    RowKey,
    Table,
    check_of,
    long_sum,
    places_in,
)


class Spared:
    """Points that a read leaves out because they are damaged, by number, and what is wrong."""

    def __init__(self) -> None:
        self.errors: dict[int, DamagedPoint] = {}

    def add(self, number: int, error: DamagedPoint) -> None:
        """Leave a point out."""
        self.errors[number] = error

    @property
    def findings(self) -> list[str]:
        """What is wrong with each."""
        return [error.finding for error in self.errors.values()]


@dataclass(slots=True)
class Summed:
    """Whether every row of a store has its checksum; set once that is so, read by any thread."""

    complete: bool


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is not as it was written."""

    table: str
    key: RowKey  # values of the columns that the table is walked by
    text: str  # the row, and what is wrong with it


def damaged_place(path: Path, key: object, number: object) -> DamagedPoint:
    """Return the error of a point whose row does not say any more where its vectors are."""
    problem = f"has a row other than was written (its number is {number})"
    return DamagedPoint(path, _told(key, number), problem)


def damaged_payload(path: Path, key: object, number: object) -> DamagedPoint:
    """Return the error of a point whose payload is not what was written."""
    return DamagedPoint(path, _told(key, number), "has a payload other than was written")


def _told(key: object, number: object) -> object:
    if key.__class__ is int or (isinstance(key, bytes) and len(key) == UUID_BYTES):
        return id_of_key(key)
    return f"of number {number}"


def is_summed(connection: sqlite3.Connection) -> bool:
    """Tell whether every row of a store has its checksum, or should have."""
    found = connection.execute("SELECT count(*) FROM settings WHERE name = 'summing'").fetchone()
    return not found[0]


def verified(
    path: Path, connection: sqlite3.Connection, table: str, rest: str = "", arguments: Row = ()
) -> list[Row]:
    """Return rows of a table, each the values under its checksum. For tables that stay small.

    Args:
        path: of the store, for the error.
        connection: to it.
        table: which has one checksum.
        rest: of the statement, from WHERE on.
        arguments: of the statement.

    Raises:
        Damaged: a row is not as it was written.
    """
    check = check_of(table)
    names = ", ".join((*check.columns, check.stored))
    rows = connection.execute(f"SELECT {names} FROM {table} {rest}", arguments).fetchall()
    require_sums(path, connection, check, rows)
    return [row[:-1] for row in rows]


def require_sums(
    path: Path, connection: sqlite3.Connection, check: Check, rows: list[Row], width: int = 0
) -> None:
    """Raise Damaged unless rows are as they were written.

    Args:
        path: of the store, for the error.
        connection: to it.
        check: the rows begin with its columns, and then the checksum.
        rows: read.
        width: of the rows, if the checksum is not their last column.
    """
    stored = len(check.columns)
    columns = [*range(stored)]
    bad = check.bad(rows, columns, stored)
    if bad and not is_summed(connection):
        bad = check.bad(rows, columns, stored, may_lack=True)
    if bad:
        raise damaged_row(path, check, rows[bad[0]])


def damaged_row(path: Path, check: Check, row: Row) -> Damaged:
    """Return the error of a row, which begins with the columns of its checksum and then that."""
    stored = len(check.columns)
    what = f"checksum of a row of {check.table} ({_shown(check.columns[0], row[0])})"
    return Damaged(
        path,
        row[stored],
        _sum_or_none(check, row[:stored]),
        what,
        "restore the file from a backup, or see what `palimpsest doctor` can mend",
    )


def _sum_or_none(check: Check, row: Row) -> int | None:
    """Return a row's checksum, None if it holds what cannot be summed."""
    try:
        return check.sum(row)
    except ValueError:
        return None


def _shown(name: str, value: object) -> str:
    return f"{name} {value!r:.60}"


def position_in(path: Path, connection: sqlite3.Connection) -> dict[str, Any]:
    """Return the only row of ``position``, by column. Raises Damaged."""
    rows = verified(path, connection, "position")
    if len(rows) != 1:
        raise Damaged(path, "one row", len(rows), "position of the log", "file")
    return dict(zip(check_of("position").columns, rows[0], strict=True))


def require_points(
    path: Path,
    rows: list[Row],
    *,
    with_payload: bool,
    may_lack: bool,
    spared: Spared | None = None,
) -> list[Row]:
    """Return the rows of points, which must be as they were written.

    Args:
        path: of the store, for the error.
        rows: number, id, seq, slots, checksum, and perhaps payload and checksum of that.
        with_payload: whether these are there.
        may_lack: whether a row without checksums passes.
        spared: takes the points that are left out; None to raise the error of the first.

    Raises:
        DamagedPoint: the first that is not, unless they are left out.
    """
    bad = PLACE.bad(rows, [0, 1, 2, 3], 4, may_lack=may_lack)
    lost = {place: damaged_place(path, rows[place][1], rows[place][0]) for place in bad}
    for place in PAYLOAD.bad(rows, [0, 5], 6, may_lack=may_lack) if with_payload else ():
        lost.setdefault(place, damaged_payload(path, rows[place][1], rows[place][0]))
    if not lost:
        return rows
    if spared is None:
        raise lost[min(lost)]
    for place, error in sorted(lost.items()):
        spared.add(rows[place][0], error)
    return [row for place, row in enumerate(rows) if place not in lost]


def bad_rows(
    connection: sqlite3.Connection, table: Table, after: RowKey | None, limit: int
) -> tuple[RowKey | None, list[BadRow]]:
    """Look at a stretch of a table; nothing is changed.

    Args:
        connection: to the store, made by ``schema.connect`` or ``connect_frozen``.
        table: of those of the store's format.
        after: the key to go on behind; None for the beginning.
        limit: how many rows to look at, at most.

    Returns:
        The key to go on behind, None at the end of the table, and the bad rows on the way.
    """
    try:
        rows = stretch(connection, table, after, limit)
    except sqlite3.DatabaseError as error:
        begun = "its beginning" if after is None else f"row {_named(table, after)}"
        text = f"{table.name} cannot be read on from {begun}: {error}"
        return None, [BadRow(table.name, after or (), text)]
    bad = _bad_of(table, rows, may_lack=not is_summed(connection))
    return (rows[-1][: len(table.key)] if len(rows) == limit else None), bad


def stretch(
    connection: sqlite3.Connection, table: Table, after: RowKey | None, limit: int
) -> list[Row]:
    """Return up to ``limit`` rows from behind a key on: all columns that are read back."""
    keys = ", ".join(table.key)
    where = "" if after is None else f"WHERE ({keys}) > ({', '.join('?' * len(after))})"
    statement = (
        f"SELECT {', '.join(table.columns)} FROM {table.name} NOT INDEXED {where}"
        f" ORDER BY {keys} LIMIT ?"
    )
    return connection.execute(statement, [*(after or ()), limit]).fetchall()


def _bad_of(table: Table, rows: list[Row], *, may_lack: bool) -> list[BadRow]:
    places: dict[int, str] = {}
    for check in table.checks:
        columns, stored = places_in(table, check.columns), table.columns.index(check.stored)
        for place in check.bad(rows, columns, stored, may_lack=may_lack):
            places.setdefault(place, f"{check.stored} says {rows[place][stored]!r:.20}")
    if table.long:
        own, long = table.columns.index("crc32"), places_in(table, table.long)
        for place, row in enumerate(rows):
            if long_sum([row[at] for at in long]) != row[own]:
                places.setdefault(place, f"crc32 says {row[own]!r:.20}")
    return [
        BadRow(
            table.name,
            rows[place][: len(table.key)],
            f"{table.name} {_named(table, rows[place])} is other than was written: {why}",
        )
        for place, why in sorted(places.items())
    ]


def _named(table: Table, row: Row) -> str:
    named = ", ".join(_shown(n.strip('"'), v) for n, v in zip(table.key, row, strict=False))
    if table.name == "points" and len(row) > 2:
        named += f" (point {_told(row[1], row[0])})"
    return named
