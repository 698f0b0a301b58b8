"""A store taken for what it still holds: everything that is taken away is kept first."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.index.errors import Damaged
from palimpsest.index.storage.accept import accept, keep_files
from palimpsest.index.storage.store import Store
from palimpsest.index.storage.unfinished import FILE
from palimpsest.index.storage.verify import check_store, log_of
from tests.unit.doctor.making import copied


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A collection of a sealed segment and some staged rows."""
    return copied(tmp_path / "data", sealed=1_000, staged=4)


def test_files_are_kept_under_numbers_of_their_own(folder: Path) -> None:
    store = folder / "store.sqlite3"
    first, second = keep_files(store), keep_files(store)
    assert [first.name, second.name] == ["store-1", "store-2"]
    for kept in (first, second):
        assert (kept / store.name).read_bytes() == store.read_bytes()
        assert (kept / "store.reach").exists()


def test_a_whole_store_is_accepted_with_all_it_has(folder: Path) -> None:
    store = folder / "store.sqlite3"
    position = accept(store)
    assert position.points == 1_002 and (folder / FILE).exists()
    assert len(list((folder / "segments").iterdir())) >= 1
    check_store(store)
    again = Store.open(store)
    assert again.position().points == 1_002
    again.close()


def test_a_restore_that_goes_on_stands_where_it_began(folder: Path) -> None:
    first = accept(folder / "store.sqlite3")
    store = Store.open(folder / "store.sqlite3")
    with store.transaction():
        store.move_to(type(first)(first.seq + 5, first.slot, first.points))
    store.close()
    assert accept(folder / "store.sqlite3") == first


def test_damaged_segments_are_set_aside_and_no_longer_listed(folder: Path) -> None:
    store, (segment, *others) = folder / "store.sqlite3", sorted((folder / "segments").iterdir())
    (segment / "ids.npy").write_bytes(b"")
    accept(store)
    assert not segment.exists() and all(one.exists() for one in others)
    assert any(segment.name in one.name for one in (folder / "lost+found").iterdir())
    again = Store.open(store)
    assert segment.name not in {one.name for one in again.segments()}
    again.close()


def test_a_log_that_is_not_the_stores_is_kept_and_taken_away(folder: Path) -> None:
    store = folder / "store.sqlite3"
    log_of(store).write_bytes(b"of another program" * 1_000)
    accept(store)
    assert (folder / "lost+found" / "store-1" / log_of(store).name).stat().st_size == 18_000
    check_store(store)


def test_what_is_no_database_is_damaged_and_kept(folder: Path) -> None:
    (folder / "store.sqlite3").write_bytes(b"")
    with pytest.raises(Damaged):
        accept(folder / "store.sqlite3")
    assert (folder / "lost+found" / "store-1" / "store.sqlite3").exists()
