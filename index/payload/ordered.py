"""Bounds and order: integers, floats, moments."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from index.filters.expression import DatetimeRange, Field, Match, Range
from index.payload.candidates import Answer
from index.payload.columns import Column
from index.payload.postings import Arrays
from index.payload.values import MAX_INTEGER, MIN_INTEGER

_ABSENT = MIN_INTEGER - 1  # in integer columns: no value


class Ordered:
    """Numbers or moments: bounds, order, and exact matches where nothing else answers them."""

    def __init__(self, dtype: type[np.int64 | np.float64], condition: type[Field]) -> None:
        self._integers = dtype is np.int64
        self._condition = condition
        self.column = Column(dtype, _ABSENT if self._integers else math.nan)

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

    def answer(self, condition: Field) -> Answer | None:
        """Answer bounds of the part's own kind, and matches of integers."""
        if self._integers and isinstance(condition, Match) and self._condition is Range:
            return self._equal(condition)
        if not isinstance(condition, Range | DatetimeRange) or (
            condition.__class__ is not self._condition
        ):
            return None
        within = self._whole_within(condition) if self._integers else _float_within(condition)
        is_open = self._condition is Range  # a number the column's type does not hold
        return Answer(self.column.select(within), BitMap(), is_open)

    def to_arrays(self) -> Arrays:
        """Return the column."""
        return self.column.to_arrays()

    def load(self, arrays: Arrays) -> None:
        """Take the column over."""
        self.column.load(arrays)

    def _equal(self, condition: Match) -> Answer:
        known = [
            value
            for value in condition.values
            if value.__class__ is int and MIN_INTEGER <= value <= MAX_INTEGER
        ]
        wanted = np.array(known, dtype=np.int64)
        is_open = len(known) < len(condition.values)
        if len(known) == 1:
            return Answer(self.column.select(lambda c: c == wanted[0]), BitMap(), is_open)
        return Answer(self.column.select(lambda c: np.isin(c, wanted)), BitMap(), is_open)

    def _whole_within(self, bounds: Range | DatetimeRange) -> Any:
        low, high = MIN_INTEGER, MAX_INTEGER
        if bounds.gt is not None:
            low = max(low, _floor(bounds.gt) + 1)
        if bounds.gte is not None:
            low = max(low, -_floor(-bounds.gte))
        if bounds.lt is not None:
            high = min(high, -_floor(-bounds.lt) - 1)
        if bounds.lte is not None:
            high = min(high, _floor(bounds.lte))
        if low > high:
            return lambda column: np.zeros(len(column), dtype=bool)
        return lambda column: (column >= low) & (column <= high)


def _floor(bound: float) -> int:
    """Return the floor of a bound, kept where its neighbours are beyond every column's value."""
    return math.floor(max(-(2**64), min(2**64, bound)))


def _float_within(bounds: Range | DatetimeRange) -> Any:
    """Return the comparison of float columns with bounds, which may be any integers."""
    tests: list[tuple[np.ufunc, float]] = []
    for compare, or_equal, bound in (
        (np.greater, False, bounds.gt),
        (np.greater, True, bounds.gte),
        (np.less, False, bounds.lt),
        (np.less, True, bounds.lte),
    ):
        if bound is not None:
            tests.append(_float_test(compare, or_equal, bound))

    def within(column: NDArray[np.float64]) -> NDArray[np.bool_]:
        held = ~np.isnan(column)
        for test, bound in tests:
            held &= test(column, bound)
        return held

    return within


_OR_EQUAL: Mapping[np.ufunc, np.ufunc] = {np.greater: np.greater_equal, np.less: np.less_equal}


def _float_test(compare: np.ufunc, or_equal: bool, bound: float) -> tuple[np.ufunc, float]:
    try:
        nearest = float(bound)
    except OverflowError:  # an integer of hundreds of digits
        nearest = math.inf if bound > 0 else -math.inf
    if nearest != bound:  # an integer between two floats: the nearest is inside or outside
        or_equal = (nearest > bound) if compare is np.greater else (nearest < bound)
    return (_OR_EQUAL[compare] if or_equal else compare), nearest
