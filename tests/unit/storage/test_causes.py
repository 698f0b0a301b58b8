from __future__ import annotations

import errno
import gc
import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from palimpsest.app.errors import describe
from palimpsest.index import (
    Damaged,
    DiskFailed,
    NotPermitted,
    OutOfDescriptors,
    OutOfMemory,
    ReadOnlyDisk,
    StorageError,
    StorageFull,
)
from palimpsest.index.storage import local
from palimpsest.index.storage.causes import disk_errors, of_sqlite
from palimpsest.index.storage.files import open_folder, write_folder
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.schema import connect, create_store, store_errors

CAUSES: dict[int, tuple[type[StorageError], int]] = {
    errno.EMFILE: (OutOfDescriptors, 503),
    errno.ENFILE: (OutOfDescriptors, 503),
    errno.ENOMEM: (OutOfMemory, 503),
    errno.EIO: (DiskFailed, 500),
    errno.EACCES: (NotPermitted, 500),
    errno.EPERM: (NotPermitted, 500),
    errno.EROFS: (ReadOnlyDisk, 507),
    errno.ENOSPC: (StorageFull, 507),
    errno.EDQUOT: (StorageFull, 507),
}
BLAME = ("damage", "restore", "delete")


@pytest.fixture
def folder(tmp_path: Path) -> tuple[Path, int]:
    path = tmp_path / "folder"
    return path, write_folder(Local(path), {"numbers": np.arange(1000)}, {})


@pytest.mark.parametrize("number", list(CAUSES), ids=[errno.errorcode[n] for n in CAUSES])
def test_every_cause_has_its_error_status_and_remedy(number: int) -> None:
    kind, status = CAUSES[number]
    with pytest.raises(kind) as caught, disk_errors("read it"):
        raise OSError(number, os.strerror(number))
    assert type(caught.value) is kind
    assert describe(caught.value)[0] == status
    assert not any(word in str(caught.value) for word in BLAME)
    assert describe(OSError(number, os.strerror(number)))[0] == status


@pytest.mark.parametrize("number", list(CAUSES), ids=[errno.errorcode[n] for n in CAUSES])
@pytest.mark.parametrize("where", ["open", "map", "read"])
def test_a_file_that_cannot_be_read_is_not_called_damaged(
    number: int, where: str, folder: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> object:
        raise OSError(number, os.strerror(number))

    if where == "open":
        monkeypatch.setattr("builtins.open", refuse)
    elif where == "map":
        monkeypatch.setattr(local, "map_file", refuse)
    else:
        monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(CAUSES[number][0]) as caught:
        open_folder(Local(folder[0]), folder[1])
    assert not isinstance(caught.value, Damaged)
    assert not any(word in str(caught.value) for word in BLAME)


def test_a_file_that_is_gone_is_damage(folder: tuple[Path, int]) -> None:
    (folder[0] / "numbers.npy").unlink()
    with pytest.raises(Damaged, match="numbers.npy"):
        open_folder(Local(folder[0]), folder[1])


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc here")
def test_mapped_files_hold_no_descriptor_and_go_with_their_last_array(
    folder: tuple[Path, int],
) -> None:
    def descriptors() -> list[str]:
        links = (Path("/proc/self/fd") / one for one in os.listdir("/proc/self/fd"))
        return [os.readlink(one) for one in links if one.is_symlink()]

    opened = open_folder(Local(folder[0]), folder[1])
    assert not any("numbers.npy" in one for one in descriptors())
    array = opened.mapped("numbers")
    del opened
    gc.collect()
    assert int(array.sum()) == 499_500
    assert not array.flags.writeable
    assert "numbers.npy" in Path("/proc/self/maps").read_text()
    part = array[10:20]
    del array
    gc.collect()
    assert part[0] == 10
    del part
    gc.collect()
    assert "numbers.npy" not in Path("/proc/self/maps").read_text()


def failed(name: str) -> sqlite3.Error:
    error = sqlite3.OperationalError("failed")
    error.sqlite_errorcode = getattr(sqlite3, name)
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SQLITE_FULL", StorageFull),
        ("SQLITE_IOERR_SHMSIZE", StorageFull),
        ("SQLITE_NOMEM", OutOfMemory),
        ("SQLITE_IOERR_NOMEM", OutOfMemory),
        ("SQLITE_IOERR_READ", DiskFailed),
        ("SQLITE_READONLY", ReadOnlyDisk),
        ("SQLITE_PERM", NotPermitted),
    ],
)
def test_errors_of_sqlite_have_causes_too(
    name: str, kind: type[StorageError], tmp_path: Path
) -> None:
    path = tmp_path / "store.sqlite3"
    create_store(path, {})
    found = of_sqlite(path, failed(name))
    assert type(found) is kind
    assert not any(word in str(found) for word in BLAME)
    assert of_sqlite(path, failed("SQLITE_CANTOPEN")) is None  # it can, by now


def test_sqlite_without_descriptors_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.sqlite3"
    create_store(path, {})
    begun = connect(path)
    begun.close()

    def refuse(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OutOfDescriptors), store_errors(path):
        raise failed("SQLITE_CANTOPEN")


def test_a_refused_allocation_is_503() -> None:
    status, text = describe(MemoryError())
    assert status == 503
    assert "memory" in text
