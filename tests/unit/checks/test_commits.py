"""How far a store reaches: at rest against its record, in use against what was recorded before."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.index.checks.commits import check_at_rest, check_in_use
from palimpsest.index.checks.stored import opened
from palimpsest.index.storage.entries import Position
from palimpsest.index.storage.reach import Reach, create_record, read_record, record_of
from palimpsest.index.storage.unfinished import note_restore
from tests.unit.checks.test_findings import Told
from tests.unit.doctor.making import make


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make(tmp_path / "data", sealed=0, staged=3) / "store.sqlite3"


def ahead(store: Path) -> None:
    """Let the record say that one commit more was answered."""
    last = read_record(record_of(store))
    assert last is not None
    create_record(record_of(store), last.next())


def in_use(store: Path) -> list[str]:
    told = Told()
    with opened(store, in_use=True) as stored:
        check_in_use(stored, told)
    return [one.what for one in told.findings]


def test_a_whole_store_says_nothing(store: Path) -> None:
    told = Told()
    assert check_at_rest(store, told) and told.findings == []
    assert in_use(store) == []


def test_a_commit_that_was_answered_and_is_missing_is_lost(store: Path) -> None:
    ahead(store)
    told = Told()
    assert not check_at_rest(store, told)
    assert [one.severity for one in told.findings] == ["lost"]
    assert in_use(store) == ["commits up to number"]


def test_the_record_of_another_store_says_nothing_of_one_in_use(store: Path) -> None:
    create_record(record_of(store), Reach(1, 2**60, 0, 0))
    assert in_use(store) == []
    record_of(store).unlink()
    assert in_use(store) == []


def test_a_restore_that_was_cut_off_is_told(store: Path) -> None:
    note_restore(store.parent, Position(1, 1, 0))
    told = Told()
    assert not check_at_rest(store, told)
    assert "restore" in told.findings[0].what
