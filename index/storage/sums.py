"""Checksums of rows: what each table's rows say of themselves, and whether it is so.

Every row carries the CRC-32C of its other columns, begun with the names of the table and of the
checksum's column, so that no row passes for that of another table, or of another key. Of a point
there are two: of its place (number, id, seq, slots), which is read without the payload, and of its
number and payload. Long values have a CRC-32 of their own in some tables, which the row's covers.

A row is summed as the sequence of its values: a byte for the kind (``n`` null, ``i`` integer, ``f``
float, ``t`` text, ``b`` bytes), eight bytes, lowest first, of the value or of its length, then the
text or the bytes. What is stored is that number as a signed one.

Stores of format 5 had no checksums: there a row without one is as good as it looks until the whole
store has been gone through (``index.storage.summing``).
"""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from palimpsest.index import _native

Row: TypeAlias = tuple[Any, ...]
RowKey: TypeAlias = tuple[Any, ...]

_POLYNOMIAL = 0x82F63B78  # of CRC-32C, its lowest power in the highest bit
_ALL = 0xFFFFFFFF

COUNTED = (
    "staged",
    "dead",
    "segments",
    "sealed",
    "fields",
    "touched",
    "adapters",
    "edited",
    "folded_seqs",
)  # tables whose rows are counted in ``position``: one that is gone is missed


_COUNTS = " ".join(f"{table}_rows" for table in COUNTED)


@dataclass(frozen=True, slots=True)
class Check:
    """A checksum in column ``stored`` over other ``columns`` of the same row."""

    table: str
    stored: str
    columns: tuple[str, ...]
    seed: int = field(init=False)

    def __post_init__(self) -> None:
        # A seed for each checksum: a row that came to stand in another table, or a payload in the
        # place of another column, does not pass.
        object.__setattr__(self, "seed", zlib.crc32(f"{self.table}.{self.stored}".encode()))

    def sums(self, rows: list[Row]) -> list[int]:
        """Return the checksum of each row, given as the values of ``columns``."""
        return _native.row_sums(self.seed, rows)

    def sums_of(self, *columns: list[Any]) -> list[int]:
        """Return what ``sums`` does, of rows given column by column: many are not made tuples."""
        return _native.column_sums(self.seed, columns)

    def sum(self, row: Row) -> int:
        """Return the checksum of one row."""
        return self.sums([row])[0]

    def bad(
        self, rows: list[Row], columns: list[int], stored: int, *, may_lack: bool = False
    ) -> list[int]:
        """Return the places of the rows that are not as they were written.

        Args:
            rows: as they were read.
            columns: where in them the summed columns are.
            stored: where the checksum is.
            may_lack: whether a row without one passes.
        """
        return _native.other_sums(self.seed, rows, columns, stored, may_lack)


@dataclass(frozen=True, slots=True)
class Table:
    """A table, what its rows are walked by, its checksums, and a CRC-32 over long values."""

    name: str
    key: tuple[str, ...]
    checks: tuple[Check, ...]
    long: tuple[str, ...] = ()  # columns under ``crc32``

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read back, each once."""
        every = [one for check in self.checks for one in (*check.columns, check.stored)]
        return tuple(dict.fromkeys([*self.key, *every, *self.long]))


def _table(name: str, columns: str, key: str = "", long: str = "") -> Table:
    summed = tuple(columns.split())
    check = Check(name, "checksum", summed)
    return Table(name, tuple(key.split()) or summed[:1], (check,), tuple(long.split()))


PLACE = Check("points", "checksum", ("number", "id", "seq", "slots"))
PAYLOAD = Check("points", "payload_checksum", ("number", "payload"))
TABLES: Mapping[str, Table] = {
    one.name: one
    for one in (
        _table("settings", "name value"),
        _table(
            "position", " ".join(("one seq slot points reach", *(f"{n}_rows" for n in COUNTED)))
        ),
        Table("points", ("number",), (PLACE, PAYLOAD)),
        _table("staged", "slot vector n seq crc32 numbers", long="ids value"),
        _table("dead", "slot seq", key="slot"),
        _table("segments", "name vector crc32", key="rowid"),
        _table("sealed", "vector slot"),
        _table("fields", "key declared folder crc32 seq"),
        _table("touched", "seq numbers", key="rowid"),
        _table("adapters", '"rows" queries folder crc32', key='"rows" queries'),
        _table("edited", "number seq"),
        _table("folded_seqs", "first crc32", long="seqs"),
        _table("demand", "vector number hits", key="vector number"),
        _table("superseded", "name planned"),
        _table("jobs", "id kind what state progress started ended error cancel"),
    )
}
_DEAD = _table("dead", "slot")  # before format 7


def tables_of(format: int) -> Mapping[str, Table]:
    """Return the tables of a store of a format whose rows have checksums."""
    if format >= 7:
        return TABLES
    earlier = {name: table for name, table in TABLES.items() if name != "jobs"}
    return {**earlier, "dead": _DEAD}


def places_in(table: Table, columns: Sequence[str]) -> list[int]:
    """Return where columns stand in what ``stretch`` returns."""
    return [table.columns.index(one) for one in columns]


def check_of(table: str) -> Check:
    """Return the checksum of a table that has one."""
    return TABLES[table].checks[0]


def row_sum(table: str, *values: Any) -> int:
    """Return the checksum of a row of a table that has one: a function for SQL."""
    return check_of(table).sum(values)


def put_row(connection: sqlite3.Connection, table: str, row: Row) -> None:
    """Write a row, in the place of one with the same key, with its checksum."""
    check = check_of(table)
    names = ", ".join((*check.columns, check.stored))
    marks = ", ".join("?" * (len(row) + 1))
    connection.execute(
        f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", (*row, check.sum(row))
    )


def plain_sum(seed: int, row: Iterable[Any]) -> int:
    """Return what ``Check.sum`` does, said in Python: the definition, and the twin in tests."""
    crc = ~seed & _ALL
    for byte in b"".join(_text_of(value) for value in row):
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
    crc = ~crc & _ALL
    # Signed, as SQLite's integers are: four bytes instead of six for half of all rows.
    return crc - (1 << 32) if crc >= 1 << 31 else crc


def _text_of(value: Any) -> bytes:
    if value is None:
        # With its type and its length before each value: cells cannot be shifted into one another
        # unnoticed.
        return b"n" + bytes(8)
    if isinstance(value, int):
        return b"i" + struct.pack("<q", value)
    if isinstance(value, float):
        return b"f" + struct.pack("<d", value)
    text = value.encode() if isinstance(value, str) else value
    return (b"t" if isinstance(value, str) else b"b") + struct.pack("<Q", len(text)) + text


def lenient_text(raw: bytes) -> str:
    """Return a text cell, whatever is in it: what is no UTF-8 is then no row's checksum."""
    return raw.decode("utf-8", "surrogateescape")


def long_sum(values: Sequence[Any]) -> int | None:
    """Return the CRC-32 of long values one after another, None if one is no bytes."""
    crc = 0
    for value in values:
        if not isinstance(value, (bytes, memoryview)):
            return None
        crc = zlib.crc32(value, crc)
    return crc
