"""Archives as ``tar`` reads them, laid out so strictly that there is one for each manifest.

Each member is a regular file: a header of 512 bytes, its bytes, zeros up to the next multiple of
512. Two blocks of zeros end it, and nothing follows. Readers require the very header that a writer
would have written: no links, no devices, no long names, no extensions have a place in it, and no
name is taken from it that was not expected. Sizes above 8 GiB are as GNU's tar writes them.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from palimpsest.index.snapshots.manifest import damaged
from palimpsest.index.storage.directory import PIECE

GoOn: TypeAlias = Callable[[int], None]  # told of bytes that are done; raises to end the work
BLOCK = 512
END = bytes(2 * BLOCK)
_MODE = 0o644


def header_of(name: str, nbytes: int, created: int) -> bytes:
    """Return the header of a member; ``created`` is in seconds since the epoch."""
    one = tarfile.TarInfo(name)
    one.size, one.mtime, one.mode = nbytes, created, _MODE
    header = one.tobuf(tarfile.GNU_FORMAT)
    assert len(header) == BLOCK, name  # the name is short
    return header


def padding(nbytes: int) -> bytes:
    """Return the zeros behind a member of so many bytes."""
    return bytes(-nbytes % BLOCK)


def member_size(nbytes: int) -> int:
    """Return the bytes that a member takes in an archive."""
    return BLOCK + nbytes + -nbytes % BLOCK


def member(name: str, created: int, content: bytes) -> Iterator[bytes]:
    """Yield a short member."""
    yield header_of(name, len(content), created) + content + padding(len(content))


class ArchiveReader:
    """Reads an archive from front to back; methods raise Damaged for what is not as written."""

    def __init__(self, path: Path, pieces: Iterable[bytes]) -> None:
        """Begin.

        Args:
            path: what errors call it.
            pieces: its bytes, in pieces of any length.
        """
        self.path = path
        self._pieces = iter(pieces)
        self._left = memoryview(b"")

    def header(self) -> tuple[str, int, int] | None:
        """Return name, bytes and time of the next member, None at the end of the archive."""
        block = self.take(BLOCK)
        if block == bytes(BLOCK):
            self._require_end()
            return None
        try:
            said = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
            again = header_of(said.name, said.size, int(said.mtime))
        except (tarfile.TarError, ValueError, OverflowError, AssertionError) as error:
            raise damaged(self.path, "a regular file", repr(error)[:80], "archive") from None
        if again != block or said.size < 0:
            raise damaged(self.path, "a regular file", f"{said.name!r:.80}", "archive")
        return said.name, said.size, int(said.mtime)

    def require_header(self, name: str, nbytes: int, created: int) -> None:
        """Read the header of a member that has to come next."""
        found = self.take(BLOCK)
        if found != header_of(name, nbytes, created):
            raise damaged(self.path, f"{name}, {nbytes} bytes,", "another", "member")

    def content(self, nbytes: int) -> Iterator[bytes]:
        """Yield the bytes of the member whose header was read, to their end."""
        left = nbytes
        while left:
            piece = self._some(min(left, PIECE))
            left -= len(piece)
            yield piece
        if any(self.take(-nbytes % BLOCK)):
            raise damaged(self.path, "zeros", "others", "end of a member")

    def take(self, nbytes: int) -> bytes:
        """Return so many bytes."""
        parts, left = [], nbytes
        while left:
            parts.append(self._some(left))
            left -= len(parts[-1])
        return b"".join(parts)

    def _some(self, most: int) -> bytes:
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                raise damaged(self.path, "more bytes", "its end", "archive")
            self._left = memoryview(piece)
        some = bytes(self._left[:most])
        self._left = self._left[most:]
        return some

    def _require_end(self) -> None:
        if self.take(BLOCK) != bytes(BLOCK):
            raise damaged(self.path, "zeros", "others", "end of the archive")
        if self._left or any(len(piece) for piece in self._pieces):
            raise damaged(self.path, "nothing", "more bytes", "what follows the archive")
