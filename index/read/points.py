"""Points read by id or in id order, with payloads from the store and vectors from the view."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from pyroaring import BitMap

from palimpsest.index.config.collection import CollectionConfig
from palimpsest.index.errors import DamagedPoint
from palimpsest.index.kinds.registry import kind_of
from palimpsest.index.storage.checked import Spared
from palimpsest.index.storage.ids import Key, id_of_key, keys_of
from palimpsest.index.storage.read_rows import StoredPoint
from palimpsest.index.storage.reader import Reader
from palimpsest.index.types import Numbers, PointId, PointVector, Record, Slots
from palimpsest.index.view.evidence import require_rows, slots_in
from palimpsest.index.view.view import View
from palimpsest.index.view.virtual_collection import Shown
from palimpsest.index.waiting import NotYetApplied, StoreAhead, consistent, deadline

Wanted: TypeAlias = Mapping[str, int]  # columns, by what a read calls them
_ELSEWHERE = "is said to have its vectors elsewhere than they are"


def wanted_of(config: CollectionConfig, with_vectors: bool | tuple[str, ...]) -> Wanted:
    """Return the vectors asked for, all under bare names for True. Raises UnknownVectorName."""
    if isinstance(with_vectors, bool):
        with_vectors = tuple(config.names) if with_vectors else ()
    return {name: config.number(name) for name in with_vectors}


class PointReader:
    """Reads of one collection, from any thread.

    One that does not wait raises NotYetApplied where it would have to: for a write that is being
    applied, or for the index of ids to be read.
    """

    def __init__(self, reader: Reader, shown: Shown, *, waits: bool = True) -> None:
        self.store = reader.path
        self._waits = waits
        self._shown = shown
        self._reader = reader

    def catch_up(self, until: float) -> None:
        """Wait until the view has what the store has now. Raises NotYetApplied past ``until``."""
        if not self._waits:
            raise NotYetApplied(f"{self.store}: a write is being applied, try again")
        self._shown.applied.wait_for(self._reader.seq(), until)

    def stored(
        self, numbers: Sequence[int], *, with_payload: bool, spared: Spared | None = None
    ) -> dict[int, tuple[Key, StoredPoint]]:
        """Return the points that exist, by number.

        Args:
            numbers: of points.
            with_payload: whether payloads are read.
            spared: takes the points that are lost or damaged, which are left out.

        Raises:
            DamagedPoint: one is, and there is no ``spared``; so do all that take one.
        """
        found = self._reader.by_number(numbers, with_payload=with_payload, spared=spared)
        self._require_deleted(numbers, found, spared)
        return found

    def held(
        self, numbers: Sequence[int], *, with_payload: bool, spared: Spared | None = None
    ) -> dict[int, tuple[bytes, bytes | None]]:
        """Return stored slots and payloads of the points that exist; raises as ``stored``."""
        found = self._reader.held(numbers, with_payload=with_payload, spared=spared)
        self._require_deleted(numbers, found, spared)
        return found

    def slots_of(self, numbers: Numbers, column: int) -> Slots:
        """Return the slot of each point in a column, 0 where it has none or is gone."""
        found = self.stored(numbers.tolist(), with_payload=False)
        there = [n for n in numbers.tolist() if n in found]
        own = slots_in([found[n] for n in there], column).tolist()
        slot_of = dict(zip(there, own, strict=True))
        return np.array([slot_of.get(n, 0) for n in numbers.tolist()], dtype=np.uint64)

    def payloads(self, numbers: Numbers) -> Iterator[list[tuple[int, bytes | None]]]:
        """Yield numbers and payloads of the points that exist, in pieces; numbers ascending.

        Raises:
            DamagedPoint: one is lost.
        """
        for wanted, found in self._reader.payloads_of(numbers):
            if len(found) < len(wanted):
                self._require_deleted(wanted, {number for number, _ in found})
            yield found

    def numbers_of(self, ids: Sequence[PointId]) -> list[int | None]:
        """Return the number of each id, None where there is no such point."""
        keys = keys_of(ids)
        found = self._reader.numbers(keys, wait=self._waits)
        return [found.get(key) for key in keys]

    def ids_of(self, numbers: Sequence[int]) -> dict[int, PointId]:
        """Return the ids of the points that exist; raises as ``stored``."""
        found = self._reader.ids(numbers)
        self._require_deleted(numbers, found)
        return {n: id_of_key(key) for n, key in found.items()}

    def records(
        self,
        keys: Sequence[Key],
        wanted: Wanted,
        *,
        with_payload: bool,
        spared: Spared | None = None,
    ) -> list[Record]:
        """Return the points that exist, in the order of ``keys``, with the wanted vectors."""

        def read() -> list[tuple[Key, StoredPoint]]:
            found = self._reader.points(
                keys, with_payload=with_payload, spared=spared, wait=self._waits
            )
            return [(key, found[key]) for key in keys if key in found]

        return self._with_vectors(read, wanted)

    def numbered(
        self,
        numbers: Sequence[int],
        wanted: Wanted,
        *,
        with_payload: bool,
        spared: Spared | None = None,
    ) -> list[Record | None]:
        """Return the points of the numbers with the wanted vectors, None where there is none."""
        there: list[int] = []

        def read() -> list[tuple[Key, StoredPoint]]:
            found = self.stored(numbers, with_payload=with_payload, spared=spared)
            there[:] = [number for number in numbers if number in found]
            return [found[number] for number in there]

        records = dict(zip(there, self._with_vectors(read, wanted), strict=True))
        return [records.get(number) for number in numbers]

    def page(
        self,
        start: Key | None,
        limit: int,
        wanted: Wanted,
        *,
        with_payload: bool,
        spared: Spared | None = None,
    ) -> tuple[list[Record], PointId | None]:
        """Return up to ``limit`` points from ``start`` on, ascending, and the id to go on from.

        Points that are left out count.
        """
        following: list[Key | None] = []

        def read() -> list[tuple[Key, StoredPoint]]:
            points, behind = self._reader.page(
                start, limit, with_payload=with_payload, spared=spared, wait=self._waits
            )
            following[:] = [behind]
            return points

        records = self._with_vectors(read, wanted)
        (behind,) = following
        return records, None if behind is None else id_of_key(behind)

    def first_among(self, allowed: BitMap, limit: int) -> list[int]:
        """Return the numbers of the first ``limit`` points of ``allowed`` in id order.

        Raises:
            DamagedPoint: one is lost.
        """
        return self._numbers_among(allowed, None, limit)

    def _numbers_among(self, allowed: BitMap, start: Key | None, limit: int) -> list[int]:
        numbers = self._reader.page_among(allowed, start, limit)
        if start is None and len(numbers) < min(limit, len(allowed)):
            self._require_deleted(list(allowed), set(numbers))
        return numbers

    def page_among(
        self,
        allowed: BitMap,
        start: Key | None,
        limit: int,
        wanted: Wanted,
        *,
        with_payload: bool,
        spared: Spared | None = None,
    ) -> tuple[list[Record], PointId | None]:
        """Return as ``page`` does, but only points of ``allowed``.

        Raises:
            Damaged: the ids are not in order, or lead to points that are not there.
        """
        until: float | None = None
        missing, more = BitMap(), limit + 1
        while True:
            numbers = self._numbers_among(allowed, start, more)
            found = self.numbered(numbers, wanted, with_payload=with_payload, spared=spared)
            lost = () if spared is None else spared.errors
            pairs = [*zip(numbers, found, strict=True)]
            # Some were deleted in between: look for others. No number comes back so soon.
            gone = BitMap([n for n, one in pairs if one is None and n not in lost])
            # Its number was missing before, and is still said to have an id: no deletion looks like
            # that.
            if gone & missing:
                raise DamagedPoint(self.store, _numbered((gone & missing)[0]), "has an id, no row")
            missing |= gone
            if gone:
                until = until or deadline()
                self.catch_up(until)
                continue
            behind = [one for one in found[limit:] if one is not None]
            if not behind and len(numbers) == more:
                more += limit  # no page goes on from a point that is left out
                continue
            if not behind:
                self._reader.tally(spared, allowed)
                if self._reader.is_damaged():  # some may have been passed over
                    self.held([*allowed], with_payload=False, spared=spared)
            records = [one for one in found[:limit] if one is not None]
            ids = [one.id for one in [*records, *behind]]
            self._reader.require_order(keys_of(ids), start)
            return records, behind[0].id if behind else None

    def require_found(self, view: View, numbers: Sequence[int]) -> None:
        """Raise DamagedPoint for a point that a search of a view found under other slots.

        Not for one that was written since the view was taken.
        """
        stored, newest = self.stored(numbers, with_payload=False), self._reader.seq()
        for key, (seq, _, _) in stored.values():
            if seq <= view.seq or seq > newest:
                raise DamagedPoint(self.store, id_of_key(key), _ELSEWHERE)

    def require_rows(self, view: View, columns: Sequence[int], numbers: Sequence[int]) -> None:
        """Raise DamagedPoint for a point whose vectors of columns should be in a view, and are not.

        Not for one that was written since the view was taken.
        """
        points = [*self.stored(numbers, with_payload=False).values()]
        require_rows(self.store, points, view, columns, self._reader.seq())

    def _require_deleted(
        self, numbers: Sequence[int], found: Collection[int], spared: Spared | None = None
    ) -> None:
        """Raise DamagedPoint for a point that was not found, though no write deleted it.

        Once a view holds every write before it was missed, and the point, it was not deleted: a
        number is given to another point much later only (``index.write.numbering``).
        """
        if len(found) >= len(numbers):
            return
        lost = () if spared is None else spared.errors
        missing = [n for n in numbers if n not in found and n not in lost]
        if not missing:
            return
        # The store was read before or after a deletion that the view does not know yet: only a view
        # that has caught up can tell a lost row from one that was deleted.
        if self._shown.view.seq < self._reader.seq():
            self.catch_up(deadline())
        live = self._shown.view.live
        for number in missing:
            if number in live:
                error = DamagedPoint(self.store, _numbered(number), "has vectors, but no row")
                if spared is None:
                    raise error
                spared.add(number, error)

    def _with_vectors(
        self, read: Callable[[], list[tuple[Key, StoredPoint]]], wanted: Wanted
    ) -> list[Record]:
        """Read points, then their vectors from a view that holds all of them.

        The store may be ahead of the view by writes being applied, or behind it by writes and
        compactions made since it was read; reading both again settles either.
        """

        def records() -> list[Record]:
            # Taken before the store is read: what is older than both and still missing is damage,
            # and no matter of time.
            before = self._shown.view
            points = read()
            vectors = _vectors_of(points, self._shown.view, wanted)
            if vectors is None:
                require_rows(self.store, points, before, [*wanted.values()], self._reader.seq())
                raise StoreAhead(self.catch_up)
            return [
                Record(id_of_key(key), seq, payload, vectors[place] if wanted else None)
                for place, (key, (seq, _, payload)) in enumerate(points)
            ]

        return consistent(records, self.catch_up)


def _numbered(number: int) -> str:
    return f"of number {number}"


def _vectors_of(
    points: Sequence[tuple[Key, StoredPoint]], view: View, wanted: Wanted
) -> list[dict[str, PointVector]] | None:
    """Return each point's vectors, named as wanted; None when a row is not in the view."""
    vectors: list[dict[str, PointVector]] = [{} for _ in points]
    if not points or not wanted:
        return vectors
    for name, column in wanted.items():
        own = view.vectors.get(column)
        if own is None:  # dropped meanwhile
            continue
        slots = slots_in(points, column)
        having = np.flatnonzero(slots)
        rows, complete = kind_of(own.config).read(own, slots[having])
        if not complete:
            return None
        for place, row in zip(having.tolist(), rows, strict=True):
            if row is not None:
                vectors[place][name] = row
    return vectors
