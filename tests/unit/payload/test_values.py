"""Payload values as indexes hold them: exactly, or not at all."""

from __future__ import annotations

import math
from typing import Any

import pytest

from palimpsest.index.payload.config import FIELD_KINDS
from palimpsest.index.payload.values import MAX_INTEGER, MIN_INTEGER, READ, read_number

UUID_TEXT = "0123abcd-0123-0123-0123-0123456789ab"


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("keyword", "", ""),
        ("keyword", "\U0010ffff\x00", "\U0010ffff\x00"),
        ("keyword", "\ud800", None),
        ("text", "a\udfff", None),
        ("keyword", 1, None),
        ("integer", MAX_INTEGER, MAX_INTEGER),
        ("integer", MIN_INTEGER, MIN_INTEGER),
        ("integer", MIN_INTEGER - 1, None),
        ("integer", MAX_INTEGER + 1, None),
        ("integer", True, None),
        ("integer", 1.0, None),
        ("float", 2**53, 2.0**53),
        ("float", 2**53 + 1, None),
        ("float", 10**400, None),
        ("float", math.nan, None),
        ("float", math.inf, math.inf),
        ("float", False, None),
        ("bool", False, False),
        ("bool", 0, None),
        ("datetime", "1970-01-01T00:00:00.000001Z", 1),
        ("datetime", "1969-12-31T23:59:59Z", -1_000_000),
        ("datetime", "yesterday", None),
        ("datetime", 0, None),
        ("uuid", UUID_TEXT, bytes.fromhex(UUID_TEXT.replace("-", ""))),
        ("uuid", UUID_TEXT.upper(), None),
        ("uuid", UUID_TEXT.replace("-", ""), None),
        ("uuid", "x" * 36, None),
        ("geo", {"lon": 180, "lat": -90}, (180.0, -90.0)),
        ("geo", {"lon": 1}, None),
        ("geo", [1, 2], None),
    ],
)
def test_a_value_is_read_exactly_or_not(kind: Any, value: Any, expected: Any) -> None:
    found = READ[kind](value)
    assert found == expected and (found is None) == (expected is None)


def test_every_kind_is_read_and_null_is_of_none() -> None:
    assert set(READ) == set(FIELD_KINDS)
    assert [READ[kind](None) for kind in FIELD_KINDS] == [None] * len(FIELD_KINDS)


def test_any_number_but_nan_has_a_place_in_an_order() -> None:
    numbers = [2**70, -0.0, math.inf]
    assert [read_number(one) for one in numbers] == numbers
    assert [read_number(one) for one in (math.nan, True, "1", None)] == [None] * 4
