"""What conditions on one value mean: types are told apart, null is nothing, texts are tokens."""

from __future__ import annotations

import math
from typing import Any

import pytest

from palimpsest.index.filters.expression import (
    DatetimeRange,
    GeoBox,
    GeoRadius,
    Match,
    MatchExcept,
    MatchText,
    Range,
    ValuesCount,
)
from palimpsest.index.filters.meaning import ValueCondition, test_of, test_of_text, within
from palimpsest.index.filters.tokens import Tokenizer, TokenizerConfig

for each in (test_of, test_of_text):  # functions under test, and no tests
    each.__test__ = False  # type: ignore[attr-defined]

KEY = ("ключ",)
VALUES = [0, 0.0, False, "", "0", 1, 1.0, True, 2**53 + 1, 2.0**53, None, [], {}, math.inf]


def passing(condition: ValueCondition) -> list[Any]:
    check = test_of(condition)
    return [value for value in VALUES if check(value)]


def same(found: list[Any], expected: list[Any]) -> bool:
    return [(type(one), one) for one in found] == [(type(one), one) for one in expected]


def test_equal_numbers_of_other_types_are_other_values() -> None:
    assert same(passing(Match(KEY, (0,))), [0])
    assert same(passing(Match(KEY, (False, "0"))), [False, "0"])
    assert same(passing(Match(KEY, (2**53 + 1,))), [2**53 + 1])
    assert same(passing(Match(KEY, ())), [])


def test_an_exception_holds_of_any_value_but_null() -> None:
    found = passing(MatchExcept(KEY, (0, True)))
    assert same(found, [0.0, False, "", "0", 1, 1.0, *VALUES[8:10], [], {}, math.inf])
    assert same(passing(MatchExcept(KEY, ())), [value for value in VALUES if value is not None])


def test_ranges_hold_of_numbers_alone_and_exactly() -> None:
    assert same(passing(Range(KEY, gt=2.0**53)), [2**53 + 1, math.inf])
    assert same(passing(Range(KEY, gte=0, lt=1)), [0, 0.0])
    assert same(passing(Range(KEY)), [v for v in VALUES if type(v) in (int, float)])


def test_moments_are_texts() -> None:
    check = test_of(DatetimeRange(KEY, gte=0, lt=1_000_000))
    assert check("1970-01-01T01:00:00.5+01:00") and not check("1970-01-01T00:00:01Z")
    assert not any(map(check, VALUES))


def test_places_are_objects() -> None:
    box = test_of(GeoBox(KEY, (170.0, 10.0), (-170.0, -10.0)))
    assert box({"lon": 180, "lat": 0}) and box({"lon": -175.5, "lat": 9})
    assert not box({"lon": 0, "lat": 0}) and not any(map(box, VALUES))
    assert not test_of(GeoRadius(KEY, (0, 0), 0))({"lon": 0, "lat": 0})


def test_bounds_of_counts() -> None:
    assert [n for n in range(4) if within(ValuesCount(KEY, gt=0, lte=2))(n)] == [1, 2]
    assert within(ValuesCount(KEY))(10**30)


WORDS, STARTS = Tokenizer(TokenizerConfig()), Tokenizer(TokenizerConfig("prefix"))


@pytest.mark.parametrize(
    ("text", "how", "value", "expected"),
    [
        ("яблоко Красное", "all", "красное яблоко", True),
        ("яблоко груша", "all", "красное яблоко", False),
        ("яблоко груша", "any", "красное яблоко", True),
        ("красное яблоко", "phrase", "моё КРАСНОЕ, яблоко", True),
        ("красное яблоко", "phrase", "красное большое яблоко", False),
        ("красное ябл", "phrase", "красное яблоко", False),
        ("Кра", "prefix", "Красное", True),
        ("кра", "prefix", "Красное", False),
        ("о я", "substring", "мало яблок", True),
        ("", "substring", "x", True),
        ("!", "all", "!", False),
    ],
)
def test_texts(text: str, how: Any, value: str, expected: bool) -> None:
    check = test_of_text(MatchText(KEY, text, how), WORDS)
    assert check(value) is expected
    assert not any(check(other) for other in VALUES if not isinstance(other, str))


def test_beginnings_of_words() -> None:
    def check(text: str, how: Any, value: str) -> bool:
        return test_of_text(MatchText(KEY, text, how), STARTS)(value)

    assert check("кра ябл", "all", "яблоко красное")
    assert not check("кра гру", "all", "яблоко красное") and check("кра гру", "any", "красное")
    assert check("красное ябл", "phrase", "красное яблоко")
    assert not check("кра ябл", "phrase", "красное яблоко")
