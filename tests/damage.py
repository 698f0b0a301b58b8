"""Damages the bytes of a SQLite file at rest, where it counts.

A page of a table or an index holds a header of 8 bytes (12 where it has children), then one pointer
of two bytes to each cell, in the order of their keys; the first page begins after 100 bytes.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from palimpsest.index.storage.schema import connect
from palimpsest.index.storage.sums import COUNTED, TABLES

LEAVES = {13: 8, 10: 8}  # kinds of pages, tables' and indexes', and the bytes of their headers
INNER = {5: 12, 2: 12}


def settle(path: Path) -> None:
    """Bring everything that was written into the file itself, leaving no log beside it."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def change(path: Path, statement: str, *arguments: object) -> int:
    """Change what the store holds behind the server's back; return how many rows."""
    with closing(connect(path)) as connection:
        changed = connection.execute(statement, arguments).rowcount
    settle(path)
    return changed


@contextmanager
def without_triggers(connection: sqlite3.Connection) -> Iterator[None]:
    """Let the block change rows with no trigger to follow; the schema is the same afterwards."""
    made = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    triggers = dict(made.fetchall())
    for name in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    yield
    for sql in triggers.values():
        connection.execute(sql)


def rewrite(path: Path, statement: str, *arguments: object) -> int:
    """Change what the store holds, and its checksums: it may contradict the rest of it."""
    changed = change(path, statement, *arguments)
    with closing(connect(path)) as connection:
        connection.execute("BEGIN")
        for name in COUNTED:
            connection.execute(f"UPDATE position SET {name}_rows = (SELECT count(*) FROM {name})")
        for table in TABLES.values():
            for check in table.checks:
                connection.create_function("own_sum", -1, lambda *row, own=check: own.sum(row))
                columns = ", ".join(check.columns)
                connection.execute(f"UPDATE {table.name} SET {check.stored} = own_sum({columns})")
        connection.execute("COMMIT")
    settle(path)
    return changed


def flip(path: Path, place: int) -> None:
    """Turn one bit of a file over."""
    with open(path, "r+b") as file:
        file.seek(place // 8)
        byte = file.read(1)[0]
        file.seek(place // 8)
        file.write(bytes([byte ^ 1 << place % 8]))


def flip_any(path: Path, draw: random.Random) -> str:
    """Turn a bit over that is drawn; return where that was."""
    place = draw.randrange(path.stat().st_size * 8)
    flip(path, place)
    return f"bit {place % 8} of byte {place // 8} of {path.name}"


def swap_cells(path: Path, name: str) -> None:
    """Exchange the first and the last cell of every page of a table or an index."""
    settle(path)
    file = bytearray(path.read_bytes())
    size = int.from_bytes(file[16:18], "big")
    for page in pages(path, name):
        start = (page - 1) * size
        head = start + (LEAVES | INNER)[file[start]]
        cells = int.from_bytes(file[start + 3 : start + 5], "big")
        first, last = slice(head, head + 2), slice(head + 2 * cells - 2, head + 2 * cells)
        file[first], file[last] = file[last], file[first]
    path.write_bytes(file)


def pages(path: Path, name: str) -> Iterator[int]:
    """Yield the pages of a table or an index, its root first."""
    connection = sqlite3.connect(path)
    (root,) = connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)
    ).fetchone()
    connection.close()
    file = path.read_bytes()
    size = int.from_bytes(file[16:18], "big")
    left = [root]
    while left:
        page = left.pop()
        yield page
        start = (page - 1) * size
        if file[start] in INNER:
            cells = int.from_bytes(file[start + 3 : start + 5], "big")
            left.append(int.from_bytes(file[start + 8 : start + 12], "big"))
            for cell in range(cells):
                at = start + 12 + 2 * cell
                place = start + int.from_bytes(file[at : at + 2], "big")
                left.append(int.from_bytes(file[place : place + 4], "big"))


def drop_cells(path: Path, name: str, count: int = 1) -> None:
    """Let the last page of a table or an index, and no other, say that it has fewer cells."""
    settle(path)
    file = bytearray(path.read_bytes())
    size = int.from_bytes(file[16:18], "big")
    leaves = [page for page in pages(path, name) if file[(page - 1) * size] in LEAVES]
    place = (leaves[0] - 1) * size + 3
    cells = int.from_bytes(file[place : place + 2], "big")
    assert cells > count
    file[place : place + 2] = (cells - count).to_bytes(2, "big")
    path.write_bytes(file)


def flipped(value: object) -> object:
    """Return a cell with one bit turned over, of the same type."""
    if isinstance(value, int):
        return value ^ 1 << 20
    if isinstance(value, float):
        return value * 2
    if isinstance(value, str):
        return chr(ord(value[0]) ^ 1) + value[1:]
    assert isinstance(value, bytes)
    return bytes([value[0] ^ 1]) + value[1:]
