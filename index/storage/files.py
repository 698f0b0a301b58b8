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

import io
import json
import logging
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.errors import Damaged, UnknownFormat
from palimpsest.index.storage.causes import disk_errors, unreadable
from palimpsest.index.storage.directory import PIECE, Directory, remove_quietly
from palimpsest.index.storage.reserve import Admitted, anything

FORMAT = 2
DESCRIPTION = "segment.json"

Array = NDArray[Any]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Streamed:
    """An array that is made while it is written, in pieces along its first axis, in order."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    pieces: Callable[[], Iterator[Array]]


def write_folder(
    folder: Directory,
    arrays: Mapping[str, Array | Streamed],
    description: Mapping[str, Any],
    admitted: Admitted = anything,
) -> int:
    """Write ``<name>.npy`` files and their description; return the description's crc32.

    The folder appears whole or not at all. On failure nothing is left behind. Each piece of it is
    written once it is ``admitted``.
    """
    # Beside its later place, in the same file system: only there a rename is one step.
    unfinished = folder.parent / f"{folder.path.name}.tmp"
    with disk_errors(f"write {folder.path}"):
        try:
            return _write_folder(unfinished, folder, arrays, description, admitted)
        except BaseException:
            remove_folder(unfinished)
            raise


def _write_folder(
    unfinished: Directory,
    folder: Directory,
    arrays: Mapping[str, Array | Streamed],
    description: Mapping[str, Any],
    admitted: Admitted,
) -> int:
    unfinished.create()
    files = {}
    for name, array in arrays.items():
        length, checksum = unfinished.write(f"{name}.npy", _parts_of(array), admitted)
        files[f"{name}.npy"] = {"bytes": length, "crc32": checksum}
    text = json.dumps({"format": FORMAT, **description, "files": files}, indent=1).encode()
    # Last: it holds the checksums of all others, and its own stands in the store. One number there
    # vouches for every byte of the folder.
    unfinished.write(DESCRIPTION, [text], admitted)
    unfinished.sync()
    # Files and their names are synced by now, so that the folder is whole as soon as it has its
    # name.
    folder.parent.rename(unfinished.path.name, folder.parent, folder.path.name)
    folder.parent.sync()
    return zlib.crc32(text)


def _parts_of(array: Array | Streamed) -> Iterable[bytes | memoryview]:
    """Return the file of an array: its head, and what it holds."""
    if isinstance(array, Streamed):
        return _pieces_of(array)
    # A copy where the array is a slice: its bytes are written as they lie.
    array = np.ascontiguousarray(array)
    return [_head(np.lib.format.header_data_from_array_1_0(array)), _bytes_of(array)]


def _pieces_of(array: Streamed) -> Iterator[bytes | memoryview]:
    described = np.lib.format.dtype_to_descr(array.dtype)
    yield _head({"shape": array.shape, "fortran_order": False, "descr": described})
    written = 0
    for piece in array.pieces():
        assert piece.dtype == array.dtype and piece.shape[1:] == array.shape[1:]
        written += len(piece)
        yield _bytes_of(np.ascontiguousarray(piece))
    assert written == array.shape[0]


def _head(described: dict[str, Any]) -> bytes:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, described)
    return head.getvalue()


def _bytes_of(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


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
        # Enough for any head that `write_folder` writes; the array itself is not touched, so that
        # nothing is paged in.
        head = io.BytesIO(buffer[: min(len(buffer), 4096)])
        try:
            np.lib.format.read_magic(head)
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(head)
        except (RecursionError, SyntaxError, TokenError) as error:  # it is read as Python text
            raise ValueError(f"{name} has no head of an array: {error}") from error
        if fortran:
            raise Damaged(self.path / f"{name}.npy", "C order", "Fortran order", "array order")
        # Over a buffer that is read-only, so that the array is too; `np.load` would need the path,
        # which may be gone while a reader still holds the mapping.
        flat = np.frombuffer(buffer, dtype=dtype, offset=head.tell(), count=int(np.prod(shape)))
        return flat.reshape(shape)

    def loaded(self, name: str) -> Array:
        """Return an array copied into memory, where large pages make random reads cheaper."""
        source = self.mapped(name)
        array = np.empty_like(source)
        step = max(1, PIECE // max(1, source[:1].nbytes))
        for start in range(0, len(source), step):  # in pieces: each copy may hold the interpreter
            array[start : start + step] = source[start : start + step]
        array.flags.writeable = False
        return array

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each file of an array on disk."""
        return {name: len(buffer) for name, buffer in self.buffers.items()}


