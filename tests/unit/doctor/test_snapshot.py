"""A snapshot is verified beside no data, and restored into a directory that no server has open."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.index import (
    CollectionNotFound,
    CreateAlias,
    Damaged,
    Database,
    DirectoryLocked,
    InvalidSnapshot,
    check_directory,
    restore_snapshot,
    verify_snapshot,
)
from tests.points import config_of
from tests.unit.snapshots.conftest import NAME, fill


def test_a_restore_that_was_cut_off_is_told_until_a_server_started(tmp_path: Path) -> None:
    with Database.open(tmp_path, threads=1) as database:
        database.create("c", config_of(3))
    (tmp_path / "unfinished" / "id.old").mkdir()
    (tmp_path / "collections" / "c").rename(tmp_path / "unfinished" / "id.old" / "c")
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
        restore_snapshot(tmp_path / "x.snapshot", tmp_path / "data", None, "1")
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InvalidSnapshot):
            verify_snapshot(path)


def test_one_is_restored(files: tuple[Path, Path], tmp_path: Path) -> None:
    assert restore_snapshot(files[0], tmp_path, None, "1") == [NAME]
    assert restore_snapshot(files[0], tmp_path, "other", "1") == ["other"]
    with Database.open(tmp_path, threads=1) as database:
        assert database.get(NAME).count() == database.get("other").count() == 297
        with pytest.raises(DirectoryLocked):
            restore_snapshot(files[0], tmp_path, None, "1")


def test_all_are_restored(files: tuple[Path, Path], tmp_path: Path) -> None:
    assert restore_snapshot(files[1], tmp_path / "a", None, "1") == ["two", NAME]
    with Database.open(tmp_path / "a", threads=1) as database:
        assert database.get("called").count() == 297
    assert restore_snapshot(files[1], tmp_path / "b", "two", "1") == ["two"]
    with Database.open(tmp_path / "b", threads=1) as database:
        assert database.names() == ["two"] and not database.aliases()
    with pytest.raises(CollectionNotFound):
        restore_snapshot(files[1], tmp_path / "b", "three", "1")
