"""Notes that a store is being restored until that is done: half of it must not pass for all.

The note says where the store stood before, so that a restore that was cut off can go on. A
collection with one is not served.

Formats: 1, the first.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path

from palimpsest.index.errors import Damaged, UnknownFormat
from palimpsest.index.storage.causes import disk_errors, unreadable
from palimpsest.index.storage.directory import replace_file
from palimpsest.index.storage.entries import Position
from palimpsest.index.storage.local import Local

FORMAT = 1
FILE = "restoring.json"
_GO_ON = (
    "go on with `palimpsest doctor --repair`, server stopped; or restore the whole folder from a "
    "backup, without this file"
)
_START_AGAIN = "restore the whole folder from a backup, or from lost+found/, without this file"


def note_restore(folder: Path, position: Position) -> Position:
    """Note that a collection is being restored, durably.

    Args:
        folder: of the collection.
        position: where its store stands.

    Returns:
        Where it stood when this was first begun: what was noted, if anything was.

    Raises:
        Damaged: what was noted cannot be read.
        StorageError: nothing can be written.
    """
    noted = _read(folder)
    if noted is not None:
        return noted
    said = [position.seq, position.slot, position.points]
    text = json.dumps({"format": FORMAT, "crc32": _checksum(said), "position": said})
    with disk_errors(f"write {folder / FILE}"):
        replace_file(Local(folder), FILE, text.encode())
    return position


def note_restored(folder: Path) -> None:
    """Take the note away. Raises StorageError."""
    with disk_errors(f"delete {folder / FILE}"):
        Local(folder).remove(FILE)
        Local(folder).sync()


def require_restored(folder: Path) -> None:
    """Raise Damaged if a restore of a collection was cut off."""
    if _read(folder) is not None:
        what = "restore of this collection"
        raise Damaged(folder / FILE, "one that was finished", "one that was cut off", what, _GO_ON)


def _read(folder: Path) -> Position | None:
    path = folder / FILE
    try:
        text = Local(folder).read(FILE)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        stored = json.loads(text)
        format, checksum, said = stored["format"], stored["crc32"], stored["position"]
    except (ValueError, LookupError, TypeError) as error:
        raise Damaged(path, "a note of a restore", repr(error), "text", _START_AGAIN) from error
    if format != FORMAT and isinstance(format, int):
        raise UnknownFormat(path, format, FORMAT)
    if checksum != _checksum(said):
        raise Damaged(path, checksum, _checksum(said), "checksum", _START_AGAIN)
    return Position(*said)


def _checksum(said: object) -> int:
    return zlib.crc32(json.dumps(said).encode())
