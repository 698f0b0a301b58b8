"""Folders in memory: what only they promise. What all folders do stands in ``test_directory``."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.storage import in_memory
from palimpsest.index.storage.in_memory import InMemory


def test_files_begin_at_a_page_as_mapped_ones_do() -> None:
    root = InMemory()
    for n in (1, 7, 5_000):
        root.write(f"f{n}", [bytes(n)])
        start = np.frombuffer(root.open(f"f{n}"), dtype=np.uint8).ctypes.data
        assert start % 4_096 == 0


def test_what_is_open_cannot_be_written_to() -> None:
    root = InMemory()
    root.write("имя", [b"one"])
    with pytest.raises(TypeError):
        root.open("имя")[0] = 0


def test_two_roots_share_nothing_and_folders_below_one_everything() -> None:
    one, other = InMemory(), InMemory()
    (one / "a").create()
    (one / "a").write("x", [b"1"])
    assert not (other / "a").exists() and (one / "a" / "..").parent.path == (one / "a").path
    assert InMemory(one.path, one).list() == ["a"] and one.size() == 1
    assert (one / "a").parent.list() == ["a"]


def test_a_linked_file_outlives_the_name_it_had() -> None:
    root = InMemory()
    root.write("a", [b"one"])
    root.link("a", root, "b")
    root.remove("a")
    assert root.list() == ["b"] and root.read("b") == b"one"


def test_a_folder_moves_with_all_that_is_below(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_memory, "PIECE", 2)
    root = InMemory()
    (root / "a").create()
    (root / "a" / "b").create()
    (root / "a" / "b").write("x", [b"123"])
    (root / "ab").create()  # of a name that begins like it
    root.rename("a", root, "c")
    assert root.list() == ["ab", "c"] and (root / "c" / "b").read("x") == b"123"
    assert [*(root / "c" / "b").pieces("x")] == [b"12", b"3"]
    root.remove("c")
    assert root.list() == ["ab"] and root.size() == 0
