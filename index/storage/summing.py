"""Gives the rows of a store of format 5 their checksums: in the background, some at a time.

A mark in the settings says how far that is; where it is missing every row has one. A row that is
already seen to be damaged gets none, and is told once all others have theirs.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from palimpsest.index.storage.checked import stretch
from palimpsest.index.storage.ids import UUID_BYTES
from palimpsest.index.storage.schema import put_setting, setting
from palimpsest.index.storage.sums import TABLES, Check, Row, RowKey, Table, long_sum, places_in

MARK = "summing"
_ORDER = ("points", "staged", "dead", "touched", "edited", "folded_seqs", "demand")
_ROWS = 1_024  # looked at by one step
_FEW = 16  # where a row may hold megabytes


def sum_some(path: Path, connection: sqlite3.Connection) -> bool:
    """Give some rows their checksums, inside a transaction; tell whether more may lack theirs.

    Raises:
        Damaged: the mark of how far it is.
    """
    mark = setting(path, connection, MARK)
    if mark is None:
        return False
    name, *after = json.loads(mark) or [_ORDER[0]]
    table = TABLES[name]
    limit = _FEW if table.long else _ROWS
    rows = stretch(connection, table, tuple(after) or None, limit)
    for check in table.checks:
        # A checksum of what is visibly wrong would only hide it: such a row stays without, and is
        # told of.
        _sum(connection, table, check, [row for row in rows if _is_sensible(table, row)])
    if len(rows) == limit:
        put_setting(connection, MARK, json.dumps([name, *_key(table, rows[-1])]))
    elif name != _ORDER[-1]:
        put_setting(connection, MARK, json.dumps([_ORDER[_ORDER.index(name) + 1]]))
    else:
        connection.execute("DELETE FROM settings WHERE name = ?", (MARK,))
        return False
    return True


def _sum(connection: sqlite3.Connection, table: Table, check: Check, rows: list[Row]) -> None:
    stored, columns = table.columns.index(check.stored), places_in(table, check.columns)
    # Those that were written since have theirs, of what was meant to be there; it is never
    # replaced.
    lacking = [row for row in rows if row[stored] is None]
    sums = check.sums([tuple(row[at] for at in columns) for row in lacking])
    where = " AND ".join(f"{name} = ?" for name in table.key)
    connection.executemany(
        f"UPDATE {table.name} SET {check.stored} = ? WHERE {where}",
        ((own, *_key(table, row)) for own, row in zip(sums, lacking, strict=True)),
    )


def _key(table: Table, row: Row) -> RowKey:
    return row[: len(table.key)]


def _is_sensible(table: Table, row: Row) -> bool:
    """Tell whether nothing is seen to be wrong with a row that has no checksum."""
    cells: dict[str, Any] = dict(zip(table.columns, row, strict=True))
    if table.long:
        return bool(long_sum([cells[name] for name in table.long]) == cells["crc32"])
    if table.name == "points":
        key, slots, payload = cells["id"], cells["slots"], cells["payload"]
        return (
            (isinstance(key, int) or isinstance(key, bytes) and len(key) == UUID_BYTES)
            and isinstance(cells["seq"], int)
            and isinstance(slots, bytes)
            and len(slots) % 8 == 0
            and (payload is None or isinstance(payload, bytes))
        )
    return all(not isinstance(cell, str) for cell in row)
