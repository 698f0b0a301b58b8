"""Folders on a disk: what only they do. What all folders do stands in ``test_directory``."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from palimpsest.index.storage import local
from palimpsest.index.storage.local import Local


def test_a_write_that_takes_only_a_part_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, calls = os.write, list[int]()

    def short(descriptor: int, piece: bytes) -> int:
        calls.append(len(piece))
        return write(descriptor, piece[:3])

    monkeypatch.setattr(local.os, "write", short)
    assert Local(tmp_path).write("файл", [b"0123456789", b""])[0] == 10
    assert calls == [10, 7, 4, 1] and Local(tmp_path).read("файл") == b"0123456789"


def test_a_disk_that_takes_nothing_is_an_error_and_no_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local.os, "write", lambda *_: 0)
    with pytest.raises(OSError) as failed:
        Local(tmp_path).write("x", [b"1"])
    assert failed.value.errno == errno.EIO


def test_only_what_is_to_be_durable_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(local, "sync", synced.append)
    Local(tmp_path).write("a", [b"1"], synced=False)
    assert synced == []
    Local(tmp_path).write("b", [b"1"])
    Local(tmp_path).sync()
    assert len(synced) == 2


def test_a_map_is_empty_where_the_file_is_and_holds_no_descriptor(tmp_path: Path) -> None:
    root = Local(tmp_path)
    root.write("empty", [])
    root.write("some", [b"12"])
    before = len(os.listdir("/proc/self/fd"))
    maps = [root.open("empty"), root.open("some")]
    assert [one.tobytes() for one in maps] == [b"", b"12"]
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_link_to_a_folder_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    root = Local(tmp_path)
    (root / "kept").create()
    (root / "kept").write("x", [b"123"])
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    root.remove("link")
    root.remove("not there")
    assert root.list() == ["kept"] and root.size() == 3
