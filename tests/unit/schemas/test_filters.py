"""Filters from JSON: every clause is read as it was meant, or refused with its place."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings

from palimpsest.app.errors import Refusal
from palimpsest.app.schemas.filters import (
    MAX_BYTES,
    MAX_CONDITIONS,
    MAX_DEPTH,
    decode_condition,
    decode_filter,
)
from palimpsest.index.filters.expression import (
    EACH,
    Condition,
    DatetimeRange,
    Filter,
    GeoRadius,
    HasId,
    IsEmpty,
    IsNull,
    Match,
    MatchText,
    Path,
    Range,
    ValuesCount,
)
from palimpsest.index.filters.walk import conditions_of
from tests.unit.filters import strategies as draw
from tests.unit.filters.models import to_model

NEW_YEAR = 1_704_067_200_000_000
POINT = {"lon": 1.0, "lat": 2.0}
SQUARE = [{"lon": x, "lat": y} for x, y in ((0, 0), (1, 0), (1, 1), (0, 0))]


def raw(filter: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(filter).encode())


@settings(max_examples=400, deadline=None)
@given(draw.filters)
def test_what_the_client_sends_is_what_was_meant(filter: Filter) -> None:
    assume(all(map(_is_kept_by_the_client, conditions_of(filter))))
    sent = to_model(filter).model_dump(mode="json", exclude_none=True, by_alias=True)
    assert decode_filter(sent) == filter
    assert decode_filter(raw(sent)) == filter
    assert decode_condition(sent, "here") == filter
    # other clients send nulls for what is absent
    nulls = to_model(filter).model_dump(mode="json", by_alias=True)
    assert decode_filter(nulls) == filter


def _is_kept_by_the_client(held: tuple[Path, Condition]) -> bool:
    """Tell whether the client, which makes floats of bounds, sends the numbers as they are."""
    _, each = held
    return not isinstance(each, Range) or all(
        bound is None or float(bound) == bound for bound in (each.gt, each.gte, each.lt, each.lte)
    )


EVERY = dict.fromkeys(
    (
        *("key", "match", "range", "geo_radius", "values_count", "is_empty", "is_null"),
        *("has_id", "has_vector", "slice", "nested", "must", "should", "min_should", "must_not"),
    )
)
FIELDS: list[tuple[dict[str, Any], Any]] = [
    ({"key": "a[].b", "match": {"value": True}}, Match(("a", EACH, "b"), (True,))),
    ({"key": "a", "match": {"text_any": "x y"}}, MatchText(("a",), "x y", "any")),
    ({"key": "a", "range": {"gt": 1, "lte": None}}, Range(("a",), gt=1.0)),
    ({"key": "a", "range": {}}, Range(("a",))),
    ({"key": "a", "range": {"gte": 1768962487123456789}}, Range(("a",), gte=1768962487123456789)),
    ({"key": "a", "range": {"lt": 2**64 + 1}}, Range(("a",), lt=2**64 + 1)),
    ({"key": "a", "range": {"gte": "2024-01-01"}}, DatetimeRange(("a",), gte=NEW_YEAR)),
    ({"key": "a", "values_count": {"lt": 2, "gt": 0}}, ValuesCount(("a",), lt=2, gt=0)),
    ({"key": "a", "is_empty": True}, IsEmpty(("a",))),
    ({"key": "a", "is_empty": False}, Filter(must_not=(IsEmpty(("a",)),))),
    ({"key": "a", "is_null": True, "match": None}, IsNull(("a",))),
    ({"key": "a", "is_null": False}, Filter(must_not=(IsNull(("a",)),))),
    ({"is_null": {"key": '"a.b"'}}, IsNull(("a.b",))),
    (
        {"key": "a", "geo_radius": {"center": POINT, "radius": 5}},
        GeoRadius(("a",), (1.0, 2.0), 5.0),
    ),
    (
        {"key": "a", "match": {"value": 1}, "range": {"gt": 5}},
        Filter(should=(Match(("a",), (1,)), Range(("a",), gt=5.0))),
    ),
    ({"key": "a", "geo_radius": {"center": POINT, "radius": 0}}, GeoRadius(("a",), (1.0, 2.0), 0)),
    ({"has_id": [1, 1]}, HasId(frozenset((1,)))),
    # beside what is given, the fields of all other conditions as null
    ({**EVERY, "has_id": [1]}, HasId(frozenset((1,)))),
    ({**EVERY, "key": "a", "match": {"value": 1}}, Match(("a",), (1,))),
    ({**EVERY, "is_null": {"key": "a"}}, IsNull(("a",))),
    ({**EVERY, "must": {"has_id": [1]}}, Filter(must=(HasId(frozenset((1,))),))),
]


@pytest.mark.parametrize(("sent", "meant"), FIELDS, ids=str)
def test_conditions_in_their_short_forms(sent: dict[str, Any], meant: Any) -> None:
    assert decode_filter(raw({"must": sent})) == Filter(must=(meant,))
    assert decode_filter(raw({"must": [sent, sent]})) == Filter(must=(meant, meant))
    assert decode_condition(sent, "here") == meant


def field(**kinds: Any) -> dict[str, Any]:
    return {"must": [{"key": "a"} | kinds]}


def ring(*corners: Any) -> dict[str, Any]:
    return field(geo_polygon={"exterior": {"points": list(corners)}})


UNREADABLE: list[tuple[Any, str]] = [
    ([], "filter: expected an object, got a list"),
    ("x", "filter: expected an object, got 'x'"),
    ({"musts": []}, "filter: unknown field `musts`, expected one of `should`, `min_should`"),
    ({"must": 5}, "filter.must: expected a condition, which is an object, got 5"),
    ({"must": [None]}, "filter.must[0]: expected a condition"),
    ({"should": [{"foo": 1}]}, "filter.should[0]: unknown condition, expected a field `key`"),
    ({"must": [{"must": [], "x": 1}]}, "filter.must[0]: unknown field `x`"),
    (field(x=1), "filter.must[0]: unknown field `x`, expected one of `key`, `match`"),
    ({"must": [{"key": 1, "is_null": True}]}, "filter.must[0].key: expected a string, got 1"),
    ({"must": [{"key": "a[", "is_null": True}]}, "filter.must[0].key: Invalid path 'a['"),
    (field(match={}), "must[0].match: expected exactly one of `value`, `any`"),
    (field(match={"value": 1, "any": []}), "exactly one of"),
    (field(match={"value": 1.5}), "match.value: expected a string, an integer, true or false"),
    (field(match={"value": {}}), "match.value: expected a string, an integer, true or false"),
    (field(match={"any": [1, "a"]}), "match.any: expected either only strings or only integers"),
    (field(match={"except": [True]}), "match.except: expected either only strings or"),
    (field(match={"any": 5}), "match.any: expected a list, got 5"),
    (field(match={"text": 5}), "match.text: expected a string, got 5"),
    (field(match={"regex": "x"}), "match: unknown field `regex`"),
    (field(range={"gt": 1, "lt": "2024-01-01"}), "range.lt: expected bounds that are all numbers"),
    (field(range={"gt": True}), "range.gt: expected a number, got True"),
    (field(range={"gt": 10**400}), "range.gt: expected a number that double precision holds"),
    (field(range={"gt": "soon"}), "range.gt: expected an RFC 3339 datetime"),
    (field(range={"min": 1}), "range: unknown field `min`"),
    (field(values_count={"gt": -1}), "values_count.gt: expected an integer of 0 or more, got -1"),
    (field(values_count={"gt": 1.0}), "values_count.gt: expected an integer of 0 or more"),
    (field(is_empty=1), "is_empty: expected true or false, got 1"),
    (field(is_empty=True, match={"value": 1}), "`is_empty` beside `match` in one condition"),
    (field(geo_radius={"center": POINT}), "geo_radius: missing field `radius`"),
    (field(geo_radius={"center": {"lon": 1}, "radius": 1}), "center: missing field `lat`"),
    (
        field(geo_radius={"center": {"lon": 181, "lat": 0}, "radius": 1}),
        "center: expected lon within [-180;180] and lat within [-90;90]",
    ),
    (field(geo_bounding_box={"top_left": POINT}), "missing field `bottom_right`"),
    (ring(*SQUARE[:3]), "exterior: expected at least 4 points, the last the same as the first"),
    (ring(*SQUARE, POINT), "exterior: expected at least 4 points, the last the same as the first"),
    ({"must": [{"has_id": 5}]}, "has_id: expected a list, got 5"),
    ({"must": [{"has_id": [1.5]}]}, "has_id: expected integers and UUIDs, got 1.5"),
    ({"must": [{"has_id": [True]}]}, "has_id: expected integers and UUIDs, got True"),
    ({"must": [{"has_id": ["x"]}]}, "has_id: Invalid point id 'x'"),
    ({"must": [{"has_id": [-1]}]}, "has_id: Invalid point id -1"),
    ({"must": [{"has_vector": 1}]}, "has_vector: expected a string, got 1"),
    ({"must": [{"is_empty": "a"}]}, "is_empty: expected an object, got 'a'"),
    ({"must": [{"is_empty": {"key": "a"}, "x": 1}]}, "must[0]: unknown field `x`"),
    ({"must": [{"nested": {"key": "a"}}]}, "nested: missing field `filter`"),
    ({"must": [{"slice": {"total": 2}}]}, "slice: missing field `index`"),
    ({"min_should": {"conditions": []}}, "min_should: missing field `min_count`"),
    ({"min_should": []}, "min_should: expected an object, got a list"),
]


@pytest.mark.parametrize(("sent", "text"), UNREADABLE, ids=str)
def test_what_cannot_be_read_is_refused_with_its_place(sent: Any, text: str) -> None:
    with pytest.raises(Refusal) as refusal:
        decode_filter(raw(sent))
    assert refusal.value.status == 400
    assert refusal.value.text.startswith("Format error in JSON body: filter")
    assert text in refusal.value.text


OUT_OF_RANGE: list[tuple[Any, str]] = [
    (field(), "[filter.must[0]: At least one field condition must be specified]"),
    (
        {"min_should": {"conditions": [], "min_count": 0}},
        "[filter.min_should.min_count: value 0 is invalid. Must be 1 or larger.]",
    ),
    (
        field(geo_radius={"center": POINT, "radius": -1}),
        "[filter.must[0].geo_radius.radius: value -1.0 is invalid. Must be 0 or larger.]",
    ),
    (
        {"must": [{"slice": {"total": 2, "index": 2}}]},
        "[filter.must[0].slice.index: value 2 is invalid. Must be from 0 to 1.]",
    ),
]


@pytest.mark.parametrize(("sent", "text"), OUT_OF_RANGE, ids=str)
def test_what_is_out_of_its_range_is_refused_with_its_place(sent: Any, text: str) -> None:
    with pytest.raises(Refusal) as refusal:
        decode_filter(raw(sent))
    assert refusal.value.status == 422
    assert refusal.value.text == f"Validation error in JSON body: {text}"


def deep(levels: int, kind: str) -> bytes:
    opening, closing = {
        "filter": (b'{"must":[', b"]}"),
        "nested": (b'{"must":{"nested":{"key":"a","filter":', b"}}}"),
    }[kind]
    inner = b'{"key":"a","is_null":true}' if kind == "filter" else b"{}"
    return opening * levels + inner + closing * levels


@pytest.mark.parametrize("kind", ["filter", "nested"])
def test_nesting_has_an_end(kind: str) -> None:
    allowed = MAX_DEPTH - (kind == "nested")
    decode_filter(msgspec.Raw(deep(allowed, kind)))
    for levels in (allowed + 1, 100, 10_000):
        with pytest.raises(Refusal, match="filters are nested more than 32 deep") as refusal:
            decode_filter(msgspec.Raw(deep(levels, kind)))
        assert refusal.value.status == 400
        assert len(refusal.value.text) < 200


def test_too_many_conditions_are_refused() -> None:
    one = {"key": "a", "is_null": True}
    decode_filter(raw({"must": [one] * MAX_CONDITIONS}))
    with pytest.raises(Refusal, match=f"more than {MAX_CONDITIONS} conditions"):
        decode_filter(raw({"must": [one] * (MAX_CONDITIONS + 1)}))


def test_the_largest_filters_are_refused_quickly() -> None:
    condition = b'{"key":"a","match":{"value":"b"}},'
    many = b'{"must":[' + condition * (10 * 2**20 // len(condition)) + b"{}]}"
    for text in (many, many[: MAX_BYTES - 100] + b'"}}]}', b'{"must":' * 10**6):
        start = time.thread_time()
        with pytest.raises(Refusal) as refusal:
            decode_filter(msgspec.Raw(text))
        assert time.thread_time() - start < 2
        assert len(refusal.value.text) < 300


@pytest.mark.parametrize("text", [b"", b'{"must":', b'{"must":1e400}', b'"\xff"'])
def test_broken_json_is_refused(text: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        decode_filter(msgspec.Raw(text))
    assert refusal.value.status == 400


@pytest.mark.parametrize("sent", [{"has_id": None}, {"has_id": None, "must": None}, EVERY])
def test_a_condition_of_nothing_but_nulls_selects_nothing(sent: dict[str, Any]) -> None:
    with pytest.raises(Refusal):
        decode_filter(raw({"must": sent}))
    with pytest.raises(Refusal):
        decode_filter(raw({"must": [{"has_id": [1]}, {**sent, "unknown": None}]}))
