from __future__ import annotations

import errno
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palimpsest.index.errors import Damaged, StorageFull, StoreFailed, UnknownFormat
from palimpsest.index.storage import files
from palimpsest.index.storage.files import DESCRIPTION, Folder, open_folder, write_folder
from palimpsest.index.storage.local import Local


def arrays() -> dict[str, Any]:
    return {
        "codes": np.arange(60, dtype=np.uint8).reshape(4, 15),
        "ids": np.array([9, 3, 7, 2**63], dtype=np.uint64),
        "vectors": np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3),
        "links": np.empty(0, dtype=np.uint32),
    }


def test_what_was_written_is_read(tmp_path: Path) -> None:
    checksum = write_folder(Local(tmp_path / "a"), arrays(), {"size": 3})
    folder = open_folder(Local(tmp_path / "a"), checksum)
    assert folder.description["size"] == 3
    for name, expected in arrays().items():
        for read in (folder.mapped(name), folder.loaded(name)):
            assert read.dtype == expected.dtype
            np.testing.assert_array_equal(read, expected)
            assert not read.flags.writeable
        np.testing.assert_array_equal(np.load(tmp_path / "a" / f"{name}.npy"), expected)
    assert not folder.has("scales")
    assert os.listdir(tmp_path) == ["a"]


def test_every_flipped_byte_is_found_and_named(tmp_path: Path) -> None:
    checksum = write_folder(Local(tmp_path / "a"), arrays(), {})
    for file in sorted((tmp_path / "a").iterdir()):
        text = file.read_bytes()
        for place in range(len(text)):
            file.write_bytes(text[:place] + bytes([text[place] ^ 0x10]) + text[place + 1 :])
            with pytest.raises(Damaged, match=file.name):
                open_folder(Local(tmp_path / "a"), checksum)
        file.write_bytes(text)
    open_folder(Local(tmp_path / "a"), checksum)


@pytest.mark.parametrize("name", ["codes.npy", "links.npy", DESCRIPTION])
def test_shorter_longer_and_missing_files_are_found(tmp_path: Path, name: str) -> None:
    checksum = write_folder(Local(tmp_path / "a"), arrays(), {})
    file = tmp_path / "a" / name
    text = file.read_bytes()
    for wrong in (b"", text[:-1], text[: len(text) // 2], text + b"\0"):
        file.write_bytes(wrong)
        with pytest.raises(Damaged, match=name):
            open_folder(Local(tmp_path / "a"), checksum)
    file.unlink()
    with pytest.raises(Damaged, match=name):
        open_folder(Local(tmp_path / "a"), checksum)


def test_a_newer_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FORMAT", 3)
    checksum = write_folder(Local(tmp_path / "a"), {}, {})
    monkeypatch.setattr(files, "FORMAT", 2)
    with pytest.raises(UnknownFormat, match="format 3"):
        open_folder(Local(tmp_path / "a"), checksum)


@pytest.mark.parametrize("call", ["mkdir", "write", "fsync", "rename"])
@pytest.mark.parametrize(
    ("number", "expected"), [(errno.ENOSPC, StorageFull), (errno.EIO, StoreFailed)]
)
def test_a_failed_write_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    number: int,
    expected: type[Exception],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail)
        with pytest.raises(expected):
            write_folder(Local(tmp_path / "a"), arrays(), {})
    assert os.listdir(tmp_path) == []
    write_folder(Local(tmp_path / "a"), arrays(), {})


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda file, text: write(file, bytes(text)[:7]))
        checksum = write_folder(Local(tmp_path / "a"), arrays(), {})
    open_folder(Local(tmp_path / "a"), checksum)


@pytest.mark.parametrize("head", [b"\0" * 20, b"\xc2\x96", b"(" * 50, b"-" * 3_000 + b"1", b"{'a'"])
def test_a_head_that_is_none_of_an_array_is_a_wrong_value(tmp_path: Path, head: bytes) -> None:
    content = b"\x93NUMPY\1\0" + len(head).to_bytes(2, "little") + head
    unopened = Folder(tmp_path, {}, {"a.npy": memoryview(content)})
    for read in (unopened.mapped, unopened.loaded):
        with pytest.raises(ValueError):
            read("a")


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"[]", b"3", b"{}", b"\xff", b'{"format": 2, "files": []}'),
        b'{"format": 2, "files": {"a.npy": 3}}',
        b'{"format": 2, "files": {"a.npy": {"bytes": 1}}}',
        b'{"format": 2, "files": {"../a/a.npy": {"bytes": 1, "crc32": 1}}}',
        b'{"format": 2, "files": {"a\\u0000": {"bytes": 1, "crc32": 1}}}',
        b'{"format": 2, "files": {"a.npy": {"bytes": "many", "crc32": 1}}}',
    ],
)
def test_a_description_that_means_nothing_is_damaged_though_its_checksum_fits(
    tmp_path: Path, text: bytes
) -> None:
    write_folder(Local(tmp_path / "a"), {"a": np.zeros(1)}, {})
    (tmp_path / "a" / DESCRIPTION).write_bytes(text)
    with pytest.raises(Damaged, match="a"):
        open_folder(Local(tmp_path / "a"), zlib.crc32(text))
