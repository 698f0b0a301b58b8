"""Reads of the store from any thread, each on a connection of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from pyroaring import BitMap

from palimpsest.index.errors import Damaged, DamagedPoint
from palimpsest.index.storage.checked import (
    Spared,
    Summed,
    damaged_payload,
    position_in,
    require_points,
)
from palimpsest.index.storage.connections import Connections
from palimpsest.index.storage.id_index import IdIndex
from palimpsest.index.storage.ids import UUID_BYTES, Key, id_of_key, order_of
from palimpsest.index.storage.point_table import LOOKUP
from palimpsest.index.storage.read_rows import (
    StoredPoint,
    count_before,
    is_ascending,
    look_up,
    stored_point,
)
from palimpsest.index.storage.reserve import Reserve
from palimpsest.index.storage.schema import is_damage
from palimpsest.index.storage.sums import PAYLOAD, Row
from palimpsest.index.types import Numbers

_PLACE = "number, id, seq, slots, checksum"
_COLUMNS = {True: f"{_PLACE}, payload, payload_checksum", False: _PLACE}
_PAYLOADS = "number, payload, payload_checksum"
_STRETCH = f"SELECT {_PAYLOADS} FROM points WHERE number BETWEEN ? AND ?"
_TALLY = "SELECT seq, points, (SELECT count(*) FROM points) FROM position"  # by the index
_PATIENCE = 64  # ids walked past per wanted point
_READ_THROUGH = 4  # stored points per wanted one
_UNKNOWN = -1  # and below: numbers of points that are known by their ids only


class Reader(Connections):
    """Points by id and in id order, until closed: then CollectionNotFound."""

    def __init__(
        self,
        path: Path,
        collection: str,
        summed: Summed,
        ids: IdIndex | None = None,
        *,
        frozen: bool = False,
        opened: Callable[[], None] = lambda: None,
        reserve: Reserve | None = None,
    ) -> None:
        """Prepare it; nothing is opened before the first read.

        Args:
            path: of the store.
            collection: its name.
            summed: whether every row has its checksum.
            ids: of the store, the writer's own where there is one.
            frozen: whether nothing can be written there, not even what SQLite shares of a log.
            opened: called when a connection was opened, which stays open until ``rest``.
            reserve: room on the disk, of which a full one lets a connection have some.
        """
        super().__init__(path, collection, frozen=frozen, opened=opened, reserve=reserve)
        self._summed = summed
        self._ids = ids or IdIndex(path, summed)
        # Counting all points reads an index through; between two writes the answer stays the same.
        self._tallied = -1  # seq of the last write that was held against the index of ids

    def points(
        self,
        keys: Sequence[Key],
        *,
        with_payload: bool,
        spared: Spared | None = None,
        wait: bool = True,
    ) -> dict[Key, StoredPoint]:
        """Return the stored points among ``keys``.

        Args:
            keys: of points.
            with_payload: whether payloads are read.
            spared: takes the points that are damaged, which are left out.
            wait: for the index of ids, where it has to be read first.

        Raises:
            DamagedPoint: one is, and there is no ``spared``; so do all that follow.
            NotYetApplied: the caller does not wait.
        """
        rows = self._rows("id", keys, with_payload, spared, wait)
        return {row[1]: stored_point(row) for row in rows}

    def payloads(self, keys: Sequence[Key]) -> dict[Key, tuple[int, bytes | None]]:
        """Return seq and payload of the stored points among ``keys``."""
        return {row[1]: (row[2], row[5]) for row in self._rows("id", keys, True)}

    def numbers(self, keys: Sequence[Key], *, wait: bool = True) -> dict[Key, int]:
        """Return the numbers of the stored points among ``keys``."""
        return {row[1]: row[0] for row in self._rows("id", keys, False, wait=wait)}

    def held(
        self, numbers: Sequence[int], *, with_payload: bool, spared: Spared | None = None
    ) -> dict[int, tuple[bytes, bytes | None]]:
        """Return stored slots (see ``slot_in``) and payloads by number: the quickest read."""
        rows = self._rows("number", numbers, with_payload, spared)
        if with_payload:
            return {row[0]: (row[3], row[5]) for row in rows}
        return {row[0]: (row[3], None) for row in rows}

    def by_number(
        self, numbers: Sequence[int], *, with_payload: bool, spared: Spared | None = None
    ) -> dict[int, tuple[Key, StoredPoint]]:
        """Return the stored points of the numbers."""
        rows = self._rows("number", numbers, with_payload, spared)
        return {row[0]: (row[1], stored_point(row)) for row in rows}

    def ids(self, numbers: Sequence[int]) -> dict[int, Key]:
        """Return the ids of the stored points of the numbers."""
        return {row[0]: row[1] for row in self._rows("number", numbers, False)}

    def _rows(
        self,
        by: str,
        wanted: Sequence[Key],
        with_payload: bool,
        spared: Spared | None = None,
        wait: bool = True,
    ) -> list[Row]:
        """Return the rows of points by a column; verified, and in no order."""
        rows: list[Row] = []
        # Asked before the rows are read: what gives rows their checksums may finish in between, and
        # one read without would then count as damaged.
        may_lack = not self._summed.complete
        with self._reading() as connection:
            for start in range(0, len(wanted), LOOKUP):
                some = wanted[start : start + LOOKUP]
                columns = _COLUMNS[with_payload]
                try:
                    # In one statement, which a single damaged page fails as a whole. Which points
                    # are on it is found only then, one by one.
                    rows += look_up(connection, columns, some, by).fetchall()
                except sqlite3.DatabaseError as error:
                    if not is_damage(error):
                        raise
                    rows += self._singly(connection, columns, some, by, spared)
            # A missing id is either no point or an entry that the index of ids has lost: what is
            # not found is held against the rows themselves.
            if by == "id" and len(rows) < len(wanted):
                there = {row[1] for row in rows}
                missing = [key for key in wanted if key not in there]
                self._ids.require_absent(connection, missing, spared, wait=wait)
        return require_points(
            self.path, rows, with_payload=with_payload, may_lack=may_lack, spared=spared
        )

    def seq(self) -> int:
        """Return the seq of the last write that was committed."""
        with self._reading() as connection:
            seq: int = position_in(self.path, connection)["seq"]
        return seq

    def payload_bytes(self) -> int:
        """Return how many bytes all stored payloads take."""
        with self._reading() as connection:
            (total,) = connection.execute("SELECT total(length(payload)) FROM points").fetchone()
        return int(total)

    def payloads_of(
        self, numbers: Numbers
    ) -> Iterator[tuple[list[int], list[tuple[int, bytes | None]]]]:
        """Yield wanted numbers, and those of stored points with payloads; ``numbers`` ascending.

        Where most points of a stretch are wanted the stretch is read through.
        """
        for start in range(0, len(numbers), LOOKUP):
            some = numbers[start : start + LOOKUP].tolist()
            yield some, self._payloads(some)

    def _payloads(self, numbers: list[int]) -> list[tuple[int, bytes | None]]:
        # No generator: one that is never finished would count as a read under way for ever.
        may_lack = not self._summed.complete
        with self._reading() as connection:
            if numbers[-1] - numbers[0] >= _READ_THROUGH * len(numbers):
                rows = look_up(connection, _PAYLOADS, numbers, "number").fetchall()
            else:
                rows = connection.execute(_STRETCH, (numbers[0], numbers[-1])).fetchall()
                wanted = set(numbers)
                rows = [row for row in rows if row[0] in wanted]
        bad = PAYLOAD.bad(rows, [0, 1], 2, may_lack=may_lack)
        if bad:
            number = rows[bad[0]][0]
            self._rows("number", [number], True)  # raises, and knows the id
            raise damaged_payload(self.path, None, number)
        return [row[:2] for row in rows]

    def page(
        self,
        start: Key | None,
        limit: int,
        *,
        with_payload: bool,
        spared: Spared | None = None,
        wait: bool = True,
    ) -> tuple[list[tuple[Key, StoredPoint]], Key | None]:
        """Return up to ``limit`` points from ``start`` on, ascending, and the id to go on from.

        Points that are left out count; no page goes on from one of them.
        """
        where = "" if start is None else "WHERE id >= ?"
        columns = _COLUMNS[with_payload]
        statement = f"SELECT {columns} FROM points {where} ORDER BY id LIMIT ?"
        arguments: list[Key] = [] if start is None else [start]
        may_lack = not self._summed.complete
        # One more than is asked for: its id is where the next page begins.
        more = limit + 1
        while True:
            with self._reading() as connection:
                try:
                    rows = connection.execute(statement, [*arguments, more]).fetchall()
                except sqlite3.DatabaseError as error:
                    if not is_damage(error):
                        raise
                    rows = self._page_singly(connection, columns, where, [*arguments, more], spared)
            whole = require_points(
                self.path, rows, with_payload=with_payload, may_lack=may_lack, spared=spared
            )
            first = len(whole) if len(rows) <= limit else count_before(whole, rows[limit:])
            if first < len(whole) or len(rows) < more:
                break
            more += LOOKUP  # all of them are damaged: look farther
        self.require_order([row[1] for row in whole], start)
        points = [(row[1], stored_point(row)) for row in whole[:first]]
        if first < len(whole):
            return points, whole[first][1]
        self.tally(spared, wait=wait)
        return points, None

    def is_damaged(self) -> bool:
        """Tell whether rows of points, or the index of ids, were damaged when it was first read."""
        with self._reading() as connection:
            return self._ids.is_damaged(connection)

    def _singly(
        self,
        connection: sqlite3.Connection,
        columns: str,
        keys: Sequence[Key],
        by: str,
        spared: Spared | None,
    ) -> list[Row]:
        """Look points up one by one, where some of them cannot be read."""
        rows: list[Row] = []
        for key in keys:
            try:
                rows += look_up(connection, columns, [key], by).fetchall()
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                where = f"of number {key!r}" if by == "number" else id_of_key(key)
                lost = DamagedPoint(self.path, where, f"cannot be read: {error}")
                if spared is None:
                    raise lost from error
                spared.add(int(key) if by == "number" else _UNKNOWN - len(spared.errors), lost)
        return rows

    def _page_singly(
        self,
        connection: sqlite3.Connection,
        columns: str,
        where: str,
        arguments: Sequence[Key],
        spared: Spared | None,
    ) -> list[Row]:
        """Read a page by the index of ids alone, and then its points one by one."""
        statement = f"SELECT number FROM points {where} ORDER BY id LIMIT ?"
        connection.execute("BEGIN")  # so that no point is deleted in between
        try:
            numbers = [row[0] for row in connection.execute(statement, arguments)]
            rows = self._singly(connection, columns, numbers, "number", spared)
        finally:
            connection.execute("ROLLBACK")
        lost = () if spared is None else spared.errors
        for number in {*numbers} - {row[0] for row in rows} - {*lost}:
            error = DamagedPoint(self.path, f"of number {number}", "has an id, no row")
            if spared is None:
                raise error
            spared.add(number, error)
        return rows

    def tally(
        self, spared: Spared | None, among: BitMap | None = None, *, wait: bool = True
    ) -> None:
        """Tell of points that the index of ids does not lead to: their number shows them missing.

        Args:
            spared: takes them.
            among: those that anyone asked for, None for all.
            wait: for the index of ids, where it has to be read first.

        Raises:
            DamagedPoint: there are some, and there is no ``spared``.
        """
        with self._reading() as connection:
            if connection.execute("SELECT seq FROM position").fetchone() == (self._tallied,):
                return
            (seq, points, found) = connection.execute(_TALLY).fetchone()
            if points == found:
                self._tallied = seq
                return
            for number, error in self._ids.lost(connection, wait=wait).items():
                if among is not None and number not in among:
                    continue
                if spared is None:
                    raise error
                spared.add(number, error)

    def page_among(self, allowed: BitMap, start: Key | None, limit: int) -> list[int]:
        """Return the numbers of the first ``limit`` points of ``allowed`` from id ``start`` on.

        Walks the ids in order where that soon meets enough points, and else looks up and sorts the
        ids of all that are allowed.
        """
        where = "" if start is None else "WHERE id >= ?"
        first = [] if start is None else [start]
        found: list[int] = []
        with self._reading() as connection:
            rows = connection.execute(f"SELECT number FROM points {where} ORDER BY id", first)
            # The dearer way reads and sorts all that are allowed: as much may be walked in hope
            # before it.
            patience = limit * _PATIENCE + len(allowed)
            while patience > 0 and len(found) < limit:
                some = rows.fetchmany(LOOKUP)
                if not some:
                    return found
                found += [row[0] for row in some if row[0] in allowed]
                patience -= len(some)
        if len(found) >= limit:
            return found[:limit]
        keyed = [(key, n) for n, key in self.ids(list(allowed)).items()]
        ranked = sorted((order_of(key), n) for key, n in keyed)
        least = order_of(-(1 << 63) if start is None else start)
        return [n for order, n in ranked if order >= least][:limit]

    def require_order(self, keys: Sequence[Key], start: Key | None) -> None:
        """Raise Damaged unless keys ascend from ``start`` on: else a scroll would not advance."""
        if is_ascending(keys, start):
            return
        for key in keys:
            self._require_key(key)
        orders = [order_of(key) for key in keys]
        if orders and start is not None and orders[0] < order_of(start):
            raise self._disordered(start, keys[0])
        for place, (before, after) in enumerate(pairwise(orders)):
            if after <= before:
                raise self._disordered(keys[place], keys[place + 1])

    def _disordered(self, before: Key, after: Key) -> Damaged:
        found = f"{id_of_key(after)} after {id_of_key(before)}"
        return Damaged(self.path, "ids in ascending order", found, "index of points", "file")

    def _require_key(self, key: object) -> None:
        if key.__class__ is not int and not (isinstance(key, bytes) and len(key) == UUID_BYTES):
            raise Damaged(self.path, "the id of a point", repr(key), "row of points", "file")
