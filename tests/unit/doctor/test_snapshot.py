"""A snapshot is verified beside no data, and restored into a directory that no server has open."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.index import (
    CollectionExists,
    CollectionNotFound,
    CreateAlias,
    Damaged,
    Database,
    DirectoryLocked,
    InvalidInput,
    InvalidSnapshot,
    StorageFull,
    StoreFailed,
    check_directory,
    restore_snapshot,
    verify_snapshot,
)
from palimpsest.index.aliases import Aliases
from tests.points import config_of
from tests.unit.snapshots.conftest import NAME, fill


def test_a_restore_that_was_cut_off_is_told_until_a_server_started(tmp_path: Path) -> None:
    with Database.open(tmp_path, threads=1) as database:
        database.create("c", config_of(3))
    old = tmp_path / "unfinished" / "id.undo" / "old"
    old.mkdir(parents=True)
    (tmp_path / "collections" / "c").rename(old / "c")
    (found,) = check_directory(tmp_path).of("damage")
    assert found.file.name == "c" and "cut off" in found.what
    with Database.open(tmp_path, threads=1) as database:
        assert database.names() == ["c"]
    assert check_directory(tmp_path).findings == []


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A snapshot of a collection, and one of all."""
    data = tmp_path_factory.mktemp("data")
    with Database.open(data, threads=1, release="3") as database:
        fill(database)
        database.create("two", config_of(3))
        database.change_aliases([CreateAlias("called", NAME)])
        one, whole = database.snapshots.create(NAME), database.snapshots.create_whole()
        shelf = database.snapshots.shelf
        return shelf.find(NAME, one.name), shelf.find(None, whole.name)


def test_whole_ones_are_verified(files: tuple[Path, Path], tmp_path: Path) -> None:
    one, whole = files
    told: list[int] = []
    (found,) = verify_snapshot(one, tmp_path, progress=lambda name, nbytes: told.append(nbytes))
    assert (found.collection, found.points, found.release) == (NAME, 297, "3")
    assert told == sorted(told) and told[-1] >= found.nbytes
    assert [each.collection for each in verify_snapshot(whole)] == ["two", NAME]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("which", [0, 1])
def test_damaged_ones_are_told(which: int, files: tuple[Path, Path], tmp_path: Path) -> None:
    text = bytearray(files[which].read_bytes())
    text[len(text) // 2] ^= 1
    (tmp_path / "x.snapshot").write_bytes(text)
    with pytest.raises(Damaged):
        verify_snapshot(tmp_path / "x.snapshot")
    with pytest.raises(InvalidSnapshot):
        restore_snapshot(tmp_path / "x.snapshot", tmp_path / "data", "1")
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InvalidSnapshot):
            verify_snapshot(path)


def test_one_is_restored(files: tuple[Path, Path], tmp_path: Path) -> None:
    assert restore_snapshot(files[0], tmp_path, "1") == [NAME]
    assert restore_snapshot(files[0], tmp_path, "1", "other") == ["other"]
    with Database.open(tmp_path, threads=1) as database:
        assert database.get(NAME).count() == database.get("other").count() == 297
        with pytest.raises(DirectoryLocked):
            restore_snapshot(files[0], tmp_path, "1")


def test_all_are_restored(files: tuple[Path, Path], tmp_path: Path) -> None:
    assert restore_snapshot(files[1], tmp_path / "a", "1") == ["two", NAME]
    with Database.open(tmp_path / "a", threads=1) as database:
        assert database.get("called").count() == 297
    assert restore_snapshot(files[1], tmp_path / "b", "1", "two") == ["two"]
    with Database.open(tmp_path / "b", threads=1) as database:
        assert database.names() == ["two"] and not database.aliases()
    with pytest.raises(CollectionNotFound):
        restore_snapshot(files[1], tmp_path / "b", "1", "three")


@pytest.mark.parametrize("which", [0, 1])
def test_what_is_there_is_replaced_only_where_it_may_be(
    which: int, files: tuple[Path, Path], tmp_path: Path
) -> None:
    with Database.open(tmp_path, threads=1) as database:
        database.create(NAME, config_of(5))
        with pytest.raises(DirectoryLocked):
            restore_snapshot(files[which], tmp_path, "1", replaces=False)
    with pytest.raises(CollectionExists, match=NAME):
        restore_snapshot(files[which], tmp_path, "1", replaces=False)
    with Database.open(tmp_path, threads=1) as database:
        assert database.names() == [NAME] and database.get(NAME).config.dense[""].size == 5
    assert restore_snapshot(files[which], tmp_path, "1", "two", replaces=False) == ["two"]
    assert NAME in restore_snapshot(files[which], tmp_path, "1")


@pytest.mark.parametrize("there", [True, False])
def test_names_that_conflict_late_change_nothing(
    there: bool, files: tuple[Path, Path], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    with Database.open(data, threads=1) as database:
        database.create("two", config_of(5))
        if there:  # a collection where the snapshot has an alias, or the reverse
            database.create("called", config_of(3))
        else:
            database.change_aliases([CreateAlias(NAME, "two")])
        names, aliases = database.names(), database.aliases()
    with pytest.raises(InvalidInput, match="called" if there else NAME):
        restore_snapshot(files[1], data, "1")
    with Database.open(data, threads=1) as database:
        assert (database.names(), database.aliases()) == (names, aliases)
        assert database.get("two").config.dense[""].size == 5


def test_aliases_that_cannot_be_made_are_told_of(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise StorageFull("no room")

    with monkeypatch.context() as patched:
        patched.setattr(Aliases, "change", fails)
        with pytest.raises(StoreFailed, match=f"'two', '{NAME}': restored; .*no room.*again"):
            restore_snapshot(files[1], tmp_path, "1")
    assert restore_snapshot(files[1], tmp_path, "1") == ["two", NAME]
    with Database.open(tmp_path, threads=1) as database:
        assert database.aliases() == {"called": NAME}
