"""Files that sources are in: what tells that one has changed, and lines of text, packed or not."""

from __future__ import annotations

import gzip
import sys
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from palimpsest.app.transfer.errors import TransferError, WrongUse

STDIN = "-"


def file_mark(path: Path) -> list[int]:
    """Return a file's size and when it was last written, in ns. Raises WrongUse."""
    try:
        found = path.stat()
    except OSError as error:
        raise WrongUse(f"{path}: {error.strerror}") from error
    return [found.st_size, found.st_mtime_ns]


def open_lines(source: str) -> BinaryIO:
    """Return a file of lines, unpacked if its name ends in ``.gz``; ``-`` is standard input.

    Raises:
        WrongUse: it cannot be opened.
    """
    if source == STDIN:
        return sys.stdin.buffer
    try:
        if source.endswith(".gz"):
            return cast(BinaryIO, gzip.open(source, "rb"))
        return open(source, "rb")
    except OSError as error:
        raise WrongUse(f"{source}: {error.strerror}") from error


def lines_of(file: BinaryIO, name: str) -> Iterator[bytes]:
    """Give the lines of a file without their ends. Raises TransferError where it breaks off.

    A mark of UTF-8 before the first, as editors of Windows write it, is no part of it.
    """
    number = 0
    try:
        for line in file:
            yield (line if number else line.removeprefix(BOM_UTF8)).rstrip(b"\r\n")
            number += 1
    except (EOFError, OSError, zlib.error) as error:
        raise TransferError(f"{name}: cannot be read after line {number}: {error}") from error
