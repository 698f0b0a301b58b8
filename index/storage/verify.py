"""Checks the files of a store against each other before SQLite opens them, and changes nothing.

SQLite drops what it cannot read of a log without a word, and deletes the log when it is closed.
Checked is: the database, its log and the record beside them are of one store; the log's commits
follow one another, and follow what the database holds; nothing that was answered is missing.

A log may end in frames that are of no use: of a commit that was not finished, or not answered.
These are dropped, as SQLite does. Damage is what has whole commits behind it, and what leaves the
store behind its record.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from palimpsest.index.errors import Damaged
from palimpsest.index.storage.causes import unreadable
from palimpsest.index.storage.files import described
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.reach import Reach, read_record, record_of
from palimpsest.index.storage.schema import SQLITE_ERRORS, connect_frozen
from palimpsest.index.storage.tidying import SEGMENTS
from palimpsest.index.storage.wal import Log, reach_in, read_log

_MAGIC = b"SQLite format 3\0"
_HEADER = 100
_VERSIONS = slice(18, 20)  # for writing and for reading: 1 without a log, 2 with one
_KNOWN_VERSIONS = (b"\x01\x01", b"\x02\x02")
_LARGEST_ROOT = slice(52, 56)  # kept by a store that gives free pages back alone; else zero
_ROOT = 3  # of ``position`` in a store as it was made; one more behind a map of pages
_LARGEST_PAGE = 65_536
REMEDY = (
    "bring back what the segments hold of it with "
    "`python -m palimpsest.index.doctor.restoring {folder}`, server stopped; nothing was deleted"
)


@dataclass(frozen=True, slots=True)
class _Database:
    page_size: int
    root: int
    reach: Reach | None


def log_of(store: Path) -> Path:
    """Return where the log of a store is."""
    return store.with_name(store.name + "-wal")


def behind(path: Path, what: str, expected: object, found: object) -> Damaged:
    """Return the error of a store that lacks, or may lack, what was answered."""
    return Damaged(path, expected, found, what, REMEDY.format(folder=path.parent))


def check_store(path: Path) -> Reach | None:
    """Check a store that SQLite has not opened yet.

    Returns:
        The reach that it must be found to have; None for one of a format without.

    Raises:
        Damaged: what was answered is missing, or what is there does not belong together.
        StorageError: one of its other subclasses: a file could not be read.
    """
    try:
        database = _read_database(path)
        log = read_log(log_of(path), database.page_size, database.root)
        recorded = _recorded(path)
    except OSError as error:
        raise unreadable(Path(error.filename or path), error) from error
    reach = database.reach
    if log is not None:
        reach = _follow(log_of(path), reach, log)
        _require_end(log_of(path), reach, log)
    # After the log was followed: only then is it known how far both files reach together.
    _require_recorded(path, reach, recorded, log)
    if reach is not None:
        _require_folders(path, reach)
    return reach


def has_commits(path: Path) -> bool:
    """Tell whether a store's log holds commits, which the database may lack. Raises as below."""
    database = _read_database(path)
    log = read_log(log_of(path), database.page_size, database.root)
    return log is not None and bool(log.commits)


def is_log_of(path: Path) -> bool:
    """Tell whether a log follows what its database holds, as far as it is whole.

    Raises:
        Damaged: the database is none; OSError: it cannot be read.
    """
    database = _read_database(path)
    log = read_log(log_of(path), database.page_size, database.root)
    try:
        if log is not None:
            _follow(log_of(path), database.reach, log)
    except Damaged:
        return False
    return True


def _require_folders(path: Path, reach: Reach) -> None:
    """Require that no segment was written at a later commit than the store knows."""
    segments = Local(path.parent) / SEGMENTS
    for name in segments.list() if segments.exists() else ():
        own = Reach.from_json(described(segments / name).get("reach"))
        # A segment is written before the commit that lists it. One of a later commit than the store
        # knows shows that commits are gone, also where log and record went with them.
        if own is not None and own.store == reach.store and own.commit > reach.commit:
            what = f"commits, by segment {name},"
            raise behind(path, what, f"{own.commit} or more", reach.commit)


