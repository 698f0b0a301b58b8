"""Rows of points as statements read them: slots of columns, orders of keys, any number of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from palimpsest.index.storage.ids import Key
from palimpsest.index.storage.point_table import LOOKUP
from palimpsest.index.storage.read_rows import (
    count_before,
    is_ascending,
    look_up,
    slot_in,
    stored_point,
)

ONE, TWO = bytes(15) + b"\1", bytes(15) + b"\2"


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as made:
        made.execute("CREATE TABLE points (number INTEGER PRIMARY KEY, id NOT NULL UNIQUE)")
        rows = [(n, -(2**63) + n) for n in range(1_000)] + [(2_000, ONE)]
        made.executemany("INSERT INTO points VALUES (?, ?)", rows)
        yield made


def test_slots_that_a_point_has_none_of_are_0() -> None:
    slots = np.array([2**63 + 1, 0, 7], dtype="<u8").tobytes()
    assert [slot_in(slots, column) for column in range(5)] == [2**63 + 1, 0, 7, 0, 0]
    assert slot_in(b"", 0) == 0


def test_a_payload_that_was_not_read_is_none() -> None:
    slots = np.array([1, 2], dtype="<u8")
    place = (7, 5, 2**53 + 1, slots.tobytes(), 0)
    seq, own, payload = stored_point(place)
    assert (seq, own.tolist(), payload) == (2**53 + 1, [1, 2], None)
    assert stored_point((*place, b"{}", 0))[2] == b"{}"


@pytest.mark.parametrize("by", ["id", "number"])
@pytest.mark.parametrize("n", [1, 4, 5, 33, LOOKUP])
def test_those_that_are_there_come_in_the_order_they_are_wanted(
    connection: sqlite3.Connection, by: str, n: int
) -> None:
    first = -(2**63) if by == "id" else 0
    wanted: list[Key] = [first + n - 1 - place for place in range(n)]
    wanted[0] = first + 5_000  # of which there is none
    found = look_up(connection, "number", wanted, by).fetchall()
    assert [number for (number,) in found] == [int(key) - first for key in wanted[1:]]


def test_a_key_that_is_wanted_twice_is_found_twice(connection: sqlite3.Connection) -> None:
    assert look_up(connection, "number", [ONE, TWO, ONE], "id").fetchall() == [(2_000,)] * 2


def test_keys_ascend_strictly_from_where_they_start() -> None:
    assert is_ascending([-5, 0, 2**62], -5) and is_ascending([ONE, TWO], ONE)
    for keys, start in (([1, 1], None), ([2, 1], None), ([1], 2), ([1, ONE], None), ([ONE], 1)):
        assert not is_ascending(keys, start)
    assert not is_ascending([], None), "nothing tells of which kind they would be"


def test_rows_before_those_that_are_over() -> None:
    rows = [(1,), (2,), (3,), (4,)]
    assert count_before(rows, [(3,), (4,)]) == 2
    assert count_before(rows, [(9,)]) == 4 and count_before([], [(1,)]) == 0
    assert count_before(rows[:2], [(1,), (2,)]) == 0
