"""Rows of several parts in one order, as arrays: ids are read only of what is left in the end.

A search of several versions ranks a few hundred rows to return ten.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.search.merge import Merged, PartHits, RowColumns
from palimpsest.index.storage.ids import unpack_ids
from palimpsest.index.types import Distances, Numbers, PointId, Slots

Places = NDArray[np.intp]


class RankedRows(NamedTuple):
    """Row ``rows[i]`` of ``columns[parts[i]]`` is at place i, closest first; arrays (m,)."""

    columns: tuple[RowColumns, ...]
    parts: Places
    rows: Places
    numbers: Numbers
    distances: Distances

    @property
    def length(self) -> int:
        """How many rows there are."""
        return len(self.rows)

    @property
    def slots(self) -> Slots:
        """The slots of the rows (m,)."""
        slots = np.empty(self.length, dtype=np.uint64)
        for columns, places, rows in self.by_part():
            slots[places] = columns.slots[rows]
        return slots

    def taken(self, places: Places | slice) -> RankedRows:
        """Return the rows at some places, in their order."""
        return RankedRows(
            self.columns,
            self.parts[places],
            self.rows[places],
            self.numbers[places],
            self.distances[places],
        )

    def by(self, distances: Distances) -> RankedRows:
        """Return the rows in the order of other distances (m,); equal ones stay as they were."""
        return self.scored(distances).taken(np.argsort(distances, kind="stable"))

    def scored(self, distances: Distances) -> RankedRows:
        """Return the rows where they are, with other distances (m,)."""
        return RankedRows(self.columns, self.parts, self.rows, self.numbers, distances)

    def merged(self) -> Merged:
        """Return the points of the rows, by id."""
        ids: list[PointId] = [0] * self.length
        slots = [0] * self.length
        for columns, places, rows in self.by_part():
            own = unpack_ids(columns.ids[rows])
            own_slots = columns.slots[rows].tolist()
            for i, place in enumerate(places):
                ids[place], slots[place] = own[i], own_slots[i]
        return Merged(ids, self.distances, self.numbers, slots)

    def by_part(self) -> Iterator[tuple[RowColumns, list[int], Places]]:
        """Yield each part's columns, the places of its rows, and the rows."""
        parts = self.parts.tolist()
        for part in set(parts):
            places = [place for place, one in enumerate(parts) if one == part]
            yield self.columns[part], places, self.rows[places]


def ranked(found: Sequence[PartHits], count: int) -> RankedRows:
    """Return the ``count`` closest rows of all parts; of equally close ones the lowest numbers."""
    if len(found) == 1:  # in order, but for equally close ones
        (columns, hits), *_ = found
        rows, distances = hits.rows.astype(np.intp), hits.distances
        one = np.zeros(len(rows), np.intp)
        listed = RankedRows((columns,), one, rows, columns.numbers[rows], distances)
        if not np.equal(distances[1:], distances[:-1]).any():
            return listed if len(rows) <= count else listed.taken(slice(0, count))
        return listed.taken(np.lexsort((listed.numbers, distances))[:count])
    places = [one.hits.rows.astype(np.intp) for one in found]
    numbers = [one.columns.numbers[own] for one, own in zip(found, places, strict=True)]
    whole = RankedRows(
        tuple(one.columns for one in found),
        np.repeat(np.arange(len(found)), [len(own) for own in places]),
        np.concatenate([np.empty(0, np.intp), *places]),
        np.concatenate([np.empty(0, np.uint32), *numbers]),
        np.concatenate([np.empty(0, np.float32), *(one.hits.distances for one in found)]),
    )
    return whole.taken(np.lexsort((whole.numbers, whole.distances))[:count])


def joined(lists: Sequence[RankedRows], distances: Distances | None = None) -> RankedRows:
    """Return the rows of all lists, one after the other, with their or other distances (m,)."""
    if distances is None:
        distances = np.concatenate([one.distances for one in lists])
    columns: tuple[RowColumns, ...] = ()
    parts = []
    for one in lists:
        parts.append(one.parts + len(columns))
        columns += one.columns
    return RankedRows(
        columns,
        np.concatenate(parts),
        np.concatenate([one.rows for one in lists]),
        np.concatenate([one.numbers for one in lists]),
        distances,
    )
