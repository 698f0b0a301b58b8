"""Bounds on columns of one type, compared as mathematics does: no bound is rounded.

A bound is any integer or float, a column is of int64 or float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.filters.expression import DatetimeRange, Range
from palimpsest.index.payload.values import MAX_INTEGER, MIN_INTEGER

Within: TypeAlias = Callable[[NDArray[Any]], NDArray[np.bool_]]  # (n,) values to (n,) flags


def integers_within(bounds: Range | DatetimeRange) -> Within:
    """Return the comparison of int64 columns; it is false of the value below ``MIN_INTEGER``."""
    # Bounds become integers once, exactly: compared with a float, a column would be made one, and
    # lose all beyond 2^53.
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


def floats_within(bounds: Range | DatetimeRange) -> Within:
    """Return the comparison of float64 columns; it is false of NaN."""
    tests: list[tuple[np.ufunc, float]] = []
    for compare, or_equal, bound in (
        (np.greater, False, bounds.gt),
        (np.greater, True, bounds.gte),
        (np.less, False, bounds.lt),
        (np.less, True, bounds.lte),
    ):
        if bound is not None:
            tests.append(_float_test(compare, or_equal, bound))

    def within(column: NDArray[Any]) -> NDArray[np.bool_]:
        # Without any bound too: NaN stands for no value, and no comparison would sort it out.
        held: NDArray[np.bool_] = ~np.isnan(column)
        for test, bound in tests:
            held &= test(column, bound)
        return held

    return within


def _floor(bound: float) -> int:
    """Return the floor of a bound, kept where its neighbours are beyond every column's value."""
    return math.floor(max(-(2**64), min(2**64, bound)))


_OR_EQUAL: Mapping[np.ufunc, np.ufunc] = {np.greater: np.greater_equal, np.less: np.less_equal}


def _float_test(compare: np.ufunc, or_equal: bool, bound: float) -> tuple[np.ufunc, float]:
    try:
        nearest = float(bound)
    except OverflowError:  # an integer of hundreds of digits
        nearest = math.inf if bound > 0 else -math.inf
    if nearest != bound:  # an integer between two floats: the nearest is inside or outside
        or_equal = (nearest > bound) if compare is np.greater else (nearest < bound)
    return (_OR_EQUAL[compare] if or_equal else compare), nearest
