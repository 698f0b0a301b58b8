"""Columns against a dict of lists."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from palimpsest.index.payload.columns import ValueColumn

VALUES = st.lists(st.integers(-3, 3), min_size=1, max_size=3)
STEPS = st.lists(st.dictionaries(st.integers(0, 20), st.none() | VALUES, max_size=6), max_size=6)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(STEPS, st.integers(-3, 3), st.sets(st.integers(0, 25)), st.booleans())
def test_values_are_those_of_a_dict(steps: list, least: int, allowed: set, floats: bool) -> None:
    column = ValueColumn(np.float64, math.nan) if floats else ValueColumn(np.int64, -(2**63))
    twin: dict[int, list[Any]] = {}
    for step in steps:
        column.discard(BitMap(step))
        added = {number: values for number, values in step.items() if values is not None}
        column.add(list(added), list(added.values()))
        twin = {n: v for n, v in twin.items() if n not in step} | added
    reopened = ValueColumn(np.float64, math.nan) if floats else ValueColumn(np.int64, -(2**63))
    reopened.load(column.to_arrays())
    for each in (column, reopened):
        found = each.select(lambda values: values >= least)
        assert set(found) == {n for n, values in twin.items() if max(values) >= least}
        expected = sorted((n, v) for n in twin for v in twin[n])
        assert sorted(zip(*map(np.ndarray.tolist, each.pairs(None)), strict=True)) == expected
        some = [(n, v) for n, v in expected if n in allowed]
        pairs = each.pairs(BitMap(allowed))
        assert sorted(zip(*map(np.ndarray.tolist, pairs), strict=True)) == some


@pytest.mark.parametrize("width", [1, 2])
def test_further_values_that_are_gone_do_not_gather(width: int) -> None:
    column = ValueColumn(np.float64, math.nan, width)
    for _ in range(50):
        column.discard(BitMap(range(100)))
        column.add(range(100), [np.ones((20, width)).tolist()] * 100)
    assert column.nbytes < 1_000_000
    assert set(column.select(lambda *columns: columns[-1] == 1)) == set(range(100))
