"""Syncs that fail: what is full is told apart from what may be lost."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from palimpsest.index.storage import syncing
from palimpsest.index.storage.syncing import (
    Unsynced,
    has_no_room,
    is_unsynced,
    sync,
    sync_file,
)


@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL, errno.ENOSPC, errno.EDQUOT])
def test_only_a_full_disk_is_no_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    (tmp_path / "x").touch()

    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(syncing.os, "fsync", fail)
    with pytest.raises(OSError) as failed:
        sync_file(tmp_path / "x")
    assert failed.value.errno == number
    assert isinstance(failed.value, Unsynced) is (number not in (errno.ENOSPC, errno.EDQUOT))
    assert has_no_room(tmp_path) is (number in (errno.ENOSPC, errno.EDQUOT))
    assert os.listdir(tmp_path) == ["x"], "no probe is left behind"


def test_folders_and_files_are_synced(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    sync(descriptor)
    os.close(descriptor)
    with pytest.raises(FileNotFoundError):
        sync_file(tmp_path / "not there")


def test_room_is_told_by_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not has_no_room(tmp_path)
    monkeypatch.setattr(syncing.os, "write", lambda *_: 5)
    assert has_no_room(tmp_path), "as much as there was fitted"
    assert not has_no_room(tmp_path / "not there"), "that is another matter"


def test_what_sqlite_could_not_sync_is_told_by_its_code() -> None:
    error = sqlite3.OperationalError("disk I/O error")
    assert not is_unsynced(error) and not is_unsynced(None)
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    assert is_unsynced(error)
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
    assert not is_unsynced(error)
