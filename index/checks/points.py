"""Holds the points of a store against the rows that hold their vectors, a stretch at a time.

All that one stretch is compared with is read as of one commit, so writes in between raise no false
alarm. Of a collection in use, a segment may be gone that was listed a moment ago: then the stretch
is read again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.checks.findings import BACKUP, Finding, Severity, Sink
from palimpsest.index.checks.parts import STRETCH, ColumnRows, Parts, Vanished
from palimpsest.index.checks.stored import Listing, Stored
from palimpsest.index.checks.stretches import Stretch
from palimpsest.index.config.collection import CollectionConfig
from palimpsest.index.remedies import Act, Remedies
from palimpsest.index.storage.ids import unpack_ids, widen_ids

LOOKUP = 512  # ids asked for by one statement
MOST_TOLD = 8  # points of one kind of contradiction that are named
# A server that compacts may replace the segments of each listing that is read; it does not do so
# for five seconds on end.
_RETRIES = 50
_PAUSE = 0.1  # seconds before a stretch is read again
_LOST, _INDEX = Act.BRING_BACK, Act.REINDEX
_ROW = "a server skips it, or names the point; write or delete the point again"


@dataclass
class Counted:
    """What was counted on the way."""

    points: int = 0
    without: Counter[tuple[int, int]] = field(default_factory=Counter)  # see ``_count_versions``


class Points:
    """The check of one store."""

    def __init__(
        self,
        stored: Stored,
        sink: Sink,
        distrusted: Collection[str],
        *,
        in_use: bool,
        by_id: bool = False,
    ) -> None:
        """Prepare it.

        Args:
            stored: the store.
            sink: is told.
            distrusted: segments with files that are not as they were written.
            in_use: whether a server may be writing to it.
            by_id: whether to look each point up by its id, too.
        """
        self._stored, self._sink, self._in_use, self._by_id = stored, sink, in_use, by_id
        self._parts = Parts(stored.path.parent, distrusted)
        self._version: int | None = None
        self._listing: Listing
        self._config: CollectionConfig
        self._dead: NDArray[np.uint64]
        self._told: Counter[str] = Counter()
        self._behind: Counter[str] = Counter()  # vectors that may be in unreadable segments
        self.counted = Counted()

    def check(self, start: int = 0, reached: Callable[[int], None] = lambda _: None) -> None:
        """Check all points from a number on; ``reached`` is told the number to go on from.

        Raises:
            StorageError: the store cannot be read.
        """
        first: int | None = start // STRETCH * STRETCH
        while first is not None:
            first = self._read_stretch(first)
            if first is not None:
                reached(first)
        self._tell_rest()

    def _read_stretch(self, first: int) -> int | None:
        for left in reversed(range(_RETRIES)):
            try:
                with self._stored.snapshot():
                    self._follow()
                    read, following = self._check_stretch(first)
                self._sink.read(read)
                return following
            except Vanished as gone:
                self._version = None
                if not self._in_use or not left:
                    self._parts.forget(gone.entry)
                else:
                    time.sleep(_PAUSE)
        return self._read_stretch(first)

    def _follow(self) -> None:
        """Know what the store lists as of the snapshot."""
        version = self._stored.version()
        # Snapshots of the same version list the same: mapping a hundred segments for each stretch
        # would take longer than the stretch.
        if version == self._version:
            return
        self._listing = self._stored.listing()
        self._config = CollectionConfig.from_json(self._listing.config)
        self._parts.follow(self._stored, self._listing)
        rows = self._stored.connection.execute("SELECT slot FROM dead ORDER BY slot")
        self._dead = np.fromiter((row[0] for row in rows), dtype=np.uint64)
        self._version = version

    def _check_stretch(self, first: int) -> tuple[int, int | None]:
        """Check the points of a stretch; return what was read of them, and where the next is."""
        rows = self._stored.connection.execute(
            "SELECT number, id, seq, slots FROM points WHERE number BETWEEN ? AND ?",
            (first, first + STRETCH - 1),
        ).fetchall()
        stretch = Stretch(first, len(self._config.columns))
        for row in stretch.put(rows, self._listing.position.seq):
            what = "is stored with an id, a last write or slots that cannot be"
            self._tell("lost", f"point of number {row[0]}", what, BACKUP)
        self._check_ids(rows)
        self.counted.points += len(rows)
        read = sum(len(row[3]) + 24 for row in rows if isinstance(row[3], bytes))
        known = self._known(stretch)
        for column, name in enumerate(self._config.columns):
            if name is not None:
                read += self._check_column(stretch, column, name, known)
        self._check_seqs(stretch, known)
        self._count_versions(stretch)
        return read, self._next(first)

    def _check_ids(self, rows: list[Any]) -> None:
        """Check that points are found by their ids; SQLite's own check does so of a whole store."""
        for start in range(0, len(rows) if self._by_id else 0, LOOKUP):
            some = rows[start : start + LOOKUP]
            found = self._stored.connection.execute(
                f"SELECT number FROM (VALUES {','.join(['(?)'] * len(some))}) AS wanted"
                " CROSS JOIN points ON id = wanted.column1",
                [row[1] for row in some],
            )
            missed = {row[0] for row in some} - {number for (number,) in found}
            for row in some if missed else ():
                if row[0] in missed:
                    what = "is not found by its id"
                    self._tell("lost", f"point of number {row[0]}", what, _INDEX)

    def _check_column(
        self, stretch: Stretch, column: int, name: str, known: NDArray[np.uint64]
    ) -> int:
        wanted = stretch.slots[:, column]
        count = np.zeros(STRETCH, dtype=np.intp)
        read = 0
        for part in self._parts.of.get(column, ()):
            rows = part.rows_in(stretch.first, wanted)
            read += 40 * len(rows)
            slots = part.slots[rows]
            if part.numbers is None:
                places = stretch.places_of(wanted, slots)
            else:
                places = np.asarray(part.numbers[rows], dtype=np.int64) - stretch.first
            same = wanted[places] == slots
            self._check_rows(stretch, part, rows[same], places[same], name)
            np.add.at(count, places[same], 1)
            np.maximum.at(known, places[same], part.seqs[rows[same]])
            others = rows[~same & ~np.isin(slots, self._dead)]
            for row in others.tolist():
                point = unpack_ids(part.ids[row : row + 1])[0]
                what = f"holds a row of {name!r} that the point does not mean"
                self._tell("damage", f"point {point}", what, _ROW, Path(part.name))
        self._check_found(stretch, column, name, count)
        return read

    def _check_rows(
        self, stretch: Stretch, part: ColumnRows, rows: NDArray[np.intp], places: Any, name: str
    ) -> None:
        """Check that rows are those of their points."""
        wrong = (widen_ids(part.ids[rows]) != stretch.ids[places]).any(axis=1)
        for place in places[wrong].tolist():
            what = f"means a row of {name!r} that is another point's"
            self._tell("lost", stretch.name(place), what, BACKUP)
        newer = part.seqs[rows] > stretch.seqs[places]
        for place in places[newer & ~wrong].tolist():
            what = f"was last written before its row of {name!r} was"
            self._tell("lost", stretch.name(place), what, BACKUP)

    def _check_found(
        self, stretch: Stretch, column: int, name: str, count: NDArray[np.intp]
    ) -> None:
        wanted = stretch.slots[:, column]
        for place in np.flatnonzero(np.isin(wanted, self._dead) & (wanted != 0)).tolist():
            what = f"means a row of {name!r} that is listed as dead"
            self._tell("lost", stretch.name(place), what, BACKUP)
        for place in np.flatnonzero(count > 1).tolist():
            what = f"has its row of {name!r} in more than one place"
            self._tell("damage", stretch.name(place), what, _ROW)
        missing = np.flatnonzero((wanted != 0) & (count == 0)).tolist()
        if column in self._parts.unreadable:
            self._behind[name] += len(missing)
            return
        for place in missing:
            self._tell(
                "lost",
                stretch.name(place),
                f"means a row of {name!r} that is not there, or another point's",
                _LOST,
            )

    def _known(self, stretch: Stretch) -> NDArray[np.uint64]:
        """Return the seqs of the points that are kept apart from them (STRETCH,)."""
        known = np.zeros(STRETCH, dtype=np.uint64)
        if not self._stored.has("folded_seqs"):
            return known
        own, first = self._stored.connection, stretch.first
        for (value,) in own.execute("SELECT seqs FROM folded_seqs WHERE first = ?", (first,)):
            seqs = np.frombuffer(value, dtype="<u8")[:STRETCH]
            known[: len(seqs)] = seqs
        edited = own.execute(
            "SELECT number, seq FROM edited WHERE number BETWEEN ? AND ?",
            (first, first + STRETCH - 1),
        )
        for number, seq in edited:
            known[number - first] = max(seq, int(known[number - first]))
        return known

    def _check_seqs(self, stretch: Stretch, known: NDArray[np.uint64]) -> None:
        if not self._stored.has("folded_seqs") or self._parts.unreadable:
            return
        for place in np.flatnonzero(stretch.there & (known != stretch.seqs)).tolist():
            what = f"was last written by {stretch.seqs[place]}, and elsewhere by {known[place]}"
            self._tell("damage", stretch.name(place), what, "write the point again")

    def _count_versions(self, stretch: Stretch) -> None:
        """Count, by columns (active, other), the points that hold only another version."""
        for vector in {one.vector for one in self._config.versions}:
            active = self._config.number(vector)
            for one in self._config.versions_of(vector):
                other = self._config.column_of(one)
                only = (stretch.slots[:, active] == 0) & (stretch.slots[:, other] != 0)
                if other != active and one.state != "retired":
                    self.counted.without[active, other] += int(only.sum())

    def _next(self, first: int) -> int | None:
        """Return the first number of the next stretch that a point, or a row, is in."""
        row = self._stored.connection.execute(
            "SELECT min(number) FROM points WHERE number >= ?", (first + STRETCH,)
        ).fetchone()
        places = [] if row[0] is None else [row[0] // STRETCH]
        for parts in self._parts.of.values():
            for part in parts:
                places += [place for place in part.stretches if place > first // STRETCH]
        return min(places) * STRETCH if places else None

    def _tell(
        self, severity: Severity, whose: str, what: str, remedy: Remedies, file: Path | None = None
    ) -> None:
        kind = f"points of which one {what}"
        self._told[kind] += 1
        if self._told[kind] <= MOST_TOLD:
            where = file or self._stored.path
            self._sink.found(Finding(severity, "points", where, f"{whose} {what}", remedy=remedy))

    def _tell_rest(self) -> None:
        for kind, count in self._told.items():
            if count > MOST_TOLD:
                what = f"{count - MOST_TOLD} further {kind}"
                self._sink.found(Finding("lost", "points", self._stored.path, what, remedy=BACKUP))
        for name, count in self._behind.items():
            if count:
                what = f"{count} vectors {name!r} may be in segments that cannot be read"
                self._sink.found(Finding("note", "points", self._stored.path, what))
