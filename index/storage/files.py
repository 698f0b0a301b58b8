"""Write-once folders of arrays that describe and protect themselves.

A folder holds ``.npy`` files and ``segment.json``, which carries the format number, the owner's
description and each file's length and crc32. The crc32 of ``segment.json`` itself is returned to
the caller, who keeps it in the manifest. A folder is written under a temporary name; its files and
itself are synced before it is renamed and its parent synced, so a name without ``.tmp`` means the
folder is whole. Every byte is checked when a folder is opened: length first, then checksum, then
the contents are parsed.

Formats: 1, the first; 2, segments carry the numbers of their points.
"""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import shutil
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.errors import Damaged, UnknownFormat
from palimpsest.index.storage.causes import disk_errors, unreadable
from palimpsest.index.storage.mapped import map_file
from palimpsest.index.storage.reserve import Admitted, anything
from palimpsest.index.storage.syncing import sync

FORMAT = 2
DESCRIPTION = "segment.json"
_WRITE_BYTES = 4 << 20  # one write call; keeps the time without a sign of life short

Array = NDArray[Any]
_log = logging.getLogger(__name__)


def write_folder(
    folder: Path,
    arrays: Mapping[str, Array],
    description: Mapping[str, Any],
    admitted: Admitted = anything,
) -> int:
    """Write ``<name>.npy`` files and their description; return the description's crc32.

    The folder appears whole or not at all. On failure nothing is left behind. Each piece of it is
    written once it is ``admitted``.
    """
    unfinished = folder.with_name(folder.name + ".tmp")
    with disk_errors(f"write {folder}"):
        try:
            return _write_folder(unfinished, folder, arrays, description, admitted)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise


def _write_folder(
    unfinished: Path,
    folder: Path,
    arrays: Mapping[str, Array],
    description: Mapping[str, Any],
    admitted: Admitted,
) -> int:
    os.mkdir(unfinished)
    files = {}
    for name, array in arrays.items():
        length, checksum = _write_array(unfinished / f"{name}.npy", array, admitted)
        files[f"{name}.npy"] = {"bytes": length, "crc32": checksum}
    text = json.dumps({"format": FORMAT, **description, "files": files}, indent=1).encode()
    _write_file(unfinished / DESCRIPTION, [text], admitted)
    sync_folder(unfinished)
    os.rename(unfinished, folder)
    sync_folder(folder.parent)
    return zlib.crc32(text)


def _write_array(path: Path, array: Array, admitted: Admitted) -> tuple[int, int]:
    head = io.BytesIO()
    array = np.ascontiguousarray(array)
    described = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_1_0(head, described)
    parts: list[bytes | memoryview] = [head.getvalue(), array.reshape(-1).view(np.uint8).data]
    return _write_file(path, parts, admitted)


def _write_file(
    path: Path, parts: Sequence[bytes | memoryview], admitted: Admitted = anything
) -> tuple[int, int]:
    """Write and sync a new file; return its length and crc32."""
    length = checksum = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        for part in parts:
            for start in range(0, len(part), _WRITE_BYTES):
                piece = part[start : start + _WRITE_BYTES]
                with admitted():
                    _write_all(descriptor, piece)
                checksum = zlib.crc32(piece, checksum)
            length += len(part)
        sync(descriptor)
    finally:
        os.close(descriptor)
    return length, checksum


def _write_all(descriptor: int, piece: bytes | memoryview) -> None:
    written = 0
    while written < len(piece):
        count = os.write(descriptor, piece[written:])
        if count == 0:
            raise OSError(errno.EIO, "nothing more of the file could be written")
        written += count


