"""The SQLite file of one collection: log, payloads, ids, manifest. Only it decides what exists.

WAL mode with synchronous=FULL: a committed transaction has been synced. One thread writes (see
``index.write.writer``); any thread reads, each on its own connection (``index.storage.reader``).
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from time import perf_counter
from typing import Any

from palimpsest.index.errors import (
    Damaged,
    OutOfDescriptors,
    ReadOnlyDisk,
    StorageError,
    StoreFailed,
    SyncFailed,
)
from palimpsest.index.storage.adapter_table import AdapterTable
from palimpsest.index.storage.causes import disk_errors
from palimpsest.index.storage.checked import Summed, is_summed, position_in, verified
from palimpsest.index.storage.checkpoints import Checkpoints
from palimpsest.index.storage.dead_table import DeadTable
from palimpsest.index.storage.demand_table import DemandTable
from palimpsest.index.storage.entries import Position, SegmentEntry
from palimpsest.index.storage.field_table import FieldTable
from palimpsest.index.storage.id_index import AT_ONCE, IdIndex
from palimpsest.index.storage.job_table import JobTable
from palimpsest.index.storage.lengths import sampled_lengths
from palimpsest.index.storage.migrate import migrate
from palimpsest.index.storage.point_table import PointTable
from palimpsest.index.storage.reach import Reach, ReachRecord, read_record, record_of
from palimpsest.index.storage.reserve import SIZE, Reserve, anything
from palimpsest.index.storage.schema import (
    FORMAT,
    WAIT_SECONDS,
    check_format,
    close_commit,
    close_keeping_log,
    connect,
    connect_frozen,
    connect_reading,
    is_read_only,
    put_setting,
    setting,
    store_errors,
    takes_no_writes,
)
from palimpsest.index.storage.schema_sum import require_schema
from palimpsest.index.storage.seqs import SeqTable
from palimpsest.index.storage.staged_table import StagedTable
from palimpsest.index.storage.summing import sum_some
from palimpsest.index.storage.sums import Row, put_row
from palimpsest.index.storage.superseded import SupersededTable
from palimpsest.index.storage.syncing import is_unsynced
from palimpsest.index.storage.vacuum import Step, gives_back, pages_of, vacuum_some
from palimpsest.index.storage.verify import behind, check_store, has_commits, log_of
from palimpsest.index.storage.waking import connect_at_rest
from palimpsest.index.tally import COMMIT_BOUNDS, Tally

_log = logging.getLogger(__name__)
_CHECKPOINT_PAGES = 8_000  # 32 MB of log between checkpoints
_GROWTH = SIZE // 2  # bytes that the database is to grow by; more may find no room on a full disk
_MOVE_SECONDS, _MOVE_AGAIN = 2.0, 0.01  # that a full disk's log waits for reads, and between tries

_NO_WRITES = (
    "{path} lies where nothing can be written (a read-only file system, or no right to): it is "
    "read, and takes no writes until it can be written and the server is restarted"
)
_UNAPPLIED = (
    "{path} holds writes that have to be applied, and nothing can be written there: start the "
    "server once where it can, or on a copy"
)
_EARLIER = (
    "{path} has format {found} and has to be brought to format {newest}, and nothing can be "
    "written there: start the server once where it can, or on a copy"
)


class Store:
    """The writing side. Every method but ``open`` belongs to the collection's writer thread.

    At rest it holds no file open; ``wake`` comes before anything else is asked of it then.
    ``trouble`` says why the last transaction could not be carried out, until one could; ``pages``
    are as of the last one, ``gives_back`` says whether free ones can be given back, and ``lengths``
    are of points, when last they were measured. Any thread may read these.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, reach: Reach, record: ReachRecord | None
    ) -> None:
        self.path = path
        self.read_only = record is None
        self.trouble: str | None = None if record else _NO_WRITES.format(path=path)
        self.unsynced: str | None = None  # why no writes are taken any more
        self.reach = reach  # of the last commit; any thread may look
        self._record = record
        self.summed = Summed(is_summed(connection))
        is_large = not self.read_only and _points(connection) > AT_ONCE
        self.ids = IdIndex(path, self.summed, later=is_large)
        self.reserve: Reserve | None = None  # what is kept for deletes, once there are writes
        # seconds of whole transactions, and of the part of each that syncs
        self.commits, self.syncs = Tally(COMMIT_BOUNDS), Tally(COMMIT_BOUNDS)
        self.pages, self.gives_back = pages_of(connection), gives_back(connection)
        self.lengths, self._measured = sampled_lengths(connection), reach
        self._attach(connection)

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open an existing store. Raises Damaged or UnknownFormat."""
        if not path.exists():
            raise Damaged(path, "a SQLite database", "no file", "file")
        expected = check_store(path)
        if takes_no_writes(path.parent) or is_read_only(path, log_of(path)):
            return cls._open_frozen(path, expected)
        with store_errors(path), disk_errors(f"open {path}"), ExitStack() as failed:
            connection = connect(path)
            failed.callback(close_keeping_log, path, connection)
            _bound_log(connection)
            check_format(path, connection)
            expected = migrate(path, connection, expected)
            reach = _reach(path, connection, expected, answered=read_record(record_of(path)))
            record = ReachRecord(record_of(path))
            failed.callback(record.close)
            record.follow(reach)
            store = cls(path, connection, reach, record)
            failed.pop_all()
            return store

    @classmethod
    def _open_frozen(cls, path: Path, expected: Reach | None) -> Store:
        """Open a store where nothing can be written. Raises ReadOnlyDisk if something has to be."""
        if has_commits(path):
            raise ReadOnlyDisk(_UNAPPLIED.format(path=log_of(path)))
        with store_errors(path):
            return cls._reading(path, connect_frozen(path), expected)

    @classmethod
    def _reading(cls, path: Path, connection: sqlite3.Connection, expected: Reach | None) -> Store:
        """Return a store that is not written; close the connection if it cannot be read."""
        try:
            found = check_format(path, connection)
            if found != FORMAT:
                raise ReadOnlyDisk(_EARLIER.format(path=path, found=found, newest=FORMAT))
            require_schema(path, connection)
            return cls(path, connection, _reach(path, connection, expected), None)
        except BaseException:
            connection.close()
            raise

    @classmethod
    def follow(cls, path: Path) -> Store:
        """Open a store that someone else writes, for reading alone.

        Raises:
            Damaged: it is not what was written.
            UnknownFormat: this release does not read it.
            ReadOnlyDisk: it has an earlier format.
        """
        if not path.exists():
            raise Damaged(path, "a SQLite database", "no file", "file")
        with store_errors(path):
            return cls._reading(path, connect_reading(path), None)

    @contextmanager
    def snapshot(self) -> Iterator[Reach]:
        """Let all reads of the block see the store as of one commit, whose reach is given."""
        self._connection.execute("BEGIN")
        try:
            yield _reach(self.path, self._connection, None)
        finally:
            self._connection.execute("ROLLBACK")

    def _attach(self, connection: sqlite3.Connection) -> None:
        self._connection, self.is_awake = connection, True
        self.superseded = SupersededTable(connection)
        self.fields = FieldTable(self.path, connection)
        self.adapters = AdapterTable(self.path, connection)
        self.demand = DemandTable(connection)
        self.seqs = SeqTable(self.path, connection)
        self.points = PointTable(self.path, connection, self.summed, self.ids)
        self.staged = StagedTable(self.path, connection)
        self.dead = DeadTable(self.path, connection)
        self.jobs = JobTable(connection)

    def close(self) -> None:
        """Close the connection, and the record."""
        self.is_awake = False
        self._connection.close()
        if self._record is not None:
            self._record.close()

    def rest(self) -> bool:
        """Hold no file open until ``wake``; tell whether no read or write was in the way.

        The log is moved into the database first, and goes: nothing is left for SQLite to read
        back, and perhaps drop, that was not checked.

        Raises:
            StorageError: it could not be moved; it stays open.
        """
        log = log_of(self.path)
        if not self.read_only and log.exists() and log.stat().st_size:
            if not self._trim():
                return False
        self.measure()
        self.close()
        return True

    def _trim(self) -> bool:
        try:
            return Checkpoints(self.path).trim()
        except OutOfDescriptors:  # where others wait for those that are about to be given back
            with store_errors(self.path):
                self._connection.execute("PRAGMA busy_timeout = 0")
                try:
                    busy = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                finally:
                    self._connection.execute(f"PRAGMA busy_timeout = {WAIT_SECONDS * 1000:.0f}")
            return not busy[0]

    def wake(self) -> None:
        """Open the files again, if they are at rest.

        Raises:
            Damaged: they are not what they were then.
            StorageError: one of its other subclasses: they cannot be opened now.
        """
        if self.is_awake:
            return
        try:
            self._wake()
        except StorageError as error:
            self.trouble = str(error)
            raise

    def _wake(self) -> None:
        with store_errors(self.path), disk_errors(f"open {self.path}"):
            connection = connect_at_rest(self.path, self.reserve, frozen=self.read_only)
            try:
                _reach(self.path, connection, self.reach)
                if not self.read_only:
                    _bound_log(connection)
                    self._record = ReachRecord(record_of(self.path))
            except BaseException:
                connection.close()
                raise
        self._attach(connection)

    def abandon(self) -> None:
        """Close as ``close`` does, but leave the log where it is: the store is refused."""
        if self.read_only:
            self._connection.close()
        else:
            close_keeping_log(self.path, self._connection)
        if self._record is not None:
            self._record.close()

    def admitted(self) -> AbstractContextManager[None]:
        """Hold while something that takes room is written beside the store. Any thread may.

        Raises:
            StorageFull: what room there is is kept for what frees some.
        """
        return anything() if self.reserve is None else self.reserve.admitted(self.path)

    @contextmanager
    def transaction(self, *, frees: bool = False) -> Iterator[None]:
        """Commit what the block wrote, synced, or nothing of it.

        Args:
            frees: whether it only takes away, so that it may have the room kept for that.
        """
        with anything() if frees else self.admitted():
            with self._transaction():
                yield
            self._grow()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if self.read_only:
            raise ReadOnlyDisk(_NO_WRITES.format(path=self.path))
        if self.unsynced is not None:
            raise StoreFailed(self.unsynced)
        reach, started = self.reach.next(), perf_counter()
        try:
            with store_errors(self.path):
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield
                    close_commit(self._connection, reach)
                    syncing = perf_counter()
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
        except StorageError as error:
            self.trouble = str(error)
            if isinstance(error, SyncFailed) or is_unsynced(error.__cause__):
                self.poison(str(error))
            raise
        ended = perf_counter()
        self.syncs.add(ended - syncing)
        self.commits.add(ended - started)
        self._committed(reach)

    def poison(self, why: str) -> None:
        """Take no writes from now on: a sync that succeeds after one that failed proves nothing."""
        self.unsynced = self.trouble = (
            f"{why}. No writes are taken until the files have been opened and checked again: look "
            "at the disk, then restart the server"
        )

    def make_room(self) -> None:
        """Move the log into the database and empty it, once no read or move is in the way."""
        until = time.monotonic() + _MOVE_SECONDS
        with suppress(StorageError):
            while not Checkpoints(self.path).trim() and time.monotonic() < until:
                time.sleep(_MOVE_AGAIN)

    def _grow(self) -> None:
        """Move the log into the database before that has to grow by more than is kept for deletes.

        On a full disk the log could be neither moved nor emptied, and nothing be deleted.
        """
        try:
            with store_errors(self.path):
                self.pages = pages = pages_of(self._connection)
            if pages.count * pages.size - self.path.stat().st_size > _GROWTH:
                Checkpoints(self.path).move()
        except SyncFailed as error:
            self.poison(str(error))
        except (StorageError, OSError) as error:  # what was committed is in the log all the same
            _log.warning("The log of %s could not be moved into it: %s", self.path, error)

    def _committed(self, reach: Reach) -> None:
        self.trouble = None
        self.reach = reach
        try:
            if self._record is not None:
                self._record.follow(reach)
        except OSError as error:  # it says less than it could, which is no harm
            _log.warning("%s could not be written: %s", record_of(self.path), error)

    def rewrite_position(self) -> None:
        """Commit what changes nothing: tells whether there is room, and a disk that takes it."""
        with self.transaction():
            self.move_to(self.position())

    # What a reopened collection starts from.

    def config(self) -> dict[str, Any]:
        """Return the config as JSON values."""
        config = setting(self.path, self._connection, "config")
        if config is None:
            raise Damaged(self.path, "one row", "none", "config")
        return json.loads(config)  # type: ignore[no-any-return]

    def position(self) -> Position:
        """Return where the log stands. Raises Damaged."""
        row = self._position()
        return Position(row["seq"], row["slot"], row["points"])

    def _position(self) -> dict[str, Any]:
        return position_in(self.path, self._connection)

    def require_counts(self, *tables: str) -> None:
        """Raise Damaged where a table that is read as a whole has lost rows, or has others."""
        expected = self._position()
        for table in tables:
            (found,) = self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            if found != expected[f"{table}_rows"]:
                what = f"number of rows of {table}"
                raise Damaged(self.path, expected[f"{table}_rows"], found, what)

    def segments(self) -> list[SegmentEntry]:
        """Return the manifest, oldest entry first. Raises Damaged."""
        return [SegmentEntry(*row) for row in self._rows("segments", "ORDER BY rowid")]

    def _rows(self, table: str, rest: str = "") -> list[Row]:
        return verified(self.path, self._connection, table, rest)

    # Writes, inside a transaction.

    def move_to(self, position: Position) -> None:
        """Record where the log stands."""
        self._connection.execute(
            "UPDATE position SET seq = ?, slot = ?, points = ?",
            (position.seq, position.slot, position.points),
        )

    def remove_vector(self, vector: int) -> None:
        """Forget the segments, staged rows, adapters and demand of a vector name."""
        for table in ("segments", "staged", "demand"):
            self._connection.execute(f"DELETE FROM {table} WHERE vector = ?", (vector,))
        self.adapters.remove_column(vector)

    def add_segment(self, entry: SegmentEntry) -> None:
        """Add a line to the manifest."""
        put_row(self._connection, "segments", (entry.name, entry.vector, entry.checksum))

    def remove_segments(self, names: Sequence[str]) -> None:
        """Remove lines from the manifest."""
        self._connection.executemany(
            "DELETE FROM segments WHERE name = ?", ((name,) for name in names)
        )

    def put_config(self, config: dict[str, Any]) -> None:
        """Replace the config."""
        put_setting(self._connection, "config", json.dumps(config))

    def vacuum_some(self, leave: int, most: Step) -> None:
        """Give free pages back in one transaction of bounded work, but for some that stay."""
        with self.transaction(frees=True):
            vacuum_some(self._connection, leave, most)

    def measure(self) -> None:
        """Look anew at how long rows of points are, where any were written."""
        if self._measured != self.reach:
            self.lengths, self._measured = sampled_lengths(self._connection), self.reach

    def sum_some(self) -> bool:
        """Give some rows of a store of an earlier format their checksums; tell of more to do."""
        with self.transaction():
            more = sum_some(self.path, self._connection)
        self.summed.complete = not more
        return more


def _bound_log(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {64 << 20}")


def _reach(
    path: Path,
    connection: sqlite3.Connection,
    expected: Reach | None,
    answered: Reach | None = None,
) -> Reach:
    """Return the reach of an opened store, which must be the one its files were found to have.

    Or it is ``answered``, the one that all were told of, and the files have one commit
    more: SQLite passes over what a killed writer synced but did not share, and writes it anew, as
    long as others (a follower, a doctor) have the store open.
    """
    cell = connection.execute("SELECT reach FROM position").fetchone()
    reach = Reach.from_bytes(cell[0]) if cell and isinstance(cell[0], bytes) else None
    if reach is not None and expected is not None and reach == answered:
        if (expected.store, expected.commit, expected.before) == (
            reach.store,
            reach.commit + 1,
            reach.mark,
        ):
            return reach
    if reach is None or expected not in (None, reach):
        raise behind(path, "commits up to", expected or "a number", reach or "none")
    return reach


def _points(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT points FROM position").fetchone()
    return row[0] if row and isinstance(row[0], int) else 0  # told when it is read in earnest
