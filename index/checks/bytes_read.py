"""Reads files from the disk piece by piece, without keeping them in the page cache.

What is in the cache proves nothing of the disk, so each piece is dropped from it before it is read;
and after, so that a check pushes nothing out that searches need. Pages that a program has mapped
and uses stay where they are.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PIECE = 4 << 20  # bytes


def checksum_of(path: Path, read: Callable[[int], None]) -> tuple[int, int]:
    """Return the length and the crc32 of a file.

    Args:
        path: the file.
        read: called with the bytes of each piece, after it.

    Raises:
        OSError: it cannot be read.
    """
    length = checksum = 0
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while True:
            drop(descriptor, length, PIECE)
            piece = os.pread(descriptor, PIECE, length)
            drop(descriptor, length, PIECE)
            if not piece:
                return length, checksum
            checksum = zlib.crc32(piece, checksum)
            length += len(piece)
            read(len(piece))
    finally:
        os.close(descriptor)


def drop(descriptor: int, start: int, length: int) -> None:
    """Let the system forget what it cached of a file, where it can be told to."""
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)