def write_synced(path: Path, content: bytes) -> None:
    """Write and sync a new file. Raises StorageFull or StoreFailed."""
    with disk_errors(f"write {path}"):
        _write_file(path, [content])


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, durable; it may be there already."""
    if not folder.exists():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the folder's own entries durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Folder:
    """An opened folder: every file's length and checksum was right, but for those it lacks."""

    path: Path
    description: Mapping[str, Any]
    buffers: Mapping[str, memoryview]
    lacking: Mapping[str, Damaged] = field(default_factory=dict)  # spare files, what is wrong

    def has(self, name: str) -> bool:
        """Tell whether there is an array of the name."""
        return f"{name}.npy" in self.buffers

    def without(self, names: Collection[str], found: object) -> Folder:
        """Return it without some files, whose contents make no sense though they are whole."""
        left = {name: buffer for name, buffer in self.buffers.items() if name not in names}
        senseless = {
            name: Damaged(self.path / name, "contents that fit", found, "file")
            for name in self.buffers.keys() - left.keys()
        }
        return Folder(self.path, self.description, left, {**self.lacking, **senseless})

    def mapped(self, name: str) -> Array:
        """Return an array that stays on disk and is paged in when read; read-only."""
        buffer = self.buffers[f"{name}.npy"]
        head = io.BytesIO(buffer[: min(len(buffer), 4096)])
        np.lib.format.read_magic(head)
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(head)
        if fortran:
            raise Damaged(self.path / f"{name}.npy", "C order", "Fortran order", "array order")
        flat = np.frombuffer(buffer, dtype=dtype, offset=head.tell(), count=int(np.prod(shape)))
        return flat.reshape(shape)

    def loaded(self, name: str) -> Array:
        """Return an array copied into memory, where large pages make random reads cheaper."""
        source = self.mapped(name)
        array = np.empty_like(source)
        step = max(1, _WRITE_BYTES // max(1, source[:1].nbytes))
        for start in range(0, len(source), step):  # in pieces: each copy may hold the interpreter
            array[start : start + step] = source[start : start + step]
        array.flags.writeable = False
        return array

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays on disk."""
        return sum(len(buffer) for buffer in self.buffers.values())


def open_folder(
    path: Path, checksum: int, spare: Callable[[Collection[str]], Collection[str]] | None = None
) -> Folder:
    """Open a folder and check every byte of it.

    Args:
        path: the folder.
        checksum: crc32 of its description, as ``write_folder`` returned it.
        spare: tells, of the names of all files, those that can be made anew from the others; the
            folder is opened without one that is damaged. None for no file.

    Raises:
        Damaged: a file is missing, or its length or checksum is wrong; names the file.
        UnknownFormat: the folder was written by a newer release.
        StorageError: one of its other subclasses: a file could not be read.
    """
    description_path = path / DESCRIPTION
    try:
        text = description_path.read_bytes()
    except OSError as error:
        raise unreadable(description_path, error) from error
    _require_equal(description_path, "checksum", checksum, zlib.crc32(text))
    description = json.loads(text)
    if description["format"] not in range(1, FORMAT + 1):
        raise UnknownFormat(path, description["format"], FORMAT)
    expected = description["files"]
    spared = () if spare is None else spare(expected)
    buffers, lacking = {}, {}
    for name, one in expected.items():
        try:
            buffers[name] = _open_file(path / name, one["bytes"], one["crc32"])
        except Damaged as error:
            if name not in spared:
                raise
            lacking[name] = error
            _log.warning("%s; it is made anew from other files", error.finding)
    return Folder(path, description, buffers, lacking)


def _open_file(path: Path, length: int, checksum: int) -> memoryview:
    try:
        with open(path, "rb") as file:
            _require_equal(path, "length", length, os.fstat(file.fileno()).st_size)
            buffer = map_file(file.fileno(), length)
    except OSError as error:
        raise unreadable(path, error) from error
    _require_equal(path, "checksum", checksum, zlib.crc32(buffer))
    return buffer


def _require_equal(path: Path, what: str, expected: int, found: int) -> None:
    if expected != found:
        raise Damaged(path, expected, found, what)


def remove_folder(folder: Path) -> None:
    """Delete a folder nothing refers to; a leftover is deleted on the next open."""
    shutil.rmtree(folder, ignore_errors=True)


def remove_unlisted(parent: Path, listed: set[str]) -> None:
    """Delete every entry of ``parent`` whose name is not listed."""
    for entry in os.listdir(parent):
        if entry not in listed:
            remove_folder(parent / entry)


def described(path: Path) -> dict[str, Any]:
    """Return a folder's description, unchecked; nothing where there is none that can be read."""
    try:
        description = json.loads((path / DESCRIPTION).read_bytes())
    except (OSError, ValueError):
        return {}
    return description if isinstance(description, dict) else {}
