"""Payload indexes as a whole: built while writes go on, read meanwhile, stored, dropped."""

from __future__ import annotations

import json
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from palimpsest.index.errors import InvalidInput
from palimpsest.index.filters.expression import Filter, GeoPolygon, IsEmpty, Match, MatchText, Range
from palimpsest.index.filters.paths import format_path, parse_path
from palimpsest.index.payload.config import FieldIndex
from palimpsest.index.payload.evaluate import evaluate
from palimpsest.index.payload.indexes import PayloadIndexes
from tests.keys import one_key
from tests.unit.payload.points import PAYLOADS, Points, probes

KEYWORD = FieldIndex.from_declared("keyword")
INTEGER = FieldIndex.from_declared("integer")
PHRASES = FieldIndex.from_declared({"type": "text", "phrase_matching": True})


def payload_of(value: object) -> bytes:
    return json.dumps({"k": value}).encode()


@settings(max_examples=250, deadline=None, derandomize=True)
@given(
    one_key,
    st.lists(PAYLOADS, min_size=6, max_size=6),
    st.lists(
        st.just("page") | st.tuples(st.integers(0, 7), st.none() | PAYLOADS, st.booleans()),
        max_size=12,
    ),
    st.booleans(),
    st.sampled_from((KEYWORD, INTEGER, PHRASES)),
)
def test_a_field_is_built_while_writes_go_on(
    key: str,
    payloads: list[dict[str, Any]],
    steps: list[Any],
    stale: bool,  # pages were read before all writes, else with those not told of yet
    config: FieldIndex,
) -> None:
    source = Points()
    for number, payload in enumerate(payloads):
        source.put(number, payload)
    building = source.indexes.begin(format_path((key,)), config)
    first, pages = dict(source.stored), iter(range(0, 6, 2))
    late: list[tuple[list[int], list[bytes | None], list[bytes | None]]] = []

    def add_page() -> None:
        held = first if stale else source.stored
        page = [n for start in [next(pages, 6)] for n in (start, start + 1) if n in held]
        building.add(page, [held[number][1] for number in page])

    def tell_late() -> None:
        for each in late:
            source.indexes.replace(*each)
        late.clear()

    for step in steps:
        if step == "page":
            add_page()
            continue
        number, payload, at_once = step
        before = source.stored[number][1] if number in source.stored else None
        after = None if payload is None else json.dumps(payload).encode()
        late.append(([number], [before], [after]))
        source.live.add(number)
        source.stored[number] = 0, after, ()
        if at_once:
            tell_late()
    for _ in range(3):
        add_page()
    tell_late()
    source.indexes.finish(building)
    for condition in probes(key):
        filter = Filter(must=(condition,))
        assert set(evaluate(filter, source)) == source.passing(filter)


def test_a_field_answers_when_it_is_finished() -> None:
    indexes, condition = PayloadIndexes(), Match(("k",), ("x",))
    assert not indexes
    building = indexes.begin("k", KEYWORD)
    building.add([1], [payload_of("x")])
    assert indexes and indexes.candidates(condition, BitMap([1])) is None
    assert indexes.fields == {} == indexes.points
    indexes.finish(building)
    assert indexes.candidates(condition, BitMap([1])) == (BitMap([1]), BitMap())
    assert indexes.fields == {"k": KEYWORD} and indexes.points == {"k": 1}
    indexes.drop("k")
    indexes.drop("k")
    assert not indexes and indexes.candidates(condition, BitMap([1])) is None


def test_a_field_takes_the_place_of_one_of_the_same_path() -> None:
    indexes = PayloadIndexes()
    for key, config in (("k", KEYWORD), ('"k"', INTEGER)):
        indexes.finish(indexes.begin(key, config))
    assert indexes.fields == {'"k"': INTEGER}


def test_a_field_may_be_given_up() -> None:
    indexes = PayloadIndexes()
    indexes.cancel(indexes.begin("k", KEYWORD))
    assert not indexes


def test_points_counts_those_with_a_value_of_the_kind() -> None:
    source = Points()
    source.index("k", "integer")
    for number, value in enumerate((1, [2, "x"], "x", None, 2.5, [])):
        source.put(number, {"k": value})
    assert source.indexes.points == {"k": 2}


def test_memory_follows_the_points() -> None:
    source = Points()
    for key in ("keyword", "integer", "geo", "text"):
        source.index(key, key)
    empty = source.indexes.nbytes
    place = {"lon": 1.0, "lat": 2.0}
    for number in range(5_000):
        payload = {"keyword": f"k{number}", "integer": number, "geo": place, "text": f"t{number}"}
        source.put(number, payload)
    full = source.indexes.nbytes
    assert all(empty[key] < 10_000 < full[key] for key in full)
    for number in range(5_000):
        source.delete(number)
    assert source.indexes.nbytes["keyword"] == empty["keyword"]
    assert source.indexes.nbytes["text"] == empty["text"]


def test_contents_of_another_format_are_refused() -> None:
    source = Points()
    source.index("k", "keyword")
    arrays, description = source.indexes.dump("k")
    with pytest.raises(InvalidInput, match="build it again"):
        source.indexes.load("k", KEYWORD, arrays, {**description, "format": 99})
    with pytest.raises(InvalidInput, match="'other'"):
        source.indexes.dump("other")


