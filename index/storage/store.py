"""The SQLite file of one collection: log, payloads, ids, manifest. Only it decides what exists.

WAL mode with synchronous=FULL: a committed transaction has been synced. One thread writes (see
``index.write.writer``); any thread reads, each on its own connection (``index.storage.reader``).
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.errors import Damaged, ReadOnlyDisk, StorageError, StoreFailed, SyncFailed
from index.storage.adapter_table import AdapterTable
from index.storage.causes import disk_errors
from index.storage.checked import (
    Spared,
    Summed,
    is_summed,
    position_in,
    require_points,
    require_sums,
    verified,
)
from index.storage.checkpoints import Checkpoints
from index.storage.demand_table import DemandTable
from index.storage.entries import Held, Position, SegmentEntry, StagedRows
from index.storage.field_table import FieldTable
from index.storage.id_index import AT_ONCE, IdIndex
from index.storage.ids import Key, ids_from_bytes, ids_to_bytes
from index.storage.migrate import migrate
from index.storage.reach import Reach, ReachRecord, record_of
from index.storage.reserve import SIZE, Reserve, anything
from index.storage.schema import (
    FORMAT,
    check_format,
    close_commit,
    close_keeping_log,
    connect,
    connect_frozen,
    is_read_only,
    put_setting,
    setting,
    store_errors,
    takes_no_writes,
)
from index.storage.schema_sum import require_schema
from index.storage.seqs import SeqTable
from index.storage.summing import sum_some
from index.storage.sums import PAYLOAD, PLACE, Row, check_of, long_sum, put_row
from index.storage.superseded import SupersededTable
from index.storage.syncing import is_unsynced
from index.storage.verify import behind, check_store, has_commits, log_of
from index.types import Numbers, Slots

_log = logging.getLogger(__name__)
LOOKUP = 512  # ids asked for by one statement; below SQLite's smallest limit of 999
_PURGED_ENTRIES = 128  # staged entries looked at by one purge
_SEALED_ENTRIES = (
    "SELECT s.slot, length(s.value) FROM staged s JOIN sealed USING (vector)"
    f" WHERE s.slot <= sealed.slot ORDER BY s.slot LIMIT {_PURGED_ENTRIES}"
)
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

_FIND = (
    f"SELECT {{columns}} FROM (VALUES {','.join(['(?)'] * LOOKUP)}) AS wanted"
    " CROSS JOIN points ON {by} = wanted.column1"
)


class Store:
    """The writing side. Every method but ``open`` belongs to the collection's writer thread.

    ``trouble`` says why the last transaction could not be carried out, until one could; any thread
    may read it.
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
        self.superseded = SupersededTable(connection)
        self.fields = FieldTable(path, connection)
        self.adapters = AdapterTable(path, connection)
        self.demand = DemandTable(connection)
        self.seqs = SeqTable(path, connection)
        self.reserve: Reserve | None = None  # what is kept for deletes, once there are writes
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open an existing store. Raises Damaged or UnknownFormat."""
        if not path.exists():
            raise Damaged(path, "a SQLite database", "no file", "file")
        expected = check_store(path)
        if takes_no_writes(path.parent) or is_read_only(path, log_of(path)):
            return cls._open_frozen(path, expected)
        with store_errors(path), disk_errors(f"open {path}"):
            connection = connect(path)
            try:
                connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
                connection.execute(f"PRAGMA journal_size_limit = {64 << 20}")
                check_format(path, connection)
                expected = migrate(path, connection, expected)
                reach = _reach(path, connection, expected)
                record = ReachRecord(record_of(path))
                record.follow(reach)
            except BaseException:
                close_keeping_log(path, connection)
                raise
            return cls(path, connection, reach, record)

    @classmethod
    def _open_frozen(cls, path: Path, expected: Reach | None) -> Store:
        """Open a store where nothing can be written. Raises ReadOnlyDisk if something has to be."""
        if has_commits(path):
            raise ReadOnlyDisk(_UNAPPLIED.format(path=log_of(path)))
        with store_errors(path):
            connection = connect_frozen(path)
            try:
                found = check_format(path, connection)
                if found != FORMAT:
                    raise ReadOnlyDisk(_EARLIER.format(path=path, found=found, newest=FORMAT))
                require_schema(path, connection)
                return cls(path, connection, _reach(path, connection, expected), None)
            except BaseException:
                connection.close()
                raise

    def close(self) -> None:
        """Close the connection, and the record."""
        self._connection.close()
        if self._record is not None:
            self._record.close()

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
        with anything() if frees else self.admitted(), self._transaction():
            yield
        self._grow()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if self.read_only:
            raise ReadOnlyDisk(_NO_WRITES.format(path=self.path))
        if self.unsynced is not None:
            raise StoreFailed(self.unsynced)
        reach = self.reach.next()
        try:
            with store_errors(self.path):
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield
                    close_commit(self._connection, reach)
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
                (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
                (size,) = self._connection.execute("PRAGMA page_size").fetchone()
            if pages * size - self.path.stat().st_size > _GROWTH:
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

    def dead(self) -> Slots:
        """Return all dead slots (m,), ascending. Raises Damaged."""
        rows = self._rows("dead", "ORDER BY slot")
        slots = np.fromiter((row[0] for row in rows), dtype=np.uint64, count=len(rows))
        if (slots[1:] <= slots[:-1]).any():
            raise Damaged(self.path, "each slot once", "some twice", "dead slots")
        return slots

    def sealed(self) -> dict[int, int]:
        """Return per vector number the last slot that has left the staged rows. Raises Damaged."""
        return {vector: slot for vector, slot in self._rows("sealed")}

    def _rows(self, table: str, rest: str = "") -> list[Row]:
        return verified(self.path, self._connection, table, rest)

    def staged(self) -> Iterator[StagedRows]:
        """Yield staged rows in the order they were written. Raises Damaged."""
        check, sealed = check_of("staged"), self.sealed()
        names = ", ".join((*check.columns, check.stored))
        rows = self._connection.execute(f"SELECT {names}, ids, value FROM staged ORDER BY slot")
        for row in rows:
            require_sums(self.path, self._connection, check, [row])
            first, vector, n, seq, checksum, numbers, _, ids, value = row
            if first <= sealed.get(vector, 0):
                continue
            found = long_sum([ids, value])
            if found != checksum:
                what = f"checksum of staged rows at slot {first}"
                raise Damaged(self.path, checksum, found, what)
            own = np.frombuffer(numbers, dtype=np.uint32)
            yield StagedRows(vector, first, seq, ids_from_bytes(ids, n), own, value)

    def numbers(self) -> Numbers:
        """Return the numbers of all points (n,), in no order; reads an index, not the points."""
        return self._numbers("")

    def numbers_of_rows(self) -> Numbers:
        """Return the same without the index, which may be damaged."""
        return self._numbers("NOT INDEXED")

    def _numbers(self, how: str) -> Numbers:
        rows = self._connection.execute(f"SELECT number FROM points {how}")
        return np.fromiter((row[0] for row in rows), dtype=np.uint32)

    # Writes, inside a transaction.

    def move_to(self, position: Position) -> None:
        """Record where the log stands."""
        self._connection.execute(
            "UPDATE position SET seq = ?, slot = ?, points = ?",
            (position.seq, position.slot, position.points),
        )

    def find(
        self, keys: Sequence[Key], *, with_payload: bool, spared: Spared | None = None
    ) -> dict[Key, Held]:
        """Return the stored points among ``keys``.

        Args:
            keys: of points.
            with_payload: whether payloads are read.
            spared: takes the points that are damaged, which are left out.

        Raises:
            DamagedPoint: one is, and there is no ``spared``.
        """
        return self._find("id", keys, with_payload, spared)

    def key_of(self, number: int) -> Key | None:
        """Return the id that a damaged row still has, if the index of ids leads from it there."""
        by_row = "SELECT id FROM points NOT INDEXED WHERE number = ?"
        row = self._connection.execute(by_row, (number,)).fetchone()
        if row is None or row[0].__class__ not in (int, bytes):
            return None
        by_id = "SELECT number FROM points WHERE id = ?"
        led = self._connection.execute(by_id, row).fetchall()
        key: Key | None = row[0] if led == [(number,)] else None
        return key

    def find_numbers(self, numbers: Sequence[int], *, with_payload: bool) -> dict[Key, Held]:
        """Return the stored points of the numbers, by key."""
        return self._find("number", numbers, with_payload)

    def _find(
        self, by: str, wanted: Sequence[Key], with_payload: bool, spared: Spared | None = None
    ) -> dict[Key, Held]:
        columns = "number, id, seq, slots, checksum"
        columns += ", payload, payload_checksum" if with_payload else ""
        statement = _FIND.format(by=by, columns=columns)
        found: dict[Key, Held] = {}
        for start in range(0, len(wanted), LOOKUP):
            some = list(wanted[start : start + LOOKUP])
            some += [None] * (LOOKUP - len(some))  # type: ignore[list-item]
            may_lack = not self.summed.complete
            rows = self._connection.execute(statement, some).fetchall()
            rows = require_points(
                self.path, rows, with_payload=with_payload, may_lack=may_lack, spared=spared
            )
            for number, key, _, slots, _, *payload in rows:
                own = payload[0] if payload else None
                found[key] = Held(number, np.frombuffer(slots, dtype="<u8"), own)
        if by == "id" and len(found) < len(wanted):
            missing = (key for key in wanted if key not in found)
            self.ids.require_absent(self._connection, missing, spared)
        return found

    def insert_points(
        self,
        numbers: Sequence[int],
        keys: Sequence[Key],
        seq: int,
        slots: NDArray[np.uint64],
        payloads: Sequence[bytes | None],
    ) -> None:
        """Insert points, or replace those of the same number; ``slots`` is (n, vector names)."""
        seqs, cells = [seq] * len(keys), _cells(slots)
        places = PLACE.sums_of([*numbers], [*keys], seqs, cells)
        own = PAYLOAD.sums_of([*numbers], [*payloads])
        self._connection.executemany(
            "INSERT OR REPLACE INTO points"
            " (number, id, seq, slots, checksum, payload_checksum, payload)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            zip(numbers, keys, seqs, cells, places, own, payloads, strict=True),
        )

    def put_slots(self, held: Mapping[Key, Held], seq: int, slots: NDArray[np.uint64]) -> None:
        """Replace the slots of points as they were found; ``slots`` is (n, vector names)."""
        numbers, cells = [one.number for one in held.values()], _cells(slots)
        seqs = [seq] * len(numbers)
        places = PLACE.sums_of(numbers, [*held], seqs, cells)
        self._connection.executemany(
            "UPDATE points SET seq = ?, slots = ?, checksum = ? WHERE number = ?",
            zip(seqs, cells, places, numbers, strict=True),
        )

    def put_payloads(
        self, held: Mapping[Key, Held], seq: int, payloads: Sequence[bytes | None]
    ) -> None:
        """Replace the payloads of points as they were found."""
        numbers, seqs = [one.number for one in held.values()], [seq] * len(held)
        cells = [one.slots.tobytes() for one in held.values()]
        places = PLACE.sums_of(numbers, [*held], seqs, cells)
        own = PAYLOAD.sums_of(numbers, [*payloads])
        self._connection.executemany(
            "UPDATE points SET seq = ?, checksum = ?, payload = ?, payload_checksum = ?"
            " WHERE number = ?",
            zip(seqs, places, payloads, own, numbers, strict=True),
        )

    def delete_points(self, numbers: Sequence[int]) -> None:
        """Delete points."""
        self._connection.executemany(
            "DELETE FROM points WHERE number = ?", ((number,) for number in numbers)
        )

    def remove_vector(self, vector: int) -> None:
        """Forget the segments, staged rows, adapters and demand of a vector name."""
        for table in ("segments", "staged", "demand"):
            self._connection.execute(f"DELETE FROM {table} WHERE vector = ?", (vector,))
        self.adapters.remove_column(vector)

    def stage(self, rows: StagedRows) -> None:
        """Keep rows until they are sealed."""
        ids = ids_to_bytes(rows.ids)
        row = (
            rows.first,
            rows.vector,
            len(rows.numbers),
            rows.seq,
            long_sum([ids, rows.value]),
            rows.numbers.tobytes(),
        )
        self._connection.execute(
            "INSERT INTO staged (slot, vector, n, seq, crc32, numbers, checksum, ids, value)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, check_of("staged").sum(row), ids, rows.value),
        )

    def bury(self, slots: Slots) -> None:
        """Record slots as dead."""
        own = slots.tolist()
        self._change_dead(
            "INSERT OR IGNORE INTO dead (slot, checksum) VALUES (?, ?)",
            zip(own, check_of("dead").sums_of(own), strict=True),
            1,
        )

    def unbury(self, slots: Slots) -> None:
        """Forget dead slots whose rows are in no file any more."""
        rows = ((slot,) for slot in slots.tolist())
        self._change_dead("DELETE FROM dead WHERE slot = ?", rows, -1)

    def _change_dead(self, statement: str, rows: Iterable[Row], sign: int) -> None:
        """Carry a statement out for each row, and count rows: a trigger would for each by itself.

        Stores made before have such triggers, which come to the same number.
        """
        (before,) = self._connection.execute("SELECT dead_rows FROM position").fetchone()
        changed = self._connection.executemany(statement, rows).rowcount
        self._connection.execute("UPDATE position SET dead_rows = ?", (before + sign * changed,))

    def add_segment(self, entry: SegmentEntry) -> None:
        """Add a line to the manifest."""
        put_row(self._connection, "segments", (entry.name, entry.vector, entry.checksum))

    def remove_segments(self, names: Sequence[str]) -> None:
        """Remove lines from the manifest."""
        self._connection.executemany(
            "DELETE FROM segments WHERE name = ?", ((name,) for name in names)
        )

    def mark_sealed(self, vector: int, slot: int) -> None:
        """Record that staged rows of the vector up to the slot are in segments, or dead."""
        put_row(self._connection, "sealed", (vector, slot))

    def purge_staged(self, nbytes: int) -> bool:
        """Delete sealed entries of the staged rows; tell whether more may be left.

        Args:
            nbytes: stop after about that much, so that writes need not wait long.

        Raises:
            Damaged: some are listed that are not there.
        """
        entries = self._connection.execute(_SEALED_ENTRIES).fetchall()
        total, purged = 0, []
        for slot, length in entries:
            if total >= nbytes:
                break
            total += length
            purged.append((slot,))
        deleted = self._connection.executemany("DELETE FROM staged WHERE slot = ?", purged).rowcount
        if deleted < len(purged):  # or it would be asked for the same ones again and again
            what = "staged rows that can be deleted"
            raise Damaged(self.path, len(purged), deleted, what)
        return len(purged) < len(entries) or len(entries) == _PURGED_ENTRIES

    def index_anew(self) -> None:
        """Make the index of the points' ids anew, from the points."""
        self._connection.execute("REINDEX points")

    def put_config(self, config: dict[str, Any]) -> None:
        """Replace the config."""
        put_setting(self._connection, "config", json.dumps(config))

    def sum_some(self) -> bool:
        """Give some rows of a store of an earlier format their checksums; tell of more to do."""
        with self.transaction():
            more = sum_some(self.path, self._connection)
        self.summed.complete = not more
        return more


def _reach(path: Path, connection: sqlite3.Connection, expected: Reach | None) -> Reach:
    """Return the reach of an opened store, which must be the one its files were found to have."""
    cell = connection.execute("SELECT reach FROM position").fetchone()
    reach = Reach.from_bytes(cell[0]) if cell and isinstance(cell[0], bytes) else None
    if reach is None or expected not in (None, reach):
        raise behind(path, "commits up to", expected or "a number", reach or "none")
    return reach


def _points(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT points FROM position").fetchone()
    return row[0] if row and isinstance(row[0], int) else 0  # told when it is read in earnest


def _cells(slots: NDArray[np.uint64]) -> list[bytes]:
    width = slots.shape[1] * 8
    text = slots.astype("<u8").tobytes()
    return [text[place * width : (place + 1) * width] for place in range(len(slots))]
