"""Rows of points as statements read them: looked up, in order, and taken apart."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from operator import le, lt
from typing import Any, TypeAlias

import numpy as np

from palimpsest.index.storage.ids import UUID_BYTES, Key
from palimpsest.index.storage.point_table import LOOKUP
from palimpsest.index.storage.sums import Row
from palimpsest.index.types import Slots

StoredPoint: TypeAlias = tuple[int, Slots, bytes | None]  # seq, slot per vector name, payload


_SIZES = (1, 4, 10, 32, 128, LOOKUP)  # few statement texts, so that each stays compiled


def stored_point(row: Row) -> StoredPoint:
    """Return the seq, the slots and the payload, None where it was not read, of a row."""
    payload = row[5] if len(row) > 5 else None
    return row[2], np.frombuffer(row[3], dtype="<u8"), payload


def count_before(whole: Sequence[Row], rest: Sequence[Row]) -> int:
    """Return how many of the whole rows stand before the rest; both in the same order."""
    behind = {row[0] for row in rest}
    count = len(whole)
    while count and whole[count - 1][0] in behind:
        count -= 1
    return count


def is_ascending(keys: Sequence[Key], start: Key | None) -> bool:
    """Tell whether keys of one kind ascend from ``start`` on; False where that takes a closer look.

    The quick part of ``Reader.require_order``.
    """
    first = [] if start is None else [start]
    kinds = {*map(type, keys), *map(type, first)}
    if kinds == {bytes}:
        return {*map(len, keys)} == {UUID_BYTES} and _ascend(keys, first)  # type: ignore[arg-type]
    return kinds == {int} and _ascend(keys, first)


def _ascend(keys: Sequence[Any], first: Sequence[Any]) -> bool:
    return all(map(lt, keys, keys[1:])) and all(map(le, first, keys))


def slot_in(slots: bytes, column: int) -> int:
    """Return the slot of one column of stored slots, 0 where there is none."""
    return int.from_bytes(slots[8 * column : 8 * column + 8], "little")


def look_up(
    connection: sqlite3.Connection, columns: str, keys: Sequence[Key], by: str
) -> sqlite3.Cursor:
    """Return the columns of the points that are there, in the order they are wanted in."""
    # Joined with the wanted ids in their order, which takes half the time of `id IN (...)`.
    size = next(size for size in _SIZES if size >= len(keys))
    statement = (
        f"SELECT {columns} FROM (VALUES {','.join(['(?)'] * size)}) AS wanted"
        f" CROSS JOIN points ON {by} = wanted.column1"
    )
    return connection.execute(statement, [*keys, *[None] * (size - len(keys))])