def _read_database(path: Path) -> _Database:
    with open(path, "rb") as file:
        header = file.read(_HEADER)
        size = int.from_bytes(header[16:18], "big")
        size = _LARGEST_PAGE if size == 1 else size
        if len(header) < _HEADER or not header.startswith(_MAGIC) or size < 512:
            # SQLite would take an empty one for new, and delete its log
            raise Damaged(path, "a SQLite database", f"{header[:16]!r}...", "header")
        if header[_VERSIONS] not in _KNOWN_VERSIONS:
            # SQLite would take it for one that it must not write to, or cannot read
            raise Damaged(
                path, "versions of a file with a log, 2 and 2,", header[_VERSIONS], "header"
            )
        root = _root(path, _ROOT + any(header[_LARGEST_ROOT]))
        file.seek((root - 1) * size)
        return _Database(size, root, reach_in(file.read(size)))


def _root(path: Path, usual: int) -> int:
    """Return the first page of ``position``; a checkpoint that was cut short may hide it."""
    # Frozen: an ordinary connection would bring the log into the database, or delete it, before
    # anything of it was checked.
    connection = connect_frozen(path)
    try:
        found = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'position'")
        root: int = found.fetchone()[0]
        return root
    except (*SQLITE_ERRORS, TypeError):
        return usual
    finally:
        connection.close()


def _recorded(path: Path) -> Reach | None:
    """Return what the record says, None where there is no file. Raises Damaged or OSError."""
    record = record_of(path)
    try:
        recorded = read_record(record)
    except FileNotFoundError:
        return None
    if recorded is None:
        raise behind(record, "record of how far the store reaches,", "one", "no whole one")
    return recorded


def _follow(path: Path, reach: Reach | None, log: Log) -> Reach | None:
    """Return the reach after the commits of a log, which must follow one another.

    A log may begin before what the database holds: a checkpoint leaves it as it is.
    """
    last: Reach | None = None
    for one in log.commits:
        if one is None:
            if last is not None or reach is not None:
                raise behind(path, "a commit after", last or reach, "one of another program")
            continue
        _require_next(path, last, one)
        if reach is not None and one.commit == reach.commit and one != reach:
            raise behind(path, "the log of the database: commits", reach, one)
        if last is None and (reach is None or one.commit > reach.commit):
            _require_next(path, reach or Reach(one.store, 0, 0, 0), one)
        last = one
    if last is None:
        return reach
    if reach is not None and (last.commit < reach.commit or last.store != reach.store):
        raise behind(path, "the log of the database: commits up to", reach, last)
    return last


def _require_next(path: Path, last: Reach | None, one: Reach) -> None:
    if last is not None and (one.store, one.commit, one.before) != (
        last.store,
        last.commit + 1,
        last.mark,
    ):
        raise behind(path, "a commit after", last, one)


def _require_end(path: Path, reach: Reach | None, log: Log) -> None:
    """Require that the log's end is that of a commit nobody was answered about.

    Such a commit is the only one behind the others: the next begins once it is synced.
    """
    beyond = log.beyond
    if reach is None:
        damaged = log.goes_on or beyond is not None and beyond.commit > 1
    else:
        own = beyond is not None and beyond.store == reach.store
        damaged = own and beyond is not None and beyond.commit > reach.commit + 1
    if damaged:
        at = f"frame {log.torn + 1} of {log.frames}"
        raise behind(path, "frames", "as they were written", f"others from {at} on, commits behind")


def _require_recorded(
    path: Path, reach: Reach | None, recorded: Reach | None, log: Log | None
) -> None:
    if recorded is None:
        if reach is not None:
            what = "record of how far the store reaches,"
            raise behind(record_of(path), what, "a file", "none")
        return
    if reach is None:
        if recorded.commit > 0:
            raise behind(path, "commits up to", recorded, "a database of an earlier release")
        return
    if reach.store != recorded.store:
        raise behind(path, "commits up to", recorded, reach)
    if reach.commit < recorded.commit:
        torn = "" if log is None or log.torn == log.frames else f" before frame {log.torn + 1}"
        raise behind(
            log_of(path), "answered commits up to number", recorded.commit, f"{reach.commit}{torn}"
        )
    known = [reach] if log is None else [reach, *(one for one in log.commits if one is not None)]
    if any(one.commit == recorded.commit and one != recorded for one in known) or any(
        one.commit == recorded.commit + 1 and one.before != recorded.mark for one in known
    ):
        raise behind(path, "commits up to", recorded, "others of these numbers")
