"""Points on the globe."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from pyroaring import BitMap

from palimpsest.index.filters.expression import Field, GeoBox, GeoPolygon, GeoRadius
from palimpsest.index.filters.geo import contains_each
from palimpsest.index.payload.candidates import Open, PartCandidates
from palimpsest.index.payload.columns import ValueColumn
from palimpsest.index.payload.postings import Arrays
from palimpsest.index.payload.presence import Presence


class Places:
    """Points on the globe."""

    def __init__(self) -> None:
        self._column = ValueColumn(np.float64, math.nan, width=2)

    @property
    def nbytes(self) -> int:
        """Resident bytes."""
        return self._column.nbytes

    def add(self, numbers: Sequence[int], values: Sequence[Sequence[Any]]) -> None:
        """Set the places of points."""
        self._column.add(numbers, values)

    def remove(self, numbers: Sequence[int], values: Sequence[Sequence[Any]]) -> None:
        """Forget points."""
        self._column.discard(BitMap(numbers))

    def discard(self, numbers: BitMap) -> None:
        """Forget points."""
        self._column.discard(numbers)

    def answer(self, condition: Field) -> PartCandidates | None:
        """Answer conditions on places."""
        if not isinstance(condition, GeoBox | GeoRadius | GeoPolygon):
            return None
        inside = self._column.select(lambda lons, lats: contains_each(condition, lons, lats))
        return PartCandidates(inside, BitMap())

    def leaves_open(self, _condition: Field) -> Open | None:
        """Return None: it answers no match and no bounds."""
        return None

    def to_arrays(self) -> Arrays:
        """Return the columns."""
        return self._column.to_arrays()

    def load(self, arrays: Arrays, presence: Presence) -> None:
        """Take the columns over."""
        self._column.load(arrays)
        self._column.require_points(presence.typed, presence.several)
