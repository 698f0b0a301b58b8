"""Points read by id or in id order, with payloads from the store and vectors from the view."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from pyroaring import BitMap

from index.config import SparseConfig
from index.errors import StorageError, StoreFailed, UnknownVectorName
from index.shown import Shown
from index.stops import check_stop
from index.storage.ids import Key, id_of_key, keys_of
from index.storage.reader import Reader, StoredPoint
from index.types import Numbers, PointId, Record, Slots, SparseVector, Vector, Vectors
from index.view import VectorView, View

_LAG = (0.0005, 2_000)  # seconds between looks, and looks, while a stored write is being applied
_here = threading.local()


class NotYetApplied(StorageError):
    """A stored write is still being applied, and the caller asked not to wait: ``at_once``."""


@contextmanager
def at_once() -> Iterator[None]:
    """Let reads of this thread raise NotYetApplied where they would wait for a write."""
    _here.at_once = True
    try:
        yield
    finally:
        _here.at_once = False


def wait_for_write(store: Path, seconds: float) -> None:
    """Sleep while a stored write is being applied. Raises NotYetApplied within ``at_once``."""
    check_stop()
    if getattr(_here, "at_once", False):
        raise NotYetApplied(f"{store}: a write is being applied, try again")
    time.sleep(seconds)


class PointReader:
    """Reads of one collection, from any thread."""

    def __init__(self, reader: Reader, shown: Shown) -> None:
        self.store = reader.path
        self._shown = shown
        self._reader = reader

    def stored(
        self, numbers: Sequence[int], *, with_payload: bool
    ) -> dict[int, tuple[Key, StoredPoint]]:
        """Return the points that exist, by number."""
        return self._reader.by_number(numbers, with_payload=with_payload)

    def held(
        self, numbers: Sequence[int], *, with_payload: bool
    ) -> dict[int, tuple[bytes, bytes | None]]:
        """Return stored slots and payloads of the points that exist, by number."""
        return self._reader.held(numbers, with_payload=with_payload)

    def slots_of(self, numbers: Numbers, column: int) -> Slots:
        """Return the slot of each point in a column, 0 where it has none or is gone."""
        found = self.stored(numbers.tolist(), with_payload=False)
        there = [n for n in numbers.tolist() if n in found]
        own = slots_in([found[n] for n in there], column).tolist()
        slot_of = dict(zip(there, own, strict=True))
        return np.array([slot_of.get(n, 0) for n in numbers.tolist()], dtype=np.uint64)

    def payloads(self, numbers: Numbers) -> Iterator[list[tuple[int, bytes | None]]]:
        """Yield numbers and payloads of the points that exist, in pieces; numbers ascending."""
        return self._reader.payloads_of(numbers)

    def numbers_of(self, ids: Sequence[PointId]) -> list[int | None]:
        """Return the number of each id, None where there is no such point."""
        keys = keys_of(ids)
        found = self._reader.numbers(keys)
        return [found.get(key) for key in keys]

    def ids_of(self, numbers: Sequence[int]) -> dict[int, PointId]:
        """Return the ids of the points that exist."""
        return {n: id_of_key(key) for n, key in self._reader.ids(numbers).items()}

    def wanted(self, with_vectors: bool | tuple[str, ...]) -> Sequence[str]:
        """Return the vector names asked for. Raises UnknownVectorName."""
        config = self._shown.config
        if isinstance(with_vectors, bool):
            return config.names if with_vectors else ()
        for name in with_vectors:
            if config.find(name) is None:
                raise UnknownVectorName(name, list(config.vectors))
        return with_vectors

    def records(
        self, keys: Sequence[Key], wanted: Sequence[str], *, with_payload: bool
    ) -> list[Record]:
        """Return the points that exist, in the order of ``keys``, with the wanted vectors."""

        def read() -> list[tuple[Key, StoredPoint]]:
            found = self._reader.points(keys, with_payload=with_payload)
            return [(key, found[key]) for key in keys if key in found]

        return self._with_vectors(read, wanted)

    def numbered(
        self, numbers: Sequence[int], wanted: Sequence[str], *, with_payload: bool
    ) -> list[Record | None]:
        """Return the points of the numbers with the wanted vectors, None where there is none."""
        there: list[int] = []

        def read() -> list[tuple[Key, StoredPoint]]:
            found = self._reader.by_number(numbers, with_payload=with_payload)
            there[:] = [number for number in numbers if number in found]
            return [found[number] for number in there]

        records = dict(zip(there, self._with_vectors(read, wanted), strict=True))
        return [records.get(number) for number in numbers]

    def page(
        self, start: Key | None, limit: int, wanted: Sequence[str], *, with_payload: bool
    ) -> list[Record]:
        """Return up to ``limit`` points from ``start`` on, ascending, with the wanted vectors."""

        def read() -> list[tuple[Key, StoredPoint]]:
            return self._reader.page(start, limit, with_payload=with_payload)

        return self._with_vectors(read, wanted)

    def first_among(self, allowed: BitMap, limit: int) -> list[int]:
        """Return the numbers of the first ``limit`` points of ``allowed`` in id order."""
        return self._reader.page_among(allowed, None, limit)

    def page_among(
        self,
        allowed: BitMap,
        start: Key | None,
        limit: int,
        wanted: Sequence[str],
        *,
        with_payload: bool,
    ) -> list[Record]:
        """Return as ``page`` does, but only points of ``allowed``."""
        while True:
            numbers = self._reader.page_among(allowed, start, limit)
            found = self.numbered(numbers, wanted, with_payload=with_payload)
            records = [record for record in found if record is not None]
            if len(records) == len(numbers):  # else some were deleted in between: look for others
                return records

    def _with_vectors(
        self, read: Callable[[], list[tuple[Key, StoredPoint]]], wanted: Sequence[str]
    ) -> list[Record]:
        """Read points, then their vectors from a view that holds all of them.

        The store may be ahead of the view by writes being applied, or behind it by writes and
        compactions made since it was read; reading both again settles either.
        """
        pause, looks = _LAG
        for _ in range(looks):
            points = read()
            vectors = _vectors_of(points, self._shown.view, wanted)
            if vectors is not None:
                return [
                    Record(id_of_key(key), seq, payload, vectors[place] if wanted else None)
                    for place, (key, (seq, _, payload)) in enumerate(points)
                ]
            wait_for_write(self.store, pause)
        raise StoreFailed(f"{self.store}: vectors of stored points are in no segment")


def _vectors_of(
    points: Sequence[tuple[Key, StoredPoint]], view: View, wanted: Sequence[str]
) -> list[dict[str, Vector | SparseVector]] | None:
    """Return each point's vectors by name; None when a row is not in the view."""
    vectors: list[dict[str, Vector | SparseVector]] = [{} for _ in points]
    if not points or not wanted:
        return vectors
    for name in wanted:
        own = view.find(name)
        if own is None:  # dropped meanwhile
            continue
        column = slots_in(points, view.config.number(name))
        having = np.flatnonzero(column)
        rows = _rows_of(own, column[having])
        if rows is None:
            return None
        for place, row in zip(having.tolist(), rows, strict=True):
            vectors[place][name] = row
    return vectors


def slots_in(points: Sequence[tuple[Key, StoredPoint]], column: int) -> Slots:
    """Return each point's slot in one column, 0 where it has no vector there."""
    slots = (stored[1] for _, stored in points)
    return np.array([one[column] if column < len(one) else 0 for one in slots], dtype=np.uint64)


def _rows_of(
    view: VectorView, slots: Slots
) -> Sequence[Vector] | Vectors | Sequence[SparseVector] | None:
    """Return the vectors of slots; None when one is not in the view."""
    if isinstance(view.config, SparseConfig):
        sparse = view.sparse_of(slots)
        found = [one for one in sparse if one is not None]
        return found if len(found) == len(sparse) else None
    rows, complete = view.given_of(slots)
    return rows if complete else None
