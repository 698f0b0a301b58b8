"""Snapshots are listed once they are whole, found by their names, and leftovers are tidied."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from palimpsest.index import InvalidConfig, SnapshotInfo, SnapshotNotFound
from palimpsest.index.snapshots.shelf import (
    SCHEDULED,
    SUFFIX,
    Shelf,
    collection_of_folder,
    folder_of,
    is_name,
)
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.reserve import anything

TEXT = b"a snapshot"
SUM = hashlib.sha256(TEXT).hexdigest()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(Local(tmp_path / "snapshots"))


def keep(shelf: Shelf, name: str | None, *, scheduled: bool = False) -> SnapshotInfo:
    return shelf.keep(name, [TEXT], lambda: SUM, lambda path: None, anything, scheduled=scheduled)


@pytest.mark.parametrize("name", ["c", "é" * 120, "a.b", ".a", "..a", None])
def test_what_is_kept_is_listed_found_and_deleted(name: str | None, shelf: Shelf) -> None:
    assert shelf.list(name) == []
    kept = [keep(shelf, name), keep(shelf, name), keep(shelf, name, scheduled=True)]
    assert len({one.name for one in kept}) == 3
    assert {(one.nbytes, one.checksum) for one in kept} == {(len(TEXT), SUM)}
    assert {one.name for one in shelf.list(name)} == {one.name for one in kept}
    assert all(one.name.endswith(SUFFIX) for one in kept) and kept[2].name.endswith(SCHEDULED)
    path = shelf.find(name, kept[0].name)
    assert path.read_bytes() == TEXT
    line = path.with_name(f"{path.name}.sha256").read_text()
    assert line == f"{SUM}  {path.name}\n"
    for one in kept:
        shelf.delete(name, one.name)
    assert shelf.list(name) == [] and shelf.of(name).list() == []
    with pytest.raises(SnapshotNotFound):
        shelf.delete(name, kept[0].name)


@pytest.mark.parametrize("ending", ["", ".sha256", ".tmp", ".sha256.tmp", ".snapshot"])
def test_a_collection_may_be_called_as_a_snapshot_is(ending: str, shelf: Shelf) -> None:
    whole = keep(shelf, None)
    name = whole.name + ending
    kept = keep(shelf, name)
    assert shelf.list(name) == [kept] and shelf.list(None) == [whole]
    assert shelf.find(None, whole.name).read_bytes() == TEXT
    assert collection_of_folder(shelf.of(name).path.name) == name
    shelf.delete(None, whole.name)
    assert shelf.list(name) == [kept]
    late = keep(shelf, None)
    assert late in shelf.list(None)
    shelf.tidy()
    assert shelf.list(name) == [kept]


@pytest.mark.parametrize("name", ["c", "a.snapshots", "snapshot", ".snapshot", "\n.tmp", "é"])
def test_names_of_folders_say_whose_they_are(name: str) -> None:
    for one in (name, f"{name}.snapshot", f"{name}.snapshot.tmp", "x" * 246 + ".snapshot"):
        assert collection_of_folder(folder_of(one)) == one
        assert len(folder_of(one).encode()) == len(one.encode()) and not is_name(folder_of(one))


def test_one_that_fails_leaves_nothing(shelf: Shelf) -> None:
    def wrong(path: Path) -> None:
        assert path.read_bytes() == TEXT
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shelf.keep("c", [TEXT], lambda: SUM, wrong, anything)
    assert shelf.of("c").list() == []


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x",
        ".snapshot",
        "../c/a.snapshot",
        "/etc/a.snapshot",
        "a\0.snapshot",
        "a\ud800.snapshot",
    ],
)
def test_other_names_are_found_nowhere(name: str, shelf: Shelf) -> None:
    keep(shelf, "c")
    with pytest.raises(SnapshotNotFound):
        shelf.find("c", name)
    assert not is_name(name) or name == "a\ud800.snapshot"


@pytest.mark.parametrize("collection", ["..", "a/b", "", ".", "a@b"])
def test_other_collections_have_no_folder(collection: str, shelf: Shelf) -> None:
    with pytest.raises(InvalidConfig):
        shelf.list(collection)


def test_links_and_folders_are_no_snapshots(shelf: Shelf, tmp_path: Path) -> None:
    keep(shelf, "c")
    (tmp_path / "secret").write_text("secret")
    (shelf.of("c").path / "link.snapshot").symlink_to(tmp_path / "secret")
    (shelf.of("c").path / "folder.snapshot").mkdir()
    assert len(shelf.list("c")) == 1
    for name in ("link.snapshot", "folder.snapshot"):
        with pytest.raises(SnapshotNotFound):
            shelf.find("c", name)


def test_what_a_kill_left_is_tidied_and_nothing_else(shelf: Shelf) -> None:
    whole, other = keep(shelf, "c"), keep(shelf, None)
    folder = shelf.of("c").path
    for name in ("a.snapshot.tmp", "b.snapshot.sha256", "c.snapshot.sha256.tmp", "notes.txt"):
        (folder / name).write_text("x")
    (shelf.folder.path / "full.snapshot.tmp").write_text("x")
    shelf.tidy()
    assert shelf.of("c").list() == sorted([whole.name, f"{whole.name}.sha256", "notes.txt"])
    assert shelf.of(None).list() == sorted(["c", other.name, f"{other.name}.sha256"])
    shelf.tidy()
    (folder / f"{whole.name}.sha256").write_text("no digits")
    assert shelf.list("c")[0].checksum is None
