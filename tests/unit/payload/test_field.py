"""The index of one path: remembered conditions follow writes, and dumps come back whole."""

from __future__ import annotations

from typing import Any

import pytest
from pyroaring import BitMap

from palimpsest.index.filters.expression import (
    Field,
    GeoPolygon,
    GeoRadius,
    IsEmpty,
    Match,
    MatchExcept,
    Range,
)
from palimpsest.index.payload.config import FieldIndex
from palimpsest.index.payload.field import IndexedField

KEY = ("ключ",)
LIVE = BitMap(range(10))


def field(declared: Any, stored: dict[int, list[Any]]) -> IndexedField:
    made = IndexedField(FieldIndex.from_declared(declared))
    made.add(list(stored), list(stored.values()))
    return made


def sets(made: IndexedField, condition: Field) -> tuple[list[int], list[int]]:
    found = made.candidates(condition, LIVE)
    assert found is not None
    return sorted(found.sure & LIVE), sorted(found.maybe & LIVE)


def test_a_condition_asked_again_follows_what_was_written_in_between() -> None:
    made = field("integer", {1: [5], 2: [2**53 + 1]})
    asked = Range(KEY, gte=2**53 + 1)
    assert sets(made, asked) == sets(made, asked) == ([2], [])
    made.add([3], [[2**53 + 2]])
    assert sets(made, asked) == ([2, 3], [])
    made.remove([2], [[2**53 + 1]])
    assert sets(made, asked) == ([3], [])
    made.discard(BitMap([3]))
    assert sets(made, asked) == ([], [])


def test_what_is_remembered_is_bounded_and_old_answers_make_room() -> None:
    made = field("float", {number: [float(number)] for number in range(10)})
    for _ in range(2):
        for bound in range(40):
            assert sets(made, Range(KEY, gte=bound)) == (list(range(bound, 10)), [])


def test_values_of_other_kinds_are_looked_at_where_they_may_match() -> None:
    made = field("integer", {1: [7], 2: ["7"], 3: [7, 8], 4: [None], 5: [2**64], 6: [7.5]})
    assert sets(made, Match(KEY, (7,))) == ([1, 3], [])
    assert sets(made, Match(KEY, (7, "7"))) == ([1, 3], [2, 5, 6])
    assert sets(made, Range(KEY, gt=7)) == ([3], [5, 6])
    assert sets(made, MatchExcept(KEY, (7,))) == ([], [2, 3, 5, 6])
    assert sets(made, IsEmpty(KEY)) == ([0, 4, 7, 8, 9], [])


@pytest.mark.parametrize("corners", [4, 1_004])
def test_polygons_of_any_number_of_corners_are_answered(corners: int) -> None:
    made = field("geo", {1: [{"lon": 0.5, "lat": 0.5}], 2: [{"lon": 5.0, "lat": 5.0}]})
    edge = tuple((0.0, 1 - step / (corners - 3)) for step in range(corners - 3))
    ring = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), *edge, (0.0, 0.0))
    assert sets(made, GeoPolygon(KEY, ring)) == ([1], [])
    assert sets(made, GeoPolygon(KEY, ring)) == ([1], [])
    assert sets(made, GeoRadius(KEY, (5.0, 5.0), 0.0)) == ([], [])


@pytest.mark.parametrize(
    ("declared", "stored"),
    [
        ("keyword", {1: ["é"], 2: ["e\u0301", "é"], 3: [3], 4: [None]}),
        ("integer", {1: [2**63 - 1], 2: [-(2**63) + 1, 0], 3: ["x"], 4: [2**63]}),
        ("float", {1: [-0.0], 2: [1e300, 5e-324], 3: ["x"]}),
        ("datetime", {1: ["2024-01-01"], 2: ["1969-12-31T23:59:59.999999Z", "x"]}),
        ("uuid", {1: ["00000000-0000-0000-0000-000000000001"], 2: ["X"]}),
        ("geo", {1: [{"lon": 180.0, "lat": -90.0}], 2: ["x"]}),
        ({"type": "text", "phrase_matching": True}, {1: ["красное яблоко"], 2: ["a", "b a"]}),
    ],
)
def test_contents_come_back_from_arrays(declared: Any, stored: dict[int, list[Any]]) -> None:
    made = field(declared, stored)
    back = IndexedField(FieldIndex.from_declared(declared))
    back.load(made.to_arrays())
    assert (back.points, back.presence) == (made.points, made.presence)
    for condition in (IsEmpty(KEY), Match(KEY, ("é", 0, 2**63 - 1, "x")), Range(KEY, gte=-0.0)):
        assert back.candidates(condition, LIVE) == made.candidates(condition, LIVE)
    for number, values in stored.items():
        back.remove([number], [values])
    assert back.points == 0 and not back.presence.known
    assert back.ordered is not None or "ordered" not in made.parts


def test_an_index_says_nothing_of_what_it_does_not_hold() -> None:
    made = field({"type": "integer", "lookup": False}, {1: [7]})
    assert sets(made, Match(KEY, (7,))) == ([1], [])  # the order answers it
    only = field({"type": "integer", "range": False}, {1: [7]})
    assert only.candidates(Range(KEY, gte=1), LIVE) is None and only.ordered is None
    assert field("keyword", {1: ["a"]}).candidates(GeoRadius(KEY, (0, 0), 1), LIVE) is None
