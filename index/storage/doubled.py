"""A small JSON value kept in two files, so that damage to one of them costs nothing.

Each carries a number that grows with every change, and a checksum over all it says. Both are
written whole: a new file beside, synced, renamed over the old one, the folder synced. The first
one is the change: what ends the program before the second is written leaves the older one behind,
which the next open replaces.

Formats: 1, the first, without a number, in the first file alone; 2, in both.
"""

from __future__ import annotations

import json
import logging
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from palimpsest.index.errors import Damaged, StorageError, UnknownFormat
from palimpsest.index.storage.causes import disk_errors, unreadable
from palimpsest.index.storage.directory import replace_file
from palimpsest.index.storage.local import Local

FORMAT = 2
COPY = "copy"  # stands before the ending of the second file's name
_log = logging.getLogger(__name__)

Numbered: TypeAlias = tuple[int, Any]  # a value, after its number


def copy_of(path: Path) -> Path:
    """Return where the second file is."""
    return path.with_name(f"{path.stem}.{COPY}{path.suffix}")


class Doubled:
    """A value in two files; the caller orders reads and writes."""

    def __init__(self, path: Path, field: str, remedy: str) -> None:
        """Say where it is.

        Args:
            path: the first file.
            field: what the value is called in there.
            remedy: what to do if neither file can be read.
        """
        self._path, self._field, self._remedy = path, field, remedy
        self._number = 0
        self._is_whole = True  # both files say the same

    def look(self) -> tuple[Any, list[StorageError]]:
        """Return the value, None where there is no file, and what is wrong with a file; no change.

        Raises:
            Damaged, UnknownFormat, StorageError: neither can be read; why the first cannot.
        """
        found = [self._read(path) for path in (self._path, copy_of(self._path))]
        whole = [one for one in found if isinstance(one, tuple)]
        wrong = [one for one in found if isinstance(one, StorageError)]
        if not whole and wrong:
            raise wrong[0]
        self._number, value = max(whole, key=lambda one: one[0], default=(0, None))
        self._is_whole = not whole or found == [(self._number, value)] * 2
        return value, wrong

    def read(self) -> Any:
        """Return the value as ``look`` does; replace a file that is not as it should be."""
        value, wrong = self.look()
        for error in wrong:
            _log.warning("%s; what it said is taken from the other file", error)
        if not self._is_whole:
            with suppress(StorageError):  # the next change, or the next open, writes both
                self.write(value)
        return value

    def write(self, value: Any) -> None:
        """Replace the value; it is on disk on return. Raises StorageError, then nothing changed."""
        self._number += 1
        text = json.dumps(
            {
                "format": FORMAT,
                "crc32": _checksum([FORMAT, self._number, value]),
                "number": self._number,
                self._field: value,
            },
            indent=1,
        ).encode()
        with disk_errors(f"write {self._path}"):
            folder, copy = Local(self._path.parent), copy_of(self._path).name
            replace_file(folder, self._path.name, text)
            try:
                replace_file(folder, copy, text)
            except OSError as error:  # what it says is outdated
                _log.warning("%s could not be written: %s", copy_of(self._path), error)
                folder.remove(copy)

    def _read(self, path: Path) -> Numbered | StorageError | None:
        try:
            text = Local(path.parent).read(path.name)
        except FileNotFoundError:
            return None
        except OSError as error:
            return unreadable(path, error)
        try:
            stored: dict[str, Any] = json.loads(text)
            format, checksum, value = stored["format"], stored["crc32"], stored[self._field]
            number = stored["number"] if format != 1 else 0
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            return Damaged(path, self._field, repr(error), "text", self._remedy)
        if format not in range(1, FORMAT + 1):
            return UnknownFormat(path, format, FORMAT)
        expected = _checksum(value if format == 1 else [format, number, value])
        if checksum != expected:
            return Damaged(path, checksum, expected, "checksum", self._remedy)
        return number, value


def _checksum(value: Any) -> int:
    return zlib.crc32(json.dumps(value, sort_keys=True).encode())
