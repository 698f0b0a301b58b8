"""Answers are those of the plain twin, whatever is indexed, written or reopened."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from palimpsest.index.filters.expression import (
    EACH,
    Condition,
    DatetimeRange,
    Field,
    Filter,
    GeoBox,
    HasId,
    HasVector,
    IsEmpty,
    IsNull,
    Match,
    MatchExcept,
    MatchText,
    MinShould,
    Nested,
    Range,
    Slice,
    ValuesCount,
)
from palimpsest.index.filters.paths import format_path
from palimpsest.index.payload.evaluate import evaluate
from tests.keys import one_key
from tests.unit.filters import strategies as draw
from tests.unit.payload.points import KINDS, PAYLOADS, Points, probes

DECLARED: st.SearchStrategy[Any] = st.sampled_from(
    (
        *KINDS,
        {"type": "integer", "lookup": False},
        {"type": "integer", "range": False},
        {"type": "text", "phrase_matching": True},
        {"type": "text", "tokenizer": "whitespace", "lowercase": False, "phrase_matching": True},
        {"type": "text", "tokenizer": "prefix", "min_token_len": 2, "max_token_len": 4},
        {
            "type": "text",
            "tokenizer": "multilingual",
            "ascii_folding": True,
            "stopwords": "english",
        },
        {"type": "text", "stemmer": {"type": "snowball", "language": "english"}},
    )
)
POINTS = st.lists(
    st.tuples(draw.payloads | st.none(), draw.ids, st.lists(st.sampled_from(draw.NAMES))),
    max_size=6,
)
KIND_OF = {
    Match: ("keyword", "integer", "bool", "float", "uuid"),
    MatchExcept: ("keyword", "integer", "bool", "uuid"),
    MatchText: ("text", "keyword", {"type": "text", "phrase_matching": True}),
    Range: ("integer", "float"),
    DatetimeRange: ("datetime",),
}


def stored(points: list[tuple[Any, Any, Any]]) -> Points:
    source = Points()
    for number, (payload, id, names) in enumerate(points):
        source.put(number * 3, payload, id, names)
    return source


@settings(max_examples=500, deadline=None, derandomize=True)
@given(POINTS, st.dictionaries(draw.paths.map(format_path), DECLARED, max_size=4), draw.filters)
def test_a_filter_means_the_same_with_indexes_and_without(
    points: list[Any], fields: dict[str, Any], filter: Filter
) -> None:
    source = stored(points)
    assert set(evaluate(filter, source)) == source.passing(filter)
    for key, declared in fields.items():
        source.index(key, declared)
    assert set(evaluate(filter, source)) == source.passing(filter)
    source.indexes = source.reopened()
    assert set(evaluate(filter, source)) == source.passing(filter)


@settings(max_examples=1_000, deadline=None, derandomize=True)
@given(st.data(), draw.fields)
def test_a_condition_means_the_same_with_the_index_made_for_it(
    draws: st.DataObject, condition: Field
) -> None:
    kinds = KIND_OF.get(type(condition), KINDS)
    if type(condition).__name__.startswith("Geo"):
        kinds = ("geo",)
    payloads = draws.draw(st.lists(draw.payload_for(condition), max_size=6))
    source = stored([(payload if type(payload) is dict else {}, 0, ()) for payload in payloads])
    source.index(format_path(condition.path), draws.draw(st.sampled_from(kinds)))
    for filter in (Filter(must=(condition,)), Filter(must_not=(condition,))):
        assert set(evaluate(filter, source)) == source.passing(filter)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    one_key,
    DECLARED,
    st.lists(st.tuples(st.integers(0, 4), PAYLOADS | st.none(), st.booleans()), max_size=12),
    st.sets(st.integers(0, 4)),
)
def test_indexes_follow_writes(
    key: str, declared: Any, writes: list[Any], forgotten: set[int]
) -> None:
    source = Points()
    source.index(format_path((key,)), declared)
    for number, payload, deleted in writes:
        if deleted and number in source.stored:
            source.delete(number)
        else:
            source.put(number, payload)
    for condition in probes(key):
        filter = Filter(must=(condition,))
        assert set(evaluate(filter, source)) == source.passing(filter)
    for number in forgotten & set(source.stored):  # as a start does with what was touched last
        source.indexes.discard(BitMap([number]))
        source.indexes.replace([number], [None], [source.stored[number][1]])
    for condition in probes(key):
        filter = Filter(must=(condition,))
        assert set(evaluate(filter, source)) == source.passing(filter)


@pytest.mark.parametrize("kind", ["integer", "float"])
@pytest.mark.parametrize("name", ["gt", "gte", "lt", "lte"])
@pytest.mark.parametrize("bound", [2, 2.0, 2.5, -2.5])
def test_bounds(kind: str, name: str, bound: float) -> None:
    source = stored([({"k": value}, 0, ()) for value in range(-4, 5)])
    source.index("k", kind)
    filter = Filter(must=(Range(("k",), **{name: bound}),))
    assert set(evaluate(filter, source)) == source.passing(filter)


@pytest.mark.parametrize("clause", ["must", "must_not", "should"])
def test_payloads_are_read_once_for_all_that_an_index_leaves_open(clause: str) -> None:
    source = stored([({"k": value + 0.5}, 0, ()) for value in range(10)])
    source.index("k", "integer")
    conditions = tuple(Range(("k",), gt=float(bound)) for bound in (-1, 3, 12))
    filter = Filter(**{clause: conditions})
    assert set(evaluate(filter, source)) == source.passing(filter)
    assert source.read == 10


def test_tokens_in_different_texts_of_an_array_are_not_together() -> None:
    source = stored([({"k": ["red", "apple"]}, 0, ()), ({"k": ["red apple", "red"]}, 0, ())])
    for declared in ("text", {"type": "text", "tokenizer": "prefix"}):
        source.index("k", declared)
        filter = Filter(must=(MatchText(("k",), "apple red", "all"),))
        assert set(evaluate(filter, source)) == {3}


IDENTIFIER = "6f3c0b9e-0f0b-4a51-a7c5-9a8f4d1f2d3e"


@pytest.mark.parametrize(
    ("kind", "value", "condition"),
    [
        ("keyword", "x", Match(("k",), ("x",))),
        ("keyword", ["x", "y"], MatchExcept(("k",), ("x",))),
        ("keyword", "xyz", MatchText(("k",), "xy", "prefix")),
        ("keyword", "xyz", MatchText(("k",), "yz", "substring")),
        ("uuid", IDENTIFIER, Match(("k",), (IDENTIFIER,))),
        ("uuid", IDENTIFIER.upper(), Match(("k",), (IDENTIFIER.upper(),))),
        ("bool", True, Match(("k",), (True,))),
        ("bool", 1, Match(("k",), (1,))),
        ("integer", 2**70, Match(("k",), (2**70,))),
        ("integer", -(2**63), Range(("k",), lte=-(2**63))),
        ("integer", 2**63 - 1, Range(("k",), gt=2.0**62)),
        ("integer", 7, Range(("k",), gt=float("-inf"), lt=float("inf"))),
        ("integer", 2.5, Range(("k",), gt=2, lt=3)),
        ("float", 2**53 + 1, Range(("k",), gt=2**53)),
        ("float", 2.0**53, Range(("k",), lt=2**53 + 1)),
        ("float", 2.0**53 + 2, Range(("k",), gt=2**53 + 1)),
        ("float", 1e308, Range(("k",), lt=10**400, gt=-(10**400))),
        ("float", [1, 99], Range(("k",), gt=50)),
        ("datetime", "2024-01-31T12:00:00+01:00", DatetimeRange(("k",), lte=1706698800000000)),
        ("geo", [{"lon": 1, "lat": 1}, {"lon": 50, "lat": 50}], GeoBox(("k",), (49, 51), (51, 49))),
        ("text", "red apple", MatchText(("k",), "apple RED", "all")),
        ("text", ["a red", "green apple"], MatchText(("k",), "apple green", "all")),
        ("text", ["a red", "green apple"], MatchText(("k",), "green apple", "phrase")),
        ("keyword", None, IsNull(("k",))),
        ("keyword", [], IsEmpty(("k",))),
        ("keyword", ["a", "b"], ValuesCount(("k",), gte=2)),
    ],
)
def test_single_values(kind: str, value: object, condition: Condition) -> None:
    source = stored([({"k": value}, 0, ()), ({}, 0, ()), ({"k": "other"}, 0, ())])
    source.index("k", kind)
    found = set(evaluate(Filter(must=(condition,)), source))
    assert found == source.passing(Filter(must=(condition,)))
    assert 0 in found


def test_json_beyond_floats_and_unicode() -> None:
    source = Points()
    for number, payload in enumerate((b'{"k": 1e400}', b'{"k": "\\ud800x"}', b'{"k": "y"}')):
        source.stored[number] = 0, payload, ()
        source.live.add(number)
    conditions = (
        Range(("k",), gt=1e308),
        Range(("k",), gt=10**400),
        Match(("k",), ("\ud800x",)),
        MatchText(("k",), "\ud800", "prefix"),
        MatchText(("k",), "x", "all"),
    )
    for kind in ("float", "integer", "keyword", "text"):
        source.index("k", kind)
        source.indexes = source.reopened()
        for condition in conditions:
            filter = Filter(must=(condition,))
            assert set(evaluate(filter, source)) == source.passing(filter), (kind, condition)


def test_indexed_conditions_read_no_payload() -> None:
    source = stored(
        [({"a": n % 5, "b": f"b{n % 3}", "t": "red apple"}, n, ("v",)) for n in range(60)]
    )
    for key, declared in (("a", "integer"), ("b", "keyword"), ("t", "text")):
        source.index(key, declared)
    a, b, t = Range(("a",), gte=2), Match(("b",), ("b1",)), MatchText(("t",), "apple red", "all")
    filter = Filter(
        must=(a, Filter(should=(b, HasVector("v"))), HasId(frozenset(range(50)))),
        should=(b, IsNull(("a",)), Slice(2, 0)),
        must_not=(MatchExcept(("b",), ("b0", "b1")), IsEmpty(("a",))),
        min_should=MinShould((a, b, t), 2),
    )
    assert set(evaluate(filter, source)) == source.passing(filter) != set()
    assert source.read == 0


def test_payloads_are_read_of_what_indexes_leave() -> None:
    source = stored([({"a": n % 5, "c": n % 2}, n, ()) for n in range(50)])
    source.index("a", "integer")
    unread, known = Match(("c",), (1,)), Match(("a",), (3,))
    evaluate(Filter(must=(unread, known)), source)
    assert source.read == 10
    source.read = 0
    evaluate(Filter(must=(unread,), should=(known, unread), must_not=(known,)), source)
    assert source.read == 40


def test_a_nested_filter_looks_only_at_points_that_have_the_values() -> None:
    elements = [[{"x": n, "y": 1}, {"x": 0, "y": 2}] for n in range(20)]
    source = stored([({"list": each}, 0, ()) for each in elements])
    source.index("list[].x", "integer")
    for path in (("list",), ("list", EACH)):
        source.read = 0
        nested = Nested(path, Filter(must=(Match(("x",), (7,)), Match(("y",), (1,)))))
        assert set(evaluate(Filter(must=(nested,)), source)) == {21}
        assert source.read == 1


def test_the_answer_belongs_to_the_caller() -> None:
    source = stored([({"a": UUID(int=n).hex}, 0, ()) for n in range(3)])
    for filter in (Filter(), Filter(must=(HasId(frozenset({0})),))):
        evaluate(filter, source).clear()
    assert len(source.live) == 3
