"""What the conditions on one value mean: conditions to functions of a single payload value.

No test holds for null, so a missing value may be given as None. Numbers, texts and booleans are
told apart by their exact type, as JSON does: 1, 1.0 and true are three values.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

from palimpsest.index.filters.expression import (
    DatetimeRange,
    GeoBox,
    GeoPolygon,
    GeoRadius,
    Match,
    MatchExcept,
    MatchText,
    Range,
    ValuesCount,
)
from palimpsest.index.filters.geo import contains, read_point
from palimpsest.index.filters.tokens import Tokenizer
from palimpsest.index.filters.values import parse_datetime

Test: TypeAlias = Callable[[Any], bool]
ValueCondition: TypeAlias = (
    Match | MatchExcept | Range | DatetimeRange | GeoBox | GeoRadius | GeoPolygon
)


def test_of(condition: ValueCondition) -> Test:
    """Return the test of one value."""
    return _TESTS[type(condition)](condition)


def test_of_text(condition: MatchText, tokenizer: Tokenizer) -> Test:
    """Return the test of one value; a text without tokens is in nothing."""
    text = condition.text
    if condition.how == "prefix":
        return lambda value: value.__class__ is str and value.startswith(text)
    if condition.how == "substring":
        return lambda value: value.__class__ is str and text in value
    wanted = tokenizer.query_tokens(text)
    if not wanted:
        return lambda value: False
    if tokenizer.config.kind == "prefix":
        found = _BEGINNINGS[condition.how](wanted)
        return lambda value: value.__class__ is str and found(tokenizer.query_tokens(value))
    found = _TOKENS[condition.how](wanted)
    return lambda value: value.__class__ is str and found(tokenizer.words(value))


def _all_tokens(wanted: list[str]) -> Callable[[list[str]], bool]:
    return set(wanted).issubset


def _any_token(wanted: list[str]) -> Callable[[list[str]], bool]:
    one_of = frozenset(wanted)
    return lambda tokens: not one_of.isdisjoint(tokens)


def _phrase(wanted: list[str]) -> Callable[[list[str]], bool]:
    phrase = _lines(wanted) + "\n"
    return lambda tokens: phrase in _lines(tokens) + "\n"


def _all_begun(wanted: list[str]) -> Callable[[list[str]], bool]:
    return lambda words: all(map(_begun(words), wanted))


def _any_begun(wanted: list[str]) -> Callable[[list[str]], bool]:
    return lambda words: any(map(_begun(words), wanted))


def _phrase_begun(wanted: list[str]) -> Callable[[list[str]], bool]:
    phrase = _lines(wanted)  # the last word may go on
    return lambda words: phrase in _lines(words)


def _begun(words: list[str]) -> Callable[[str], bool]:
    """Return the test that any of the words begins so; their beginnings are not made."""
    ordered = sorted(words)

    def test(beginning: str) -> bool:
        place = bisect_left(ordered, beginning)
        return place < len(ordered) and ordered[place].startswith(beginning)

    return test


def _lines(tokens: list[str]) -> str:
    """Return the tokens as one text, which is searched for others in linear time."""
    return "\n" + "\n".join(tokens)  # no tokenizer leaves white space in a token


def within(bounds: Range | DatetimeRange | ValuesCount) -> Callable[[Any], bool]:
    """Return the test that a number lies within all given bounds."""
    gt, gte, lt, lte = bounds.gt, bounds.gte, bounds.lt, bounds.lte
    return lambda value: (
        (gt is None or value > gt)
        and (gte is None or value >= gte)
        and (lt is None or value < lt)
        and (lte is None or value <= lte)
    )


def _match(condition: Match) -> Test:
    groups = _by_type(condition.values)
    return lambda value: value.__class__ in groups and value in groups[value.__class__]


def _match_except(condition: MatchExcept) -> Test:
    matches = _match(Match(condition.path, condition.values))
    # Null is no value: a point whose field is null does not pass.
    return lambda value: value is not None and not matches(value)


def _by_type(values: Sequence[Any]) -> Mapping[type, Collection[Any]]:
    """Return the values by their type: 1, True and 1.0 are equal to Python, not to a filter."""
    groups: dict[type, set[Any]] = {}
    for value in values:
        groups.setdefault(type(value), set()).add(value)
    return groups


def _range(condition: Range) -> Test:
    inside = within(condition)
    # Integers are compared as integers, whatever their size; Python compares them exactly with
    # floats.
    return lambda value: value.__class__ in (int, float) and inside(value)


def _datetime_range(condition: DatetimeRange) -> Test:
    inside = within(condition)

    def test(value: Any) -> bool:
        if value.__class__ is not str:
            return False
        moment = parse_datetime(value)
        return moment is not None and inside(moment)

    return test


def _geo(condition: GeoBox | GeoRadius | GeoPolygon) -> Test:
    inside = contains(condition)

    def test(value: Any) -> bool:
        point = read_point(value)
        return point is not None and inside(point)

    return test


_TOKENS: Mapping[str, Callable[[list[str]], Callable[[list[str]], bool]]] = {
    "all": _all_tokens,
    "any": _any_token,
    "phrase": _phrase,
}
_BEGINNINGS: Mapping[str, Callable[[list[str]], Callable[[list[str]], bool]]] = {
    "all": _all_begun,
    "any": _any_begun,
    "phrase": _phrase_begun,
}
_TESTS: Mapping[type, Callable[[Any], Test]] = {
    Match: _match,
    MatchExcept: _match_except,
    Range: _range,
    DatetimeRange: _datetime_range,
    GeoBox: _geo,
    GeoRadius: _geo,
    GeoPolygon: _geo,
}
