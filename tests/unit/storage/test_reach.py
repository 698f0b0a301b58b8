"""How far a store reaches: a chain of marks, held twice in its record, and never read wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.index.storage.reach import (
    CELL,
    Reach,
    ReachRecord,
    create_record,
    read_record,
    record_of,
)
from tests.damage import flip

LAST = Reach(2**64 - 1, 2**53 + 1, 0, 2**63)


def test_each_commit_names_the_mark_before_it() -> None:
    first = Reach.none().next()
    second = first.next()
    assert (first.commit, first.before) == (1, 0)
    assert (second.commit, second.before, second.store) == (2, first.mark, first.store)
    assert first.mark != second.mark and Reach.none().store != first.store


def test_a_reach_comes_back_from_bytes_and_text() -> None:
    assert len(LAST.to_bytes()) == CELL
    assert Reach.from_bytes(LAST.to_bytes() + b"more") == LAST == Reach.from_json(LAST.to_json())


@pytest.mark.parametrize("said", [None, "", "zz", "ж", 7, LAST.to_json()[:-2], b"x"])
def test_what_is_no_reach_is_none(said: object) -> None:
    assert Reach.from_json(said) is None


def test_no_flipped_bit_is_taken_for_another_reach() -> None:
    text = LAST.to_bytes()
    for place in range(8 * len(text)):
        damaged = bytearray(text)
        damaged[place // 8] ^= 1 << place % 8
        assert Reach.from_bytes(bytes(damaged)) is None, place


def test_a_record_is_read_whichever_half_of_it_is_damaged(tmp_path: Path) -> None:
    record = record_of(tmp_path / "store.sqlite3")
    create_record(record, LAST)
    for place in range(0, 8 * record.stat().st_size, 23):
        flip(record, place)
        assert read_record(record) == LAST
        flip(record, place)
    record.write_bytes(bytes(128))
    assert read_record(record) is None
    record.unlink()
    with pytest.raises(FileNotFoundError):
        read_record(record)


def test_a_record_follows_commits_in_place_and_the_furthest_counts(tmp_path: Path) -> None:
    record = record_of(tmp_path / "store.sqlite3")
    first = Reach.none().next()
    create_record(record, first)
    own, size = ReachRecord(record), record.stat().st_size
    own.follow(second := first.next())
    own.close()
    assert read_record(record) == second and record.stat().st_size == size
    both = record.read_bytes()
    create_record(record, first)
    record.write_bytes(record.read_bytes()[: size // 2] + both[size // 2 :])
    assert read_record(record) == second, "a write that was cut short between the two"
