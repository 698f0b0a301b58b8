"""How far a store's log reaches: a chain over its commits, in the store and in a file beside it.

Every commit writes its number and a random mark, with the mark of the commit before it, into the
row of ``position``. After each commit, before anyone is answered, the same is written into the
record ``store.reach`` beside the store, without a sync of its own: it survives the end of the
program, and after a power loss it says less than was answered, never more. So a store that is found
behind its record has lost what was answered, and one with another mark is not the store it was.

A record holds the same thing twice, so that one flipped bit costs nothing.
"""

from __future__ import annotations

import os
import secrets
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from palimpsest.index.storage.directory import replace_file
from palimpsest.index.storage.local import Local

MAGIC = b"pRch"
_FIELDS = struct.Struct(">4sQQQQ")
_CHECK = struct.Struct(">I")
CELL = _FIELDS.size + _CHECK.size  # bytes of a reach as it is stored
RECORD = "store.reach"
_ONE = 64  # bytes of one of the two in a record


@dataclass(frozen=True, slots=True)
class Reach:
    """The last commit of a store: its number from 1 on, its mark, and the mark before it."""

    store: int  # drawn when the store was made
    commit: int
    before: int
    mark: int

    @classmethod
    def none(cls) -> Reach:
        """Return that of a new store without a commit."""
        return cls(secrets.randbits(64), 0, 0, 0)

    def next(self) -> Reach:
        """Return that of the commit after this one."""
        # A drawn mark besides the number: two histories of one store (a copy that was written to)
        # have the same numbers, and differ here.
        return Reach(self.store, self.commit + 1, self.mark, secrets.randbits(64))

    def to_bytes(self) -> bytes:
        """Return it as it is stored, with its own checksum."""
        text = _FIELDS.pack(MAGIC, self.store, self.commit, self.before, self.mark)
        return text + _CHECK.pack(zlib.crc32(text))

    @classmethod
    def from_bytes(cls, text: bytes) -> Reach | None:
        """Return what ``to_bytes`` wrote; None if that is not what these bytes are."""
        if len(text) < CELL or not text.startswith(MAGIC):
            return None
        fields = text[: _FIELDS.size]
        if _CHECK.unpack_from(text, _FIELDS.size)[0] != zlib.crc32(fields):
            return None
        return cls(*_FIELDS.unpack(fields)[1:])

    def to_json(self) -> str:
        """Return what a segment says of the reach it was written at."""
        return self.to_bytes().hex()

    @classmethod
    def from_json(cls, said: object) -> Reach | None:
        """Return what ``to_json`` wrote; None if that is not what this is."""
        try:
            return cls.from_bytes(bytes.fromhex(str(said)))
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"commit {self.commit} ({self.mark:016x}) of store {self.store:016x}"


def record_of(store: Path) -> Path:
    """Return where the record of a store is."""
    return store.with_name(RECORD)


def read_record(path: Path) -> Reach | None:
    """Return what a record says, None if it says nothing whole. Raises OSError."""
    text = Local(path.parent).read(path.name)
    # Twice, each with its checksum, so that one flipped bit does not cost what the record knows.
    both = [Reach.from_bytes(text[start : start + CELL]) for start in (0, _ONE)]
    return max((one for one in both if one is not None), key=lambda one: one.commit, default=None)


def create_record(path: Path, reach: Reach) -> None:
    """Write a record, in the place of one that may be there; synced. Raises OSError."""
    replace_file(Local(path.parent), path.name, _twice(reach))


class ReachRecord:
    """The open record of a store; belongs to the writer."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "r+b", buffering=0)

    def follow(self, reach: Reach) -> None:
        """Say that a commit is synced. One write within a page: a kill leaves all or nothing."""
        # Not synced: a power cut may leave an older record, which claims less than there is. It
        # must never claim more, so it is written after the sync of the commit.
        os.pwrite(self._file.fileno(), _twice(reach), 0)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _twice(reach: Reach) -> bytes:
    return 2 * reach.to_bytes().ljust(_ONE, b"\0")
