"""Vectors as JSON text: the grammar of JSON exactly, values as ``float32(float(text))``."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from palimpsest.index import _native
from palimpsest.index.encoding.text import format_vector, parse_vector, parse_vectors
from palimpsest.index.errors import DimensionMismatch, InvalidVector
from palimpsest.index.types import Vector

repeatable = settings(deadline=None, derandomize=True)  # no times, fixed seeds

finite32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
numbers = st.from_regex(
    r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?", fullmatch=True
)
spaces = st.text(" \t\r\n", max_size=3)


def as_float32(texts: list[str]) -> Vector:
    with np.errstate(over="ignore"):  # beyond float32 is infinite here and refused later
        return np.array([float(text) for text in texts], dtype=np.float64).astype(np.float32)


@repeatable
@given(st.lists(numbers, max_size=20))
@example(["0", "-0", "0.0", "-0.0e5", "1e-45", "1.17549435e-38", "3.4028235e38", "1e-400"])
@example(["9007199254740993", "9007199254740992", "18446744073709551616", "1e22", "1e23"])
@example(["123456789012345678901234567890", "0.1", "0.30000000000000004", "16777217"])
@example(["1" + "0" * 400 + "e-400", "0." + "0" * 400 + "1e400", "0." + "9" * 500])
def test_numbers_read_as_python_reads_them(texts: list[str]) -> None:
    found = parse_vector(f"[{','.join(texts)}]".encode())
    assert found.tobytes() == as_float32(texts).tobytes()


@pytest.mark.parametrize(
    "text",
    ["1" + "0" * 400 + "e-90", "-1" + "0" * 400 + "e-1", "0." + "0" * 400 + "1e9", "-1e-400"]
    + ["-1e400", "0." + "0" * 90 + "1e500", "0e999", "-0.0e-999"],
)
def test_far_out_of_range_is_zero_or_infinite(text: str) -> None:
    assert parse_vector(f"[{text}]".encode()).tobytes() == as_float32([text]).tobytes()


@repeatable
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20))
def test_any_float_python_writes_is_read(values: list[float]) -> None:
    found = parse_vector(json.dumps(values).encode())
    assert found.tobytes() == as_float32([repr(value) for value in values]).tobytes()


@repeatable
@given(st.lists(finite32, max_size=40))
def test_written_vectors_read_back_to_the_bit(values: list[float]) -> None:
    vector = np.array(values, dtype=np.float32)
    text = format_vector(vector)
    assert parse_vector(text).tobytes() == vector.tobytes()
    np.testing.assert_array_equal(np.array(json.loads(text), dtype=np.float32), vector)


@repeatable
@given(finite32)
def test_written_numbers_are_the_shortest(value: float) -> None:
    digits = format_vector(np.array([value], dtype=np.float32))[1:-1]
    assert len(digits) <= len(np.format_float_scientific(np.float32(value), trim="-"))


@repeatable
@given(st.lists(st.tuples(spaces, numbers, spaces), max_size=8), spaces, spaces)
def test_white_space_may_stand_between(
    parts: list[tuple[str, str, str]], before: str, after: str
) -> None:
    inside = ",".join(a + number + b for a, number, b in parts)
    found = parse_vector(f"{before}[{inside}]{after}".encode())
    assert found.tobytes() == as_float32([number for _, number, _ in parts]).tobytes()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "expected '[' at byte 0"),
        (b"   ", "expected '['"),
        (b"1", "expected '['"),
        (b"{}", "expected '['"),
        (b"null", "expected '['"),
        (b"[", "expected a number at byte 1"),
        (b"[,]", "expected a number"),
        (b"[1,]", "expected a number at byte 3"),
        (b"[1 2]", "expected ',' or ']' at byte 3"),
        (b"[1", "expected ',' or ']'"),
        (b"[1,2", "expected ',' or ']'"),
        (b"[1]]", "unexpected text after the array at byte 3"),
        (b"[1] x", "unexpected text after the array"),
        (b"[1]\x00", "unexpected text after the array"),
        (b"[01]", "leading zero at byte 1"),
        (b"[-01]", "leading zero"),
        (b"[+1]", "expected a number"),
        (b"[.5]", "expected a number"),
        (b"[1.]", "expected a digit"),
        (b"[1.e5]", "expected a digit"),
        (b"[1e]", "expected a digit"),
        (b"[1e+]", "expected a digit"),
        (b"[-]", "expected a number"),
        (b"[--1]", "expected a number"),
        (b"[NaN]", "expected a number"),
        (b"[Infinity]", "expected a number"),
        (b"[-Infinity]", "expected a number"),
        (b"[null]", "expected a number"),
        (b"[true]", "expected a number"),
        (b'["1"]', "expected a number"),
        (b"[[1]]", "expected a number"),
        (b"[0x10]", "expected ',' or ']'"),
        (b"[1_0]", "expected ',' or ']'"),
        (b"[1f]", "expected ',' or ']'"),
        (b"[1\xa0]", "expected ',' or ']'"),
        (b"[1\x0b]", "expected ',' or ']'"),
    ],
)
def test_what_is_not_an_array_of_numbers_is_refused(text: bytes, says: str) -> None:
    with pytest.raises(InvalidVector) as refused:
        parse_vector(text)
    assert says in str(refused.value)


@repeatable
@given(st.binary(max_size=30) | st.text("[]0123456789.,eE+- ", max_size=30).map(str.encode))
def test_only_json_is_accepted(text: bytes) -> None:
    try:
        found = parse_vector(text)
    except InvalidVector:
        return
    if text[:1] != b'"':
        expected = json.loads(text)  # whatever is accepted is JSON
        assert found.tobytes() == as_float32([repr(float(x)) for x in expected]).tobytes()


def test_the_empty_array_has_no_numbers() -> None:
    assert parse_vector(b"[]").shape == parse_vector(b" [ ] ").shape == (0,)


@repeatable
@given(st.lists(finite32, max_size=20))
def test_base64_stands_for_the_same_numbers(values: list[float]) -> None:
    vector = np.array(values, dtype="<f4")
    text = b'"' + base64.b64encode(vector.tobytes()) + b'"'
    assert parse_vector(text).tobytes() == vector.tobytes()


def test_slashes_may_be_escaped() -> None:
    vector = np.full(3, 2**31 - 1, dtype="<u4").view("<f4")
    text = base64.b64encode(vector.tobytes())
    assert b"/" in text
    escaped = b'"' + text.replace(b"/", rb"\/") + b'"'
    assert parse_vector(escaped).tobytes() == vector.tobytes()


@pytest.mark.parametrize("text", [b'"', b'"AAAA', b'"AAAAAA=='])
def test_an_open_string_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidVector, match="does not end"):
        parse_vector(text)


@pytest.mark.parametrize("text", [b'"a"', b'"AAA"', b'"AAAA"', b'"AAAAA==="', b'"AA\nAAAAA="'])
def test_bad_base64_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidVector, match="base64"):
        parse_vector(text)


@repeatable
@given(st.integers(0, 5), st.data())
def test_many_texts_read_as_one_by_one(size: int, drawn: st.DataObject) -> None:
    rows = st.lists(finite32, min_size=size, max_size=size)
    vectors = np.array(drawn.draw(st.lists(rows, min_size=1, max_size=6)), dtype=np.float32)
    as_text = drawn.draw(st.lists(st.booleans(), min_size=len(vectors), max_size=len(vectors)))
    texts = [
        format_vector(v) if plain else b'"' + base64.b64encode(v.tobytes()) + b'"'
        for v, plain in zip(vectors, as_text, strict=True)
    ]
    assert parse_vectors(texts).tobytes() == vectors.tobytes()


def test_no_texts_are_no_vectors() -> None:
    assert parse_vectors([]).shape == (0, 0)


@pytest.mark.parametrize("odd", [b"[1]", b"[1,2,3]", b"[]", b'"AAAAAA=="'])
def test_ragged_batches_name_the_position(odd: bytes) -> None:
    with pytest.raises(DimensionMismatch, match="vector 2 of the batch"):
        parse_vectors([b"[1,2]", b"[3,4]", odd, b"[5,6]"])


def test_broken_texts_name_the_position() -> None:
    for texts in ([b"[1,2]", b"[3,x]"], [b'"AAAAAAAAAAA="', b"[3,x]"]):
        with pytest.raises(InvalidVector, match="byte 3 .*vector 1 of the batch"):
            parse_vectors(texts)


def test_more_numbers_than_room_are_counted_not_written() -> None:
    out = np.zeros(4, dtype=np.float32)
    assert _native.parse_floats_into(b"[1,2,3]", out[:2]) == 3
    assert out.tolist() == [1, 2, 0, 0]
