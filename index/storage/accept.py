"""Takes a store for what it still holds, after its log was lost: the first half of restoring.

Everything that is taken away is kept in ``lost+found`` first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from palimpsest.index.errors import Damaged
from palimpsest.index.storage.directory import Directory, make_folder
from palimpsest.index.storage.entries import Position
from palimpsest.index.storage.files import described, open_folder
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.reach import Reach, create_record, read_record, record_of
from palimpsest.index.storage.schema import (
    FORMAT,
    check_format,
    close_commit,
    connect,
    store_errors,
)
from palimpsest.index.storage.tidying import LOST, SEGMENTS, UNFINISHED, set_aside
from palimpsest.index.storage.unfinished import note_restore
from palimpsest.index.storage.verify import is_log_of, log_of


def accept(path: Path) -> Position:
    """Let a store be opened again that lacks what was answered; return where it stands.

    Its log is applied as far as it is whole and belongs to it. Segments that it does not list, and
    those it lists that are damaged, are set aside. If this was begun before, and cut off, it is
    where the store stood then. Until ``note_restored`` the collection is not served.

    Raises:
        Damaged: the database itself cannot be read.
        StorageError: one of its other subclasses: a segment could not be read, and may be whole.
    """
    keep_files(path)
    segments = Local(path.parent) / SEGMENTS
    try:
        applies = is_log_of(path)
    except (OSError, ValueError) as error:
        raise Damaged(path, "a SQLite database", str(error), "file") from error
    if not applies:
        for leftover in (log_of(path), path.with_name(path.name + "-shm")):
            Local(path.parent).remove(leftover.name)
    with store_errors(path), closing(connect(path)) as own:
        found = check_format(path, own)
        rows = own.execute("SELECT name, crc32 FROM segments").fetchall()
        unread = [name for name, crc in rows if not _is_whole(segments / name, crc)]
        listed = {name for name, _ in rows} - {*unread}
        stands = Position(*own.execute("SELECT seq, slot, points FROM position").fetchone())
        position = note_restore(path.parent, stands)
        own.executemany("DELETE FROM segments WHERE name = ?", ((name,) for name in unread))
        furthest = max((one.commit for one in _reaches(path)), default=0)
        cell = own.execute("SELECT reach FROM position").fetchone()[0] if found >= 5 else None
        reach = Reach.from_bytes(cell) if isinstance(cell, bytes) else None
        if reach is not None:
            reach = Reach(reach.store, max(furthest, reach.commit), 0, reach.mark).next()
            if found == FORMAT:
                close_commit(own, reach)
            else:
                own.execute("UPDATE position SET reach = ?", (reach.to_bytes(),))
            create_record(record_of(path), reach)
        own.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if reach is None:  # of an earlier format: it gets a record when it is opened
        Local(path.parent).remove(record_of(path).name)
    for entry in segments.list():
        if entry not in listed and not entry.endswith(UNFINISHED):
            set_aside(segments / entry)
    return position


def keep_files(path: Path) -> Path:
    """Copy a store, its log and its record to ``lost+found``, durably; return where. OSError."""
    folder = Local(path.parent)
    lost = folder / LOST
    make_folder(lost)
    number = sum(name.startswith("store-") for name in lost.list())
    kept = lost / f"store-{number + 1}"
    kept.create()
    for file in (path, log_of(path), record_of(path)):
        if folder.has(file.name):
            kept.write(file.name, [folder.open(file.name)])
    for parent in (kept, lost):
        parent.sync()
    return kept.path


def _is_whole(folder: Directory, checksum: int) -> bool:
    try:
        open_folder(folder, checksum)
    except (Damaged, LookupError, TypeError, ValueError):
        return False
    return True


def _reaches(path: Path) -> Iterator[Reach]:
    with suppress(OSError):
        recorded = read_record(record_of(path))
        if recorded is not None:
            yield recorded
    for parent in (Local(path.parent) / SEGMENTS, Local(path.parent) / LOST):
        for name in parent.list():
            own = Reach.from_json(described(parent / name).get("reach"))
            if own is not None:
                yield own
