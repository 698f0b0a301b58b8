"""What lies in a collection's folder that no table lists, and what was set aside."""

from __future__ import annotations

from pathlib import Path

from palimpsest.index.checks.findings import Finding, Sink, telling
from palimpsest.index.checks.stored import Stored
from palimpsest.index.remedies import Act
from palimpsest.index.storage.compacting import SUFFIX
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.tidying import ADAPTERS, FIELDS, LOST, SEGMENTS, UNFINISHED
from palimpsest.index.storage.unfinished import FILE

_OWN = {SEGMENTS, FIELDS, ADAPTERS, LOST}
_FILES = {"store.sqlite3", "store.sqlite3-wal", "store.sqlite3-shm", "store.reach"}
_OTHERS = {"store.sqlite3-journal", "store.reach.tmp", "scrub.json", "scrub.json.tmp"}
_OTHERS |= {"scrub.tmp"}  # as earlier releases wrote it
_OTHERS |= {FILE, f"{FILE}.tmp"}
_CUT_OFF = "store.sqlite3" + SUFFIX  # of a compaction, and what lies beside it


def check_orphans(stored: Stored, sink: Sink) -> None:
    """Tell of folders that no table lists, and of files that are none of a collection's."""
    folder = stored.path.parent
    with telling(sink, "orphans", folder):
        there = [path for kind in (SEGMENTS, FIELDS, ADAPTERS) for path in _entries(folder / kind)]
        with stored.snapshot():  # after: what was there then is known by now
            listing = stored.listing()
        for path in there:
            if path.name in listing.folders or not path.exists():
                continue
            if path.name in listing.superseded or path.name.endswith(UNFINISHED):
                what = "is of no use any more, and deleted when the collection is opened"
                sink.found(Finding("note", "orphans", path, what))
            # Stores of earlier formats did not know what was replaced: nothing can be told of such
            # a folder.
            elif listing.format < 5:
                what = "is listed by no table"
                remedy = "the server moves it to lost+found/ when it opens the collection"
                sink.found(Finding("note", "orphans", path, what, remedy=remedy))
            else:
                what = "is listed by no table, and not known to be replaced"
                sink.found(Finding("damage", "orphans", path, what, remedy=Act.KEEP))
        for path in _entries(folder):
            if path.name.startswith(_CUT_OFF):
                what = "was left by a compaction that was cut off, and goes when it is opened"
                sink.found(Finding("note", "orphans", path, what))
            elif path.name not in _OWN | _FILES | _OTHERS:
                what = "is not of the collection"
                sink.found(Finding("note", "orphans", path, what, remedy="move it elsewhere"))


def check_lost(folder: Path, sink: Sink) -> None:
    """Tell of what was set aside in a collection's folder."""
    count, nbytes = lost_of(folder)
    if count:
        what = f"{count} entries, {nbytes} bytes, were set aside"
        remedy = "delete them once nothing is missed: nothing reads them"
        sink.found(Finding("note", "orphans", folder / LOST, what, remedy=remedy))


def lost_of(folder: Path) -> tuple[int, int]:
    """Return how many entries ``lost+found`` of a collection has, and their bytes."""
    entries = _entries(folder / LOST)
    return len(entries), sum(_bytes_of(entry) for entry in entries)


def _entries(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in Local(folder).list()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _bytes_of(path: Path) -> int:
    try:
        return Local(path).size() if path.is_dir() else path.lstat().st_size
    except OSError:
        return 0