def open_folder(
    folder: Directory,
    checksum: int,
    spare: Callable[[Collection[str]], Collection[str]] | None = None,
) -> Folder:
    """Open a folder and check every byte of it.

    Args:
        folder: where it is.
        checksum: crc32 of its description, as ``write_folder`` returned it.
        spare: tells, of the names of all files, those that can be made anew from the others; the
            folder is opened without one that is damaged. None for no file.

    Raises:
        Damaged: a file is missing, or its length or checksum is wrong; names the file.
        UnknownFormat: the folder was written by a newer release.
        StorageError: one of its other subclasses: a file could not be read.
    """
    path = folder.path
    try:
        text = folder.read(DESCRIPTION)
    except OSError as error:
        raise unreadable(path / DESCRIPTION, error) from error
    # Before it is parsed: what it says of lengths and formats is trusted from here on.
    _require_equal(path / DESCRIPTION, "checksum", checksum, zlib.crc32(text))
    description, expected = _described(path, text)
    spared = () if spare is None else spare(expected)
    buffers, lacking = {}, {}
    for name, (length, crc) in expected.items():
        try:
            buffers[name] = _open_file(folder, name, length, crc)
        except Damaged as error:
            if name not in spared:
                raise
            lacking[name] = _bare(error)
            _log.warning("%s; it is made anew from other files", error.finding)
    return Folder(path, description, buffers, lacking)


def _described(path: Path, text: bytes) -> tuple[dict[str, Any], dict[str, tuple[int, int]]]:
    """Return a description, and length and crc32 of each file, of a text that is as it was written.

    Someone may have made it on purpose: then it is no error of this program if it means nothing.
    """
    try:
        description = json.loads(text)
        format, files = description["format"], description["files"]
        expected = {name: (one["bytes"], one["crc32"]) for name, one in files.items()}
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise Damaged(path / DESCRIPTION, "a description", repr(error), "contents") from error
    if format not in range(1, FORMAT + 1):
        raise UnknownFormat(path, format, FORMAT)
    if any({"/", "\0"} & {*name} for name in expected):  # it would be read from somewhere else
        raise Damaged(path / DESCRIPTION, "names of files", list(expected), "contents")
    return description, expected


def _bare(error: Damaged) -> Damaged:
    """Return an error that is kept, without its traceback: that keeps what all callers held."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _open_file(folder: Directory, name: str, length: int, checksum: int) -> memoryview:
    path = folder.path / name
    try:
        buffer = folder.open(name)
    except OSError as error:
        raise unreadable(path, error) from error
    _require_equal(path, "length", length, len(buffer))
    _require_equal(path, "checksum", checksum, zlib.crc32(buffer))
    return buffer


def _require_equal(path: Path, what: str, expected: int, found: int) -> None:
    if expected != found:
        raise Damaged(path, expected, found, what)


def remove_folder(folder: Directory) -> None:
    """Delete a folder nothing refers to; a leftover is deleted on the next open."""
    remove_quietly(folder.parent, folder.path.name)


def described(folder: Directory) -> dict[str, Any]:
    """Return a folder's description, unchecked; nothing where there is none that can be read."""
    try:
        description = json.loads(folder.read(DESCRIPTION))
    except (OSError, ValueError):
        return {}
    return description if isinstance(description, dict) else {}
