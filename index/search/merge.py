"""Merges the closest rows of several parts: by distance, ties by id."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.search.cosines import clamped
from palimpsest.index.segments.searcher import Hits
from palimpsest.index.storage.ids import Ids, unpack_ids
from palimpsest.index.types import Distance, Distances, Numbers, PointId, Slots


class RowColumns(Protocol):
    """What is known of each row of a part."""

    @property
    def ids(self) -> Ids:
        """Of the rows' points."""

    @property
    def numbers(self) -> Numbers:
        """Of the rows' points."""

    @property
    def slots(self) -> Slots:
        """Of the rows."""


class PartHits(NamedTuple):
    """Rows found in one part, and the part's columns they index."""

    columns: RowColumns
    hits: Hits


class Merged(NamedTuple):
    """The closest points, closest first; columns of equal length."""

    ids: Sequence[PointId]
    distances: Distances
    numbers: Numbers
    slots: Sequence[int]

    def cut(self, start: int, stop: int) -> Merged:
        """Return the points from place ``start`` up to ``stop``."""
        if not start and stop >= len(self.ids):
            return self
        ids, distances, numbers, slots = self
        part = slice(start, stop)
        return Merged(ids[part], distances[part], numbers[part], slots[part])

    def clamped(self, distance: Distance, *, bridged: bool = False) -> Merged:
        """Return the points with distances that rounding has not taken beyond what there can be."""
        distances = clamped(self.distances, distance, bridged=bridged)
        return self if distances is self.distances else self._replace(distances=distances)

    def upto(self, max_distance: float | None) -> Merged:
        """Return the points that are not farther away than a limit, which may be none."""
        if max_distance is None:
            return self
        limit = np.float32(max_distance)
        return self.cut(0, int(np.searchsorted(self.distances, limit, side="right")))

    def taken(self, order: NDArray[np.intp]) -> Merged:
        """Return the points at some places, in their order."""
        places = order.tolist()
        return Merged(
            [self.ids[i] for i in places],
            self.distances[order],
            self.numbers[order],
            [self.slots[i] for i in places],
        )

    def only(self, kept: Sequence[bool]) -> Merged:
        """Return the points where ``kept`` is true."""
        if all(kept):
            return self
        flags = np.array(kept, dtype=bool)
        return Merged(
            list(compress(self.ids, kept)),
            self.distances[flags],
            self.numbers[flags],
            list(compress(self.slots, kept)),
        )

    def without(self, number: int) -> Merged:
        """Return the other points."""
        return self.only((self.numbers != number).tolist())


def merge(found: Sequence[PartHits], count: int) -> Merged:
    """Return the ``count`` closest of all parts."""
    parts = [_of_part(*part) for part in found]
    if len(parts) == 1:
        return _by_id_where_equal(parts[0])
    if not parts:
        return Merged([], np.empty(0, np.float32), np.empty(0, np.uint32), [])
    whole = _joined(parts)
    # Stable, so that equal distances come in the same order from the same parts; ids decide below.
    order = np.argsort(whole.distances, kind="stable")
    return _by_id_where_equal(whole.taken(order)).cut(0, count)


def _joined(parts: Sequence[Merged]) -> Merged:
    """Return the points of all parts, one part after the other."""
    return Merged(
        [one for part in parts for one in part.ids],
        np.concatenate([part.distances for part in parts]),
        np.concatenate([part.numbers for part in parts]),
        [slot for part in parts for slot in part.slots],
    )


def _of_part(columns: RowColumns, hits: Hits) -> Merged:
    rows = hits.rows.astype(np.intp)
    return Merged(
        unpack_ids(columns.ids[rows]),
        hits.distances,
        columns.numbers[rows],
        columns.slots[rows].tolist(),
    )


def _by_id_where_equal(merged: Merged) -> Merged:
    distances = merged.distances.tolist()
    # Nearly always so: sorting by ids, which are Python integers, is for ties alone. Without it the
    # order of equal hits would change with every seal.
    if len(set(distances)) == len(distances):
        return merged
    keys = zip(distances, map(_order_of, merged.ids), range(len(distances)), strict=True)
    return merged.taken(np.array([place for _, _, place in sorted(keys)], dtype=np.intp))


def _order_of(one: PointId) -> tuple[bool, int]:
    return (False, one) if isinstance(one, int) else (True, one.int)
