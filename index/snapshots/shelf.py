"""Where snapshots are kept: ``DATA/snapshots/<collection>/``, and those of all beside these.

A snapshot is one file, under a temporary name until it is whole, synced and read back. Beside it
lies its SHA-256, as ``sha256sum -c`` takes it; it is written first, so that none lacks it.
Snapshots outlive their collection. Whatever else lies there is left alone.

A collection may be called as files beside the folders are: its folder then has an ``@`` in the
place of a dot (``a@snapshot`` of ``a.snapshot``), which no collection can have in its name.
"""

from __future__ import annotations

import re
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from palimpsest.index.config.collection import AT
from palimpsest.index.config.names import MAX_COLLECTION_NAME, check_name
from palimpsest.index.errors import SnapshotNotFound
from palimpsest.index.storage.causes import disk_errors
from palimpsest.index.storage.directory import make_folder, remove_quietly, replace_file
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.reserve import Admitted

SUFFIX, SCHEDULED = ".snapshot", "-scheduled.snapshot"
WHOLE = "full-snapshot"  # how the names of those of all collections begin
_SUM, _UNFINISHED = ".sha256", ".tmp"
_LONGEST = 180  # bytes of a collection's name in that of its snapshot
_HEX = re.compile("[0-9a-f]{64}")
_LIKE_A_FILE = re.compile(r"(.*)\.(snapshot(?:\.sha256|\.tmp)*)", re.DOTALL)
_LIKE_NO_FILE = re.compile(rf"(.*){AT}(snapshot(?:\.sha256|\.tmp)*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """A snapshot: its name, when it was made (seconds since the epoch), its bytes, its SHA-256."""

    name: str
    created: float
    nbytes: int
    checksum: str | None  # None where the file beside it is gone


class Shelf:
    """Of one data directory; any thread may call. ``collection`` is None for those of all."""

    def __init__(self, folder: Local) -> None:
        self.folder = folder

    def of(self, collection: str | None) -> Local:
        """Return the folder of a collection's snapshots. Raises InvalidConfig for no name."""
        if collection is None:
            return self.folder
        check_name(collection, "collection", MAX_COLLECTION_NAME)
        return self.folder / folder_of(collection)

    def list(self, collection: str | None) -> list[SnapshotInfo]:
        """Return the snapshots of a collection, the oldest first."""
        folder = self.of(collection)
        if not folder.exists():
            return []
        with disk_errors(f"list {folder.path}"):
            found = [self._described(folder, name) for name in folder.list()]
        return sorted((one for one in found if one), key=lambda one: (one.created, one.name))

    def find(self, collection: str | None, name: str) -> Path:
        """Return where a snapshot is.

        Raises:
            SnapshotNotFound: there is none of that name.
        """
        folder = self.of(collection)
        if not is_name(name) or not _is_file(folder.path / name):
            raise SnapshotNotFound(name)
        return folder.path / name

    def delete(self, collection: str | None, name: str) -> None:
        """Delete a snapshot, durably. Raises SnapshotNotFound or StorageError."""
        path = self.find(collection, name)
        with disk_errors(f"delete {path}"):
            folder = Local(path.parent)
            folder.remove(name)
            folder.remove(name + _SUM)
            folder.sync()

    def keep(
        self,
        collection: str | None,
        parts: Iterable[bytes],
        digest: Callable[[], str],
        prove: Callable[[Path], None],
        admitted: Admitted,
        *,
        scheduled: bool = False,
    ) -> SnapshotInfo:
        """Write a snapshot; it is there whole, proven and synced on return, or not at all.

        Args:
            collection: it is of.
            parts: its bytes.
            digest: gives their SHA-256 once all were taken.
            prove: reads the file that was written; raises what is wrong with it.
            admitted: held while a piece is written.
            scheduled: whether it is deleted when there are newer ones.

        Raises:
            StorageError: it could not be written, or is not what was written; nothing is left.
        """
        folder = self.of(collection)
        name = _name(folder, collection, scheduled=scheduled)
        unfinished = name + _UNFINISHED
        with disk_errors(f"write {folder.path / name}"):
            make_folder(folder)
            try:
                folder.write(unfinished, parts, admitted, steady=True)
                prove(folder.path / unfinished)
                line = f"{digest()}  {name}\n"
                replace_file(folder, name + _SUM, line.encode())
                folder.rename(unfinished, folder, name)
                folder.sync()
            except BaseException:
                remove_quietly(folder, unfinished)
                if not folder.has(name):
                    remove_quietly(folder, name + _SUM)
                raise
            found = self._described(folder, name)
        assert found is not None
        return found

    def tidy(self) -> None:
        """Remove what a kill left of snapshots that were being made. Raises StorageError."""
        if not self.folder.exists():
            return
        with disk_errors(f"tidy {self.folder.path}"):
            folders = [one for one in map(self.folder.__truediv__, self.folder.list())]
            for folder in (self.folder, *(one for one in folders if one.exists())):
                there = set(folder.list())
                for name in there:
                    base = name.removesuffix(_UNFINISHED).removesuffix(_SUM)
                    if not is_name(base) or name == base or (folder / name).exists():
                        continue
                    if name.endswith(_UNFINISHED) or base not in there:
                        folder.remove(name)

    def _described(self, folder: Local, name: str) -> SnapshotInfo | None:
        if not is_name(name):
            return None
        try:
            held = (folder.path / name).lstat()
        except FileNotFoundError:  # deleted meanwhile
            return None
        if not stat.S_ISREG(held.st_mode):
            return None
        return SnapshotInfo(name, held.st_mtime, held.st_size, _checksum(folder, name))


def folder_of(collection: str) -> str:
    """Return the name of the folder that the snapshots of a collection are in."""
    like = _LIKE_A_FILE.fullmatch(collection)
    return collection if like is None else f"{like[1]}{AT}{like[2]}"


def collection_of_folder(folder: str) -> str:
    """Return the collection whose snapshots are in a folder: what ``folder_of`` was given."""
    unlike = _LIKE_NO_FILE.fullmatch(folder)
    return folder if unlike is None else f"{unlike[1]}.{unlike[2]}"


def is_name(name: str) -> bool:
    """Tell whether a text can be the name of a snapshot, and of nothing that lies elsewhere."""
    return name.endswith(SUFFIX) and name != SUFFIX and not {"/", "\0"} & {*name}


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):  # too long a name, or one with a surrogate
        return False


def _checksum(folder: Local, name: str) -> str | None:
    try:
        text = folder.read(name + _SUM)[:64].decode("ascii", "replace")
    except OSError:
        return None
    return text if _HEX.fullmatch(text) else None


def _name(folder: Local, collection: str | None, *, scheduled: bool) -> str:
    base = WHOLE if collection is None else collection.encode()[:_LONGEST].decode("utf-8", "ignore")
    stamp = time.strftime("%Y-%m-%d-%H-%M-%S", time.gmtime())
    suffix = SCHEDULED if scheduled else SUFFIX
    number, name = 0, f"{base}-{stamp}{suffix}"
    while folder.has(name):  # of the same second
        number += 1
        name = f"{base}-{stamp}-{number}{suffix}"
    return name
