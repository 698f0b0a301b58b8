"""Points of an export on disk while they come: lines of JSON, and how far it is beside them.

Lines behind the last note are cut off when an export goes on, so that none stands twice.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from palimpsest.app.transfer.errors import TransferError, WrongUse
from palimpsest.app.transfer.from_lines import Line
from palimpsest.app.transfer.reader import Start
from palimpsest.app.transfer.rows import Row

NOTED = 0.5  # seconds between two notes
FORMAT = 1
_LINE = msgspec.json.Decoder(Line)


class Noted(msgspec.Struct):
    """How far an export is.

    Attributes:
        source: the collection, and what tells that it is another one by now.
        rows: points that are done.
        after: the id of the last.
        length: bytes of their lines.
        integers: whether all ids so far are integers.
        format: of this note.
    """

    source: Any
    rows: int = 0
    after: int | str | None = None
    length: int = 0
    integers: bool = True
    format: int = FORMAT


_NOTED = msgspec.json.Decoder(Noted)


class Spool:
    """Lines of points that belong to one export, locked until it is closed."""

    def __init__(self, path: Path, source: Any, restart: bool) -> None:
        """Open it, where an earlier try has left it.

        Raises:
            TransferError: it is of another export, or another process is writing it.
            WrongUse: it cannot be written.
        """
        self.path = path
        self._note = path.with_name(path.name + ".json")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise WrongUse(f"{path}: {error.strerror}") from error
        self._file: BinaryIO = os.fdopen(descriptor, "r+b")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.at = self._held(source, restart)
        except OSError as error:
            self._file.close()
            raise TransferError(f"{path}: another export to the same file is running") from error
        except TransferError:
            self._file.close()
            raise
        self._file.truncate(self.at.length)
        self._file.seek(self.at.length)
        self._noted = time.monotonic()

    @property
    def start(self) -> Start:
        """Return where the source is to be read on from."""
        return Start(self.at.rows, self.at.after)

    def add(self, row: Row) -> None:
        """Add a point."""
        # Line ends stand only between the values of a JSON text, where a blank does as well.
        line = row.text.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n"
        self._file.write(line)
        self.at.rows += 1
        self.at.after = row.id
        self.at.length += len(line)
        self.at.integers = self.at.integers and isinstance(row.id, int)
        if time.monotonic() - self._noted > NOTED:
            self.note()

    def note(self) -> None:
        """Sync the lines, then note that they are there."""
        self._file.flush()
        os.fsync(self._file.fileno())
        new = self._note.with_name(self._note.name + ".new")
        with new.open("wb") as file:
            file.write(msgspec.json.encode(self.at))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._note)
        self._noted = time.monotonic()

    def lines(self) -> Iterator[Line]:
        """Give all points, from the first on."""
        with self.path.open("rb") as file:
            for line in file:
                yield _LINE.decode(line)

    def remove(self) -> None:
        """Forget it: the export is done."""
        self._note.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let others write it."""
        self._file.close()

    def _held(self, source: Any, restart: bool) -> Noted:
        if restart:
            self._note.unlink(missing_ok=True)
        try:
            held = _NOTED.decode(self._note.read_bytes())
        except FileNotFoundError:
            return Noted(source)
        except msgspec.MsgspecError as error:
            raise TransferError(f"{self._note}: {error}; --restart begins anew") from error
        size = os.fstat(self._file.fileno()).st_size
        if held.format != FORMAT or held.source != source or size < held.length:
            raise TransferError(
                f"{self.path}: is of another export, or of another state of its collection: "
                "--restart begins anew"
            )
        return held
