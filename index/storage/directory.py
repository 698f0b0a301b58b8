"""The one door to files: what a folder of them can do, wherever it is.

Segments, adapters, payload indexes, lists of aliases, notes and all that a doctor looks at are read
and written through it. ``index.storage.local`` keeps files on a disk, ``index.storage.in_memory``
keeps none. The files of SQLite, and what is read of them behind its back, are no part of it.

Files are written once, and never changed; another takes the place of one by its name.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, Self

from palimpsest.index.storage.reserve import Admitted, anything

PIECE = 4 << 20  # bytes read or written by one call; keeps the time without a sign of life short


class Directory(Protocol):
    """A folder, which need not be there. Every method raises OSError: of the usual numbers."""

    @property
    def path(self) -> Path:
        """What errors call it; of a local one where it is."""

    @property
    def parent(self) -> Self:
        """The folder it is in."""

    def __truediv__(self, name: str) -> Self:
        """Return the folder of a name in it."""

    def create(self) -> None:
        """Make it. Raises FileExistsError."""

    def exists(self) -> bool:
        """Tell whether it is there, and a folder."""

    def has(self, name: str) -> bool:
        """Tell whether there is a file, or a folder, of a name in it."""

    def list(self) -> list[str]:
        """Return the names of what is in it, ascending. Raises FileNotFoundError."""

    def write(
        self,
        name: str,
        parts: Iterable[bytes | memoryview],
        admitted: Admitted = anything,
        *,
        synced: bool = True,
        steady: bool = False,
    ) -> tuple[int, int]:
        """Write a new file, each piece of it once that is admitted; return its length and crc32.

        A ``steady`` one is synced piece by piece: one sync of gigabytes would hold up the commits
        of others. On failure a part of it may be left. Raises FileExistsError.
        """

    def read(self, name: str) -> bytes:
        """Return what a small file holds."""

    def open(self, name: str) -> memoryview:
        """Return what a file holds, paged in when it is read; read-only.

        No descriptor is held, and the file may be removed.
        """

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield a file in pieces as it is kept, not as it was cached."""

    def size(self) -> int:
        """Return the bytes of all files in it and below, but of those that go meanwhile."""

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all that is in it; one that is not there is fine.

        What cannot be removed of a folder is left, without an error.
        """

    def rename(self, name: str, to: Self, new: str) -> None:
        """Move a file or a folder, in the place of a file that may be there."""

    def link(self, name: str, to: Self, new: str) -> None:
        """Let a file have another name as well."""

    def sync(self) -> None:
        """Make durable which names are in it. What a file holds is synced by ``write``."""


def checksum_of(parts: Iterator[bytes] | Sequence[bytes | memoryview]) -> tuple[int, int]:
    """Return length and crc32 of what comes in parts."""
    length = checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
        length += len(part)
    return length, checksum


def make_folder(folder: Directory) -> None:
    """Make a folder, and those above it, durable; it may be there already."""
    if not folder.exists():
        make_folder(folder.parent)
        folder.create()
        folder.parent.sync()


def replace_file(folder: Directory, name: str, content: bytes, *, synced: bool = True) -> None:
    """Write a file in the place of one that may be there: that one stays, or all of this is there.

    Args:
        folder: it is in.
        name: of the file.
        content: of it.
        synced: whether it is durable on return.

    Raises:
        OSError: it could not be written; nothing is left of it.
    """
    unfinished = f"{name}.tmp"
    # A crash may have left one, and files are never opened over another.
    folder.remove(unfinished)
    try:
        folder.write(unfinished, [content], synced=synced)
        # The contents were synced by `write`, before the name is theirs: a reader finds the old
        # file or the new one, whole.
        folder.rename(unfinished, folder, name)
    except BaseException:
        remove_quietly(folder, unfinished)
        raise
    if synced:
        folder.sync()


def remove_quietly(folder: Directory, name: str) -> None:
    """Remove what nothing refers to; a leftover is removed on the next open."""
    try:
        folder.remove(name)
    except OSError:
        pass
