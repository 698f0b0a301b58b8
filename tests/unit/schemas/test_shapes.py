"""Shapes of decoded JSON: true is no number, integers stay integers, refusals are short."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.schemas.shapes import (
    read_bool,
    read_count,
    read_float,
    read_list,
    read_number,
    read_object,
    read_text,
)


def test_integers_are_not_rounded() -> None:
    assert read_number(2**53 + 1, "n") == 2**53 + 1
    assert read_count(2**64, "n") == 2**64
    assert read_float(2**53 + 1, "n") == 2.0**53
    for read in (read_number, read_float):
        with pytest.raises(Refusal, match="a number that double precision holds"):
            read(-(10**400), "n")


@pytest.mark.parametrize(
    ("read", "wrong"),
    [
        (read_number, [True, "1", None]),
        (read_count, [True, -1, 1.0]),
        (read_bool, [0, 1, "true", None]),
        (read_list, [{}, "[]", None]),
        (read_text, [1, None, ["a"]]),
    ],
)
def test_kinds_are_told_apart(read: Callable[[Any, str], Any], wrong: list[Any]) -> None:
    for value in wrong:
        with pytest.raises(Refusal, match="JSON body: place: expected"):
            read(value, "place")


def test_fields_that_are_null_are_absent() -> None:
    assert read_object({"é": 1, "b": None}, "o", ("é", "b")) == {"é": 1}
    with pytest.raises(Refusal, match="missing field `b`"):
        read_object({"é": 1, "b": None}, "o", ("é", "b"), ("b",))
    with pytest.raises(Refusal, match="unknown field `c`, expected one of `é`, `b`"):
        read_object({"c": None}, "o", ("é", "b"))


def test_refusals_are_short_whatever_was_sent() -> None:
    for value in ("x" * 10_000, [1] * 10_000, {"y" * 10_000: 1}, 10**1_000):
        with pytest.raises(Refusal) as refused:
            read_text(value, "o") if not isinstance(value, str) else read_list(value, "o")
        assert len(refused.value.text) < 200
    with pytest.raises(Refusal) as refused:
        read_object({"y" * 10_000: 1}, "o", ("a",))
    assert len(refused.value.text) < 200
