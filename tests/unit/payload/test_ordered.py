"""Bounds and order of numbers and moments, and matches where nothing else answers them."""

from __future__ import annotations

import numpy as np
import pytest
from pyroaring import BitMap

from palimpsest.index.filters.expression import DatetimeRange, Field, Match, Range
from palimpsest.index.payload.ordered import Ordered
from palimpsest.index.payload.presence import Presence
from palimpsest.index.payload.values import read_integer

KEY = ("число",)


def ordered(stored: dict[int, list[float]], dtype: type = np.int64) -> Ordered:
    made = Ordered(dtype, Range)
    made.add(list(stored), list(stored.values()))
    return made


def sure(made: Ordered, condition: Field) -> tuple[set[int], str]:
    found = made.answer(condition)
    assert found is not None and not found.maybe
    return set(found.sure), found.open


def test_bounds_hold_of_any_value_of_a_point() -> None:
    made = ordered({1: [2**53 + 1], 2: [1, 10], 3: [-(2**63) + 1]})
    assert sure(made, Range(KEY, gt=2.0**53)) == ({1}, "numbers")
    assert sure(made, Range(KEY, gte=5, lte=10)) == ({2}, "numbers")
    assert sure(made, Range(KEY, lt=0)) == ({3}, "numbers")
    floats = ordered({1: [5e-324], 2: [-0.0]}, np.float64)
    assert sure(floats, Range(KEY, gt=0)) == ({1}, "numbers")
    assert sure(floats, Range(KEY, gte=0)) == ({1, 2}, "numbers")


def test_matches_of_integers_are_exact_and_open_to_other_kinds() -> None:
    made = ordered({1: [2**53], 2: [2**53 + 1], 3: [0, 7]})
    assert sure(made, Match(KEY, (2**53 + 1,))) == ({2}, "")
    assert sure(made, Match(KEY, (7, 2**53))) == ({1, 3}, "")
    assert sure(made, Match(KEY, (True, 2**70, "7"))) == (set(), "others")
    assert ordered({1: [7.0]}, np.float64).answer(Match(KEY, (7,))) is None


def test_moments_and_numbers_are_not_each_others() -> None:
    moments = Ordered(np.int64, DatetimeRange)
    moments.add([1], [[0]])
    found = moments.answer(DatetimeRange(KEY, gte=0))
    assert found is not None and (set(found.sure), found.open) == ({1}, "")
    assert moments.answer(Range(KEY, gte=0)) is None
    assert moments.answer(Match(KEY, (0,))) is None
    assert ordered({1: [0]}).answer(DatetimeRange(KEY, gte=0)) is None


def test_points_go_whatever_their_values_and_contents_come_back() -> None:
    presence, made = Presence(), Ordered(np.int64, Range)
    found = presence.add([1, 2, 9], [[1], [2, 3], [4]], read_integer)
    made.add(found.numbers, found.values)
    back = Ordered(np.int64, Range)
    back.load(made.to_arrays(), presence)
    for each in (made, back):
        each.remove([1], [[1]])
        each.discard(BitMap([2]))
        assert sure(each, Range(KEY, gte=0)) == ({9}, "numbers")
    with pytest.raises(ValueError, match="do not fit"):
        Ordered(np.int64, Range).load(back.to_arrays(), presence)