def test_stored_contents_are_copies() -> None:
    source = Points()
    source.index("k", "integer")
    source.put(0, {"k": 1})
    arrays, description = source.indexes.dump("k")
    kept = {name: array.copy() for name, array in arrays.items()}
    source.put(0, {"k": [2, 3]})
    assert all(np.array_equal(kept[name], array) for name, array in arrays.items())
    read_only = {name: array.copy() for name, array in arrays.items()}
    for array in read_only.values():
        array.setflags(write=False)  # as a file mapped into memory is
    source.indexes.load("k", INTEGER, read_only, description)
    source.indexes.replace([0], [payload_of(1)], [payload_of([4, 5])])
    filter = Filter(must=(Range(("k",), gte=5),))
    assert set(evaluate(filter, source)) == {0}


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("integer", [3, [1, 2], "x", None, 2.5], {(0, 3), (1, 1), (1, 2)}),
        ("float", [3, [1.5, 2], "x", None], {(0, 3.0), (1, 1.5), (1, 2.0)}),
        ("datetime", ["1970-01-01", "1970-01-01T00:00:01Z"], {(0, 0), (1, 1_000_000)}),
    ],
)
def test_values_to_order_by(kind: str, values: list[Any], expected: set[Any]) -> None:
    source = Points()
    source.index("k", kind)
    for number, value in enumerate(values):
        source.put(number, {"k": value})
    column = source.indexes.order_column(("k",), source.live)
    assert column is not None
    assert set(zip(column.numbers.tolist(), column.values.tolist(), strict=True)) == expected
    column = source.indexes.order_column(("k",), BitMap([1]))
    assert column is not None and set(column.numbers.tolist()) == {1}


@pytest.mark.parametrize("declared", ["keyword", {"type": "integer", "range": False}])
def test_no_order_without_a_range(declared: Any) -> None:
    source = Points()
    source.index("k", declared)
    assert source.indexes.order_column(parse_path("k"), source.live) is None
    assert source.indexes.order_column(parse_path("other"), source.live) is None


def test_one_phrase_does_not_run_over_the_texts_of_an_array() -> None:
    source = Points()
    source.index("k", {"type": "text", "phrase_matching": True})
    texts = (["red apple", "green"], "apple green", "green apple", "a pple green")
    for number, text in enumerate(texts):
        source.put(number, {"k": text})
    phrase = Filter(must=(MatchText(("k",), "apple green", "phrase"),))
    assert set(evaluate(phrase, source)) == {1}
    assert source.read == 1  # of the array


def test_searches_and_writes_at_the_same_time() -> None:
    source, stop, failures = Points(), threading.Event(), list[BaseException]()
    for key in ("k", "t", "n"):
        source.index(key, {"k": "keyword", "t": "text", "n": "integer"}[key])
    always = Filter(must=(Match(("k",), ("a", "b")), IsEmpty(("x",)), Range(("n",), gte=0)))
    numbers = list(range(600))
    payloads = [
        [json.dumps({"k": k, "t": f"{k} word", "n": [n, n + 1]}).encode() for n in numbers]
        for k in "ab"
    ]
    source.live = BitMap(numbers)
    source.stored = {number: (0, payloads[0][number], ()) for number in numbers}
    source.indexes.replace(numbers, [None] * 600, payloads[0])

    def search() -> None:
        try:
            while not stop.is_set():
                assert len(evaluate(always, source)) >= 600 - 256  # one chunk is being replaced
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=search) for _ in range(2)]
    for reader in readers:
        reader.start()
    for turn in range(40):
        source.indexes.replace(numbers, payloads[turn % 2], payloads[1 - turn % 2])
    stop.set()
    for reader in readers:
        reader.join()
    assert not failures


def test_an_answer_is_remembered_until_the_next_write() -> None:
    indexes = PayloadIndexes()
    indexes.finish(indexes.begin("n", FieldIndex.from_declared("integer")))
    indexes.replace([1, 2], [None, None], [b'{"n": 1}', b'{"n": 5}'])
    condition = Range(("n",), gte=3)
    live = BitMap([1, 2, 3])
    first = indexes.candidates(condition, live)
    assert indexes.candidates(Range(("n",), gte=3), live) is first
    indexes.replace([3], [None], [b'{"n": 4}'])
    assert indexes.candidates(condition, live) == (BitMap([2, 3]), BitMap())
    indexes.replace([2], [b'{"n": 5}'], [b'{"n": 0}'])
    assert indexes.candidates(condition, live) == (BitMap([3]), BitMap())
    indexes.discard(BitMap([3]))
    assert indexes.candidates(condition, live) == (BitMap(), BitMap())
    for low in range(40):
        indexes.candidates(Range(("n",), gte=low), live)
    assert len(indexes._fields[("n",)]._recent) <= 16


def test_large_polygons_are_not_remembered() -> None:
    source = Points()
    source.put(1, {"at": {"lon": 0.7, "lat": 0.2}})
    source.index("at", "geo")
    for corners in (4, 2_000):
        ring = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), *[(0.0, 1.0)] * (corners - 4), (0.0, 0.0))
        shape = GeoPolygon(("at",), ring)
        first, second = (source.indexes.candidates(shape, source.live) for _ in range(2))
        assert first == second and first is not None and first.sure == BitMap([1])
        assert (first is second) == (corners == 4)
