"""Bounds on columns, compared as mathematics does: beyond 2^53, infinite and huge ones too."""

from __future__ import annotations

import math
import operator
from itertools import product

import numpy as np
import pytest

from palimpsest.index.filters.expression import Range
from palimpsest.index.payload.bounds import floats_within, integers_within
from palimpsest.index.payload.values import MAX_INTEGER, MIN_INTEGER
from tests.numbers import LARGE

INTEGERS = [MIN_INTEGER, -(2**53) - 1, -1, 0, 1, 2**53, 2**53 + 1, MAX_INTEGER - 1, MAX_INTEGER]
FLOATS = [-math.inf, -1e300, -0.5, -0.0, 5e-324, 0.5, 2.0**53, 2.0**63, 1e300, math.inf]
BOUNDS = (*LARGE, math.inf, -math.inf, 0.5, -0.5, 10**400, -(10**400))


# Python compares integers and floats without rounding either.
HOLDS = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


@pytest.mark.parametrize(
    ("how", "bound"), list(product(HOLDS, BOUNDS)), ids=lambda one: str(one)[:9]
)
def test_no_bound_is_rounded(how: str, bound: float) -> None:
    bounds = Range(("ключ",), **{how: bound})
    integers = integers_within(bounds)(np.array(INTEGERS, dtype=np.int64))
    assert integers.tolist() == [HOLDS[how](one, bound) for one in INTEGERS]
    floats = floats_within(bounds)(np.array(FLOATS))
    assert floats.tolist() == [HOLDS[how](one, bound) for one in FLOATS]


def test_what_stands_for_no_value_is_within_no_bounds() -> None:
    absent = np.array([MIN_INTEGER - 1], dtype=np.int64)
    for bounds in (Range((), gte=-math.inf), Range((), lt=math.inf), Range(())):
        assert not integers_within(bounds)(absent).any()
        assert not floats_within(bounds)(np.array([math.nan])).any()


def test_bounds_that_exclude_each_other_let_nothing_pass() -> None:
    between = Range((), gt=0, lt=1)
    assert not integers_within(between)(np.array(INTEGERS, dtype=np.int64)).any()
    assert floats_within(between)(np.array(FLOATS)).sum() == 2
    turned = Range((), gte=2**53 + 1, lte=2**53)
    assert not integers_within(turned)(np.array(INTEGERS, dtype=np.int64)).any()
