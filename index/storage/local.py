"""Folders on a disk. ``Local(path)`` is the ``Directory`` that a server reads and writes."""

from __future__ import annotations

import errno
import os
import shutil
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from palimpsest.index.storage.directory import PIECE
from palimpsest.index.storage.mapped import map_file
from palimpsest.index.storage.reserve import Admitted, anything
from palimpsest.index.storage.syncing import sync

_STEADY = 1 << 20  # bytes of a steady file between two syncs
_LONGEST_PAUSE = 0.1  # seconds


@dataclass(frozen=True, slots=True)
class Local:
    """A folder of the operating system; see ``Directory``."""

    path: Path

    @property
    def parent(self) -> Local:
        """The folder it is in."""
        return Local(self.path.parent)

    def __truediv__(self, name: str) -> Local:
        return Local(self.path / name)

    def create(self) -> None:
        """Make it. Raises FileExistsError."""
        os.mkdir(self.path)

    def exists(self) -> bool:
        """Tell whether it is there, and a folder."""
        return self.path.is_dir()

    def has(self, name: str) -> bool:
        """Tell whether there is a file, or a folder, of a name in it."""
        return (self.path / name).exists()

    def list(self) -> list[str]:
        """Return the names of what is in it, ascending. Raises FileNotFoundError."""
        return sorted(os.listdir(self.path))

    def write(
        self,
        name: str,
        parts: Iterable[bytes | memoryview],
        admitted: Admitted = anything,
        *,
        synced: bool = True,
        steady: bool = False,
    ) -> tuple[int, int]:
        """Write a new file; return its length and crc32."""
        length = checksum = waiting = 0
        # Never an existing file: what a reader has mapped must not change under it, and what
        # replaces a file is written beside it and renamed.
        descriptor = os.open(self.path / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            for part in parts:
                # In pieces, each admitted on its own: a segment of gigabytes must not hold up a
                # delete that waits for the room kept for it.
                step = _STEADY if steady else PIECE
                for start in range(0, len(part), step):
                    piece = part[start : start + step]
                    with admitted():
                        _write_all(descriptor, piece)
                    waiting += len(piece)
                    if steady and waiting >= _STEADY:
                        begun = time.monotonic()
                        sync(descriptor)
                        # as long again the disk is left to those whose commits waited for this
                        time.sleep(min(time.monotonic() - begun, _LONGEST_PAUSE))
                        waiting = 0
                    checksum = zlib.crc32(piece, checksum)
                length += len(part)
            # Before any rename that makes it visible: a rename that survives a power cut while the
            # contents do not leaves a file of zeros under a good name.
            if synced:
                sync(descriptor)
        finally:
            os.close(descriptor)
        return length, checksum

    def begin(self, name: str) -> IO[bytes]:
        """Return a new file that grows as it comes: one that is of no use after a crash."""
        return open(self.path / name, "xb", buffering=0)

    def read(self, name: str) -> bytes:
        """Return what a small file holds."""
        return (self.path / name).read_bytes()

    def open(self, name: str) -> memoryview:
        """Return what a file holds, mapped into memory."""
        with open(self.path / name, "rb") as file:
            length = os.fstat(file.fileno()).st_size
            # The mapping outlives the descriptor, so that thousands of files do not count against
            # the limit.
            # nothing can be mapped of an empty one
            return map_file(file.fileno(), length) if length else memoryview(b"")

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield a file in pieces as the disk has it.

        What is in the page cache proves nothing of the disk, so each piece is dropped from it
        before it is read; and after, so that nothing is pushed out that searches need. Pages that
        a program has mapped and uses stay where they are.
        """
        start = 0
        descriptor = os.open(self.path / name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while True:
                _drop(descriptor, start)
                piece = os.pread(descriptor, PIECE, start)
                _drop(descriptor, start)
                if not piece:
                    return
                yield piece
                start += len(piece)
        finally:
            os.close(descriptor)

    def size(self) -> int:
        """Return the bytes of all files in it and below."""
        total = 0
        for parent, _, names in os.walk(self.path):
            for name in names:
                # Links are counted as what they are, not as what they lead to, which may be
                # outside.
                with suppress(OSError):  # replaced meanwhile
                    total += os.lstat(os.path.join(parent, name)).st_size
        return total

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all that is in it."""
        path = self.path / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def rename(self, name: str, to: Local, new: str) -> None:
        """Move a file or a folder, in the place of a file that may be there."""
        os.rename(self.path / name, to.path / new)

    def link(self, name: str, to: Local, new: str) -> None:
        """Let a file have another name as well."""
        os.link(self.path / name, to.path / new)

    def sync(self) -> None:
        """Make durable which names are in it."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            sync(descriptor)
        finally:
            os.close(descriptor)


def _write_all(descriptor: int, piece: bytes | memoryview) -> None:
    written = 0
    while written < len(piece):
        count = os.write(descriptor, piece[written:])
        if count == 0:
            raise OSError(errno.EIO, "nothing more of the file could be written")
        written += count


def _drop(descriptor: int, start: int) -> None:
    """Let the system forget what it cached of a file, where it can be told to."""
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(descriptor, start, PIECE, os.POSIX_FADV_DONTNEED)
