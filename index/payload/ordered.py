"""Bounds and order: integers, floats, moments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from pyroaring import BitMap

from palimpsest.index.filters.expression import DatetimeRange, Field, Match, Range
from palimpsest.index.payload.bounds import floats_within, integers_within
from palimpsest.index.payload.candidates import Open, PartCandidates
from palimpsest.index.payload.columns import ValueColumn
from palimpsest.index.payload.postings import Arrays
from palimpsest.index.payload.presence import Presence
from palimpsest.index.payload.values import MIN_INTEGER, read_integer

_ABSENT = MIN_INTEGER - 1  # in integer columns: no value


class Ordered:
    """Numbers or moments: bounds, order, and exact matches where nothing else answers them."""

    def __init__(self, dtype: type[np.int64 | np.float64], condition: type[Field]) -> None:
        self._integers = dtype is np.int64
        self._condition = condition
        self.column = ValueColumn(dtype, _ABSENT if self._integers else math.nan)

    @property
    def nbytes(self) -> int:
        """Resident bytes."""
        return self.column.nbytes

    def add(self, numbers: Sequence[int], values: Sequence[Sequence[Any]]) -> None:
        """Set the values of points."""
        self.column.add(numbers, values)

    def remove(self, numbers: Sequence[int], values: Sequence[Sequence[Any]]) -> None:
        """Forget points."""
        self.column.discard(BitMap(numbers))

    def discard(self, numbers: BitMap) -> None:
        """Forget points."""
        self.column.discard(numbers)

    def answer(self, condition: Field) -> PartCandidates | None:
        """Answer bounds of the part's own kind, and matches of integers."""
        open_ = self.leaves_open(condition)
        if open_ is None:
            return None
        if isinstance(condition, Match):
            return PartCandidates(self._equal(condition), BitMap(), open_)
        assert isinstance(condition, Range | DatetimeRange)
        within = integers_within(condition) if self._integers else floats_within(condition)
        return PartCandidates(self.column.select(within), BitMap(), open_)

    def leaves_open(self, condition: Field) -> Open | None:
        """Return which values the same conditions leave open; None for others."""
        if isinstance(condition, Match):
            if not self._integers or self._condition is not Range:
                return None
            return "" if all(map(_is_held, condition.values)) else "others"
        if condition.__class__ is not self._condition:
            return None
        return "numbers" if self._condition is Range else ""  # the column may not hold all

    def to_arrays(self) -> Arrays:
        """Return the column."""
        return self.column.to_arrays()

    def load(self, arrays: Arrays, presence: Presence) -> None:
        """Take the column over."""
        self.column.load(arrays)
        self.column.require_points(presence.typed, presence.several)

    def _equal(self, condition: Match) -> BitMap:
        known = [value for value in condition.values if _is_held(value)]
        wanted = np.array(known, dtype=np.int64)
        if len(known) == 1:
            return self.column.select(lambda c: c == wanted[0])
        return self.column.select(lambda c: np.isin(c, wanted))


def _is_held(value: object) -> bool:
    return isinstance(value, int) and read_integer(value) is not None
