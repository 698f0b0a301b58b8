from __future__ import annotations

import ast
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index.errors import StorageFull
from palimpsest.index.storage import directory
from palimpsest.index.storage.directory import (
    Directory,
    checksum_of,
    make_folder,
    remove_quietly,
    replace_file,
)
from palimpsest.index.storage.files import open_folder, write_folder
from palimpsest.index.storage.in_memory import InMemory
from palimpsest.index.storage.local import Local

ENGINE = Path(__file__).parents[3] / "index"


@pytest.fixture(params=["local", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Directory:
    """Both do the same, so every test here runs on both."""
    return Local(tmp_path) if request.param == "local" else InMemory(tmp_path)


def test_what_was_written_is_read(root: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palimpsest.index.storage.local.PIECE", 4)
    monkeypatch.setattr("palimpsest.index.storage.in_memory.PIECE", 4)
    parts = [b"one, ", memoryview(b"two"), b""]
    assert root.write("a", parts) == (8, zlib.crc32(b"one, two")) == checksum_of(parts)
    assert root.read("a") == b"one, two" == root.open("a").tobytes()
    assert [*root.pieces("a")] == [b"one,", b" two"]
    assert root.open("a").readonly
    root.write("empty", [])
    assert root.open("empty").nbytes == 0 and [*root.pieces("empty")] == []


def test_what_is_open_outlives_its_name(root: Directory) -> None:
    root.write("a", [b"one"])
    held = root.open("a")
    replace_file(root, "a", b"two")
    assert (held.tobytes(), root.read("a")) == (b"one", b"two")
    root.remove("a")
    assert held.tobytes() == b"one" and not root.has("a")


def test_a_file_is_written_once(root: Directory) -> None:
    root.write("a", [b"one"])
    with pytest.raises(FileExistsError):
        root.write("a", [b"two"])
    with pytest.raises(FileExistsError):
        root.link("a", root, "a")
    assert root.read("a") == b"one"


def test_folders_are_made_listed_and_removed(root: Directory) -> None:
    inner = root / "b" / "c"
    assert not inner.exists() and inner.path == root.path / "b" / "c"
    with pytest.raises(FileNotFoundError):
        inner.create()
    make_folder(inner)
    make_folder(inner)
    with pytest.raises(FileExistsError):
        inner.create()
    (root / "b").write("file", [b"12"])
    inner.write("file", [b"345"])
    assert root.list() == ["b"] and inner.parent.list() == ["c", "file"]
    assert (root.size(), inner.size()) == (5, 3)
    root.remove("b")
    root.remove("b")
    assert root.list() == [] and not inner.exists()


def test_folders_and_files_are_moved_and_linked(root: Directory) -> None:
    make_folder(root / "a" / "deep")
    make_folder(root / "z")
    (root / "a" / "deep").write("file", [b"12"])
    root.rename("a", root / "z", "b")
    moved = root / "z" / "b" / "deep"
    assert root.list() == ["z"] and moved.read("file") == b"12"
    moved.link("file", root, "other")
    moved.remove("file")
    assert root.read("other") == b"12" and moved.list() == []


@pytest.mark.parametrize(
    "call",
    [
        lambda one: one.list(),
        lambda one: one.read("a"),
        lambda one: one.open("a"),
        lambda one: [*one.pieces("a")],
        lambda one: one.write("a", [b"1"]),
        lambda one: one.rename("a", one, "b"),
        lambda one: one.link("a", one, "b"),
        lambda one: one.sync(),
    ],
)
def test_what_is_not_there_is_said_so(root: Directory, call: object) -> None:
    with pytest.raises(FileNotFoundError):
        call(root / "gone")  # type: ignore[operator]
    assert not root.has("gone")
    remove_quietly(root, "gone")


def test_a_file_is_replaced_or_stays(root: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_file(root, "a", b"one")
    replace_file(root, "a", b"two", synced=False)

    def fail(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patched:
        patched.setattr(type(root), "rename", fail)
        with pytest.raises(OSError, match="No space"):
            replace_file(root, "a", b"three")
    assert root.read("a") == b"two" and root.list() == ["a"]


def test_a_folder_of_arrays_is_the_same_on_both(root: Directory) -> None:
    arrays = {"codes": np.arange(60, dtype=np.uint8).reshape(4, 15), "none": np.empty(0)}
    opened = open_folder(root / "s", write_folder(root / "s", arrays, {"size": 3}))
    for name, expected in arrays.items():
        np.testing.assert_array_equal(opened.mapped(name), expected)
    assert opened.mapped("codes").ctypes.data % 64 == 0  # as kernels like it
    assert root.list() == ["s"]


def test_pieces_are_admitted_one_by_one(root: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palimpsest.index.storage.local.PIECE", 4)
    monkeypatch.setattr("palimpsest.index.storage.in_memory.PIECE", 4)
    asked: list[int] = []

    def admitted() -> object:
        asked.append(1)
        if len(asked) == 3:
            raise StorageFull("no more")
        return directory.anything()

    with pytest.raises(StorageFull):
        root.write("a", [b"12345", b"6"], admitted)  # type: ignore[arg-type]


# What opens files without a ``Directory``, and why.
DOORS = {
    "storage/local.py",  # the door
    "storage/syncing.py",  # whether there is room is found out by writing
    "storage/causes.py",  # whether there are descriptors is found out by opening
    "storage/reserve.py",  # room that is kept: no file that anyone reads
    "storage/directory_lock.py",  # a lock
    "storage/reach.py",  # written over in place, after each commit
    "storage/verify.py",  # SQLite's files, before SQLite sees them
    "storage/wal.py",
    "filters/tokens.py",  # stop words, from an installed package
}
_OS = {"open", "rename", "replace", "link", "symlink", "unlink", "remove", "mkdir", "makedirs"}
_OS |= {"rmdir", "removedirs", "fsync", "fdatasync", "listdir", "scandir", "walk", "write"}
_OF_PATHS = {"read_bytes", "read_text", "write_bytes", "write_text", "iterdir", "rglob", "glob"}
_OF_PATHS |= {"unlink", "mkdir", "rmdir"}
_NUMPY = {"load", "save", "savez", "fromfile", "memmap"}


def opens(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Name(id="open")) | ast.Import(names=[ast.alias(name="shutil")]):
                yield ast.unparse(node)
            case ast.Attribute(value=ast.Name(id="os"), attr=name) if name in _OS:
                yield ast.unparse(node)
            case ast.Attribute(value=ast.Name(id="np"), attr=name) if name in _NUMPY:
                yield ast.unparse(node)
            case ast.Call(func=ast.Attribute(attr=name)) if name in _OF_PATHS:
                yield ast.unparse(node)


def test_there_is_one_door_to_files() -> None:
    found = {str(path.relative_to(ENGINE)): [*opens(path)] for path in ENGINE.rglob("*.py")}
    assert not {name: calls for name, calls in found.items() if calls and name not in DOORS}
