"""Sets of vectors as JSON text: what ``json`` reads, in the same float32 values."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.index import _native
from palimpsest.index.encoding.sets import format_set, parse_set, parse_sets
from palimpsest.index.errors import DimensionMismatch, InvalidVector

repeatable = settings(deadline=None, derandomize=True)  # no times, fixed seeds

finite32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


def sets_of(size: int) -> st.SearchStrategy[list[list[float]]]:
    one = st.lists(finite32, min_size=size, max_size=size)
    return st.lists(one, min_size=1, max_size=7)


@st.composite
def batches(draw: st.DrawFn) -> tuple[int, list[list[list[float]]]]:
    size = draw(st.integers(1, 9))
    return size, draw(st.lists(sets_of(size), max_size=5))


@repeatable
@given(batches(), st.sampled_from([None, 1]))
def test_a_batch_is_read_as_python_reads_it(
    batch: tuple[int, list[list[list[float]]]], indent: int | None
) -> None:
    size, sets = batch
    starts, values = parse_sets([json.dumps(one, indent=indent).encode() for one in sets], size)
    assert np.diff(starts).tolist() == [len(one) for one in sets]
    flat = [vector for one in sets for vector in one]
    expected = np.array(flat, dtype=np.float32).reshape(-1, size)
    assert values.tobytes() == expected.tobytes()
    assert values.flags.c_contiguous and values.shape == expected.shape


@repeatable
@given(st.integers(1, 9).flatmap(sets_of))
def test_a_set_that_is_written_reads_back_to_the_bit(one: list[list[float]]) -> None:
    vectors = np.array(one, dtype=np.float32)
    text = format_set(vectors)
    assert parse_set(text).tobytes() == vectors.tobytes()
    np.testing.assert_array_equal(np.array(json.loads(text), dtype=np.float32), vectors)


def test_a_set_is_written_whatever_its_layout() -> None:
    vectors = np.arange(12, dtype=np.float64).reshape(3, 4)[:, ::2]
    assert json.loads(format_set(vectors)) == vectors.tolist()


pieces = st.text(alphabet='[],.0123456789-eE \n{}"n', max_size=30)


def as_json(text: str) -> Any:
    """Return what Python reads; None for what is no JSON, or only by Python's own extensions."""
    try:
        return json.loads(text, parse_constant=lambda _: None)
    except ValueError:
        return None


@settings(repeatable, max_examples=500)
@given(st.one_of(pieces, pieces.map(lambda inside: f"[[1, 2], [{inside}]]")))
def test_nothing_else_is_read(text: str) -> None:
    """What is read is a JSON array of arrays of numbers, and every one of those is."""
    held = as_json(text)
    is_number = [type(one) in (int, float) for row in held for one in row] if is_rows(held) else []
    try:
        found = parse_set(text.encode()).tolist()
    except DimensionMismatch:
        assert is_rows(held) is False or len({len(row) for row in held}) > 1 or held == [[]]
    except InvalidVector:
        assert not (is_rows(held) and held and all(is_number)) or held == []
    else:
        assert is_rows(held) and all(is_number)
        with np.errstate(over="ignore"):
            assert found == np.array(held, dtype=np.float64).astype(np.float32).tolist()


def is_rows(held: Any) -> bool:
    return isinstance(held, list) and all(isinstance(row, list) for row in held)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"[]", "at least one vector, got none"),
        (b"[1, 2]", r"expected '\[' at byte 1"),
        (b"[[1, 2], 3]", r"expected '\[' at byte 9"),
        (b"[[1, 2]", "expected ',' or ']' at byte 7"),
        (b"[[1, 2],]", r"expected '\[' at byte 8"),
        (b"[[1, 2]] 3", "unexpected text after the array at byte 9"),
        (b"[[1, NaN]]", "expected a number at byte 5"),
        (b"[[1, null]]", "expected a number at byte 5"),
        (b"[[[1]]]", "expected a number at byte 2"),
        (b'["AAAA"]', r"expected '\[' at byte 1"),
        (b"", r"expected '\['"),
        (b"[" * 100_000, "expected a number at byte 2"),
    ],
)
def test_what_is_wrong_is_named(text: bytes, reason: str) -> None:
    with pytest.raises(InvalidVector, match=reason):
        parse_set(text)


@pytest.mark.parametrize(
    ("text", "place", "size"),
    [(b"[[1, 2], [3]]", 1, 1), (b"[[1, 2], [3, 4], [5, 6, 7]]", 2, 3), (b"[[1, 2], []]", 1, 0)],
)
def test_a_ragged_set_names_the_vector(text: bytes, place: int, size: int) -> None:
    with pytest.raises(DimensionMismatch, match=f"vector {place} of the multi-vector") as refused:
        parse_set(text)
    assert (refused.value.expected, refused.value.received) == (2, size)


def test_a_set_of_another_size_than_asked_for() -> None:
    with pytest.raises(DimensionMismatch, match="expected dim: 3, got 2") as refused:
        parse_sets([b"[[1, 2, 3]]", b"[[1, 2], [3, 4]]"], 3)
    assert refused.value.received == 2


def test_a_text_of_brackets_takes_no_memory() -> None:
    """One long vector and a million empty ones would be 400 GB, were they believed."""
    long = b"[" + b",".join([b"1"] * 100_000) + b"]"
    with pytest.raises(DimensionMismatch, match="vector 1 of"):
        parse_set(b"[" + long + b",[]" * 1_000_000 + b"]")


def test_of_another_number_of_ends_than_texts() -> None:
    with pytest.raises(ValueError, match="one end a text"):
        _native.parse_sets_into([b"[]"], np.empty((0, 1), np.float32), np.empty(2, np.int64))
