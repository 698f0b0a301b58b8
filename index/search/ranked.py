"""Rows of several parts in one order, as arrays: ids are read only of what is left in the end.

A search of several versions ranks a few hundred rows to return ten.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import _native
from palimpsest.index.search.merge import Merged, PartHits, RowColumns
from palimpsest.index.storage.ids import unpack_ids
from palimpsest.index.types import Distances, Numbers, PointId, Rows, Slots

Places = NDArray[np.intp]


class RankedRows(NamedTuple):
    """Rows, closest first: row ``rows[i]`` of ``columns[parts[i]]`` is at place i of m.

    ``places`` (3, m) uint32 are their parts, their rows there, and the numbers of their points.
    """

    columns: tuple[RowColumns, ...]
    places: NDArray[np.uint32]
    distances: Distances

    @property
    def length(self) -> int:
        """How many rows there are."""
        return len(self.distances)

    @property
    def parts(self) -> Rows:
        """Which of the columns each row is of (m,)."""
        parts: Rows = self.places[0]
        return parts

    @property
    def rows(self) -> Rows:
        """The rows in their parts (m,)."""
        rows: Rows = self.places[1]
        return rows

    @property
    def numbers(self) -> Numbers:
        """The numbers of the rows' points (m,)."""
        numbers: Numbers = self.places[2]
        return numbers

    @property
    def slots(self) -> Slots:
        """The slots of the rows (m,)."""
        return self._gathered([columns.slots for columns in self.columns])

    def taken(self, places: Places | slice) -> RankedRows:
        """Return the rows at some places, in their order."""
        return RankedRows(self.columns, self.places[:, places], self.distances[places])

    def by(self, distances: Distances) -> RankedRows:
        """Return the rows in the order of other distances (m,); equal ones stay as they were."""
        return self.scored(distances).taken(np.argsort(distances, kind="stable"))

    def scored(self, distances: Distances) -> RankedRows:
        """Return the rows where they are, with other distances (m,)."""
        return RankedRows(self.columns, self.places, distances)

    def merged(self) -> Merged:
        """Return the points of the rows, by id."""
        return Merged(self._ids(), self.distances, self.numbers, self.slots.tolist())

    def by_part(self) -> Iterator[tuple[RowColumns, list[int], Rows]]:
        """Yield each part's columns, the places of its rows, and the rows."""
        parts = self.parts.tolist()
        for part in set(parts):
            places = [place for place, one in enumerate(parts) if one == part]
            yield self.columns[part], places, self.rows[places]

    def _ids(self) -> list[PointId]:
        packed: list[Any] = [columns.ids for columns in self.columns if columns.ids.ndim == 1]
        if len(packed) == len(self.columns):
            return unpack_ids(self._gathered(packed))
        ids: list[PointId] = [0] * self.length
        for columns, places, rows in self.by_part():
            for place, one in zip(places, unpack_ids(columns.ids[rows]), strict=True):
                ids[place] = one
        return ids

    def _gathered(self, columns: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
        """Return what a column (n,) of each part holds of the rows, (m,)."""
        found = np.empty(self.length, dtype=np.uint64)
        _native.gather(columns, self.places, found)
        return found


def ranked(found: Sequence[PartHits], count: int) -> RankedRows:
    """Return the ``count`` closest rows of all parts; of equally close ones the lowest numbers."""
    parts, length = [], 0
    for columns, hits in found:
        parts.append((hits.rows, hits.distances, columns.numbers))
        length += len(hits.rows)
    places, distances = _room(min(count, length))
    _native.rank(parts, places, distances)
    return RankedRows(tuple([columns for columns, _ in found]), places, distances)


def interleaved(lists: Sequence[RankedRows], count: int) -> RankedRows:
    """Return the ``count`` closest rows of all lists; of equally close ones by rank, then list."""
    every: tuple[RowColumns, ...] = ()
    own, length = [], 0
    for columns, places, distances in lists:
        own.append((places, distances, len(columns)))
        every += columns
        length += len(distances)
    places, distances = _room(min(count, length))
    _native.interleave(own, places, distances)
    return RankedRows(every, places, distances)


def _room(count: int) -> tuple[NDArray[np.uint32], Distances]:
    """Return places (3, count) and distances (count,) to be written."""
    return np.empty((3, count), np.uint32), np.empty(count, np.float32)


def joined(lists: Sequence[RankedRows]) -> RankedRows:
    """Return the rows of all lists, one after the other."""
    columns: tuple[RowColumns, ...] = ()
    places = []
    for one in lists:
        places.append(one.places + np.array([[len(columns)], [0], [0]], dtype=np.uint32))
        columns += one.columns
    distances = np.concatenate([one.distances for one in lists])
    return RankedRows(columns, np.concatenate(places, axis=1), distances)
