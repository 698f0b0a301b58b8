"""Estimates hold the truth between their bounds and read no payload."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.index.filters.expression import Filter, Match, MinShould, Range, Slice
from palimpsest.index.payload.estimate import estimate
from tests.unit.filters import strategies as draw
from tests.unit.payload.points import KINDS, Points


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(draw.payloads, max_size=6),
    st.dictionaries(st.sampled_from(("a", "b")), st.sampled_from(KINDS)),
    draw.filters,
)
def test_the_truth_lies_between(
    payloads: list[Any], fields: dict[str, str], filter: Filter
) -> None:
    source = Points()
    for number, payload in enumerate(payloads):
        source.put(number, payload)
    for key, kind in fields.items():
        source.index(key, kind)
    low, expected, high = estimate(filter, source)
    assert source.read == 0
    assert 0 <= low <= len(source.passing(filter)) <= high <= len(payloads)
    assert low <= expected <= high


A, B = Range(("a",), lt=50), Match(("b",), (1,))


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (Filter(must=(A,)), 50),
        (Filter(must=(A, B)), 10),
        (Filter(should=(A, B)), 60),
        (Filter(must_not=(B,)), 80),
        (Filter(must=(Filter(must_not=(A,)),)), 50),
        (Filter(must=(Slice(4, 1),)), 25),
        (Filter(min_should=MinShould((A, B), 1)), 60),
        (Filter(min_should=MinShould((A, B), 2)), 10),
        (Filter(min_should=MinShould((A, B), 3)), 0),
        (Filter(must=(Match(("unindexed",), (1,)),)), 50),
        (Filter(), 100),
    ],
)
def test_conditions_are_taken_for_independent(filter: Filter, expected: int) -> None:
    source = Points()
    for number in range(100):
        source.put(number, {"a": number, "b": number % 5})
    source.index("a", "integer")
    source.index("b", "integer")
    assert estimate(filter, source).expected == expected


def test_the_largest_of_clauses_is_estimated_at_once() -> None:
    source = Points()
    for number in range(20):
        source.put(number, {"a": number})
    conditions = tuple(Match(("a",), (number,)) for number in range(10_000))
    start = time.process_time()
    estimate(Filter(min_should=MinShould(conditions, 5_000)), source)
    assert time.process_time() - start < 2
