"""The file of rows that an import does without: a line of JSON for each, with why."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import msgspec

from palimpsest.app.transfer.errors import WrongUse
from palimpsest.app.transfer.rows import Fault


class SkipFile:
    """Skipped rows, those of a resumed import behind those from before."""

    def __init__(self, path: Path, kept: int | None) -> None:
        """Open it, and cut off what was written after the last noted place of an import.

        Args:
            path: of the file.
            kept: bytes that belong to what is done, None where the file is to be a new one.

        Raises:
            WrongUse: it exists and is to be new, holds less, or cannot be written.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise WrongUse(f"{path}: {error.strerror}") from error
        self._file: BinaryIO = os.fdopen(descriptor, "r+b")
        try:
            held = os.fstat(descriptor).st_size
            if kept is None and held:
                raise WrongUse(f"{path}: exists: name another file, or remove it")
            if held < (kept or 0):
                raise WrongUse(
                    f"{path}: expected the {kept} bytes of before, got {held}: --restart begins "
                    "anew"
                )
            self._file.truncate(kept or 0)
            self._file.seek(kept or 0)
        except BaseException:
            self._file.close()
            raise

    def add(self, source: str, faults: Iterable[Fault]) -> int:
        """Add rows, synced, and return how long the file is."""
        for fault in faults:
            line = {
                "source": source,
                "place": fault.place + 1,
                "why": fault.why,
                "row": fault.text.decode(errors="replace"),
            }
            self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Close it."""
        self._file.close()
