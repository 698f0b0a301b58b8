"""Hypothesis strategies of payloads and filters, drawn from so few values that they often meet."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from palimpsest.index.filters.expression import (
    EACH,
    Condition,
    DatetimeRange,
    Filter,
    GeoBox,
    GeoPolygon,
    GeoRadius,
    HasId,
    HasVector,
    IsEmpty,
    IsNull,
    Match,
    MatchExcept,
    MatchText,
    MinShould,
    Nested,
    Path,
    Range,
    Slice,
    ValuesCount,
)
from palimpsest.index.filters.values import parse_datetime
from tests.keys import keys
from tests.numbers import LARGE, LARGE_INTEGERS

NAMES = ("", "dense")
MOMENTS = (
    "2024-01-31",
    "2024-01-31T12:00:00Z",
    "2024-01-31 12:00:00.000001",
    "2024-01-31T12:00:00+01:00",
    "2024-02-01T00:30",
)
TEXTS = ("", "red", "Red apple", "apple, red!", "red red apple", "ap", "1", *MOMENTS)
IDS = (0, 7, 2**64 - 1, UUID(int=5), UUID("6f3c0b9e-0f0b-4a51-a7c5-9a8f4d1f2d3e"))

_keys = keys("a", "b", "d.e")
integers = st.integers(-2, 3)
small = integers | st.sampled_from((-0.5, 0.0, 1.0, 2.5))
numbers = small | small | st.sampled_from(LARGE)
whole = integers | integers | st.sampled_from(LARGE_INTEGERS)
texts = st.sampled_from(TEXTS)
degrees = st.integers(-3, 3).map(float) | st.sampled_from((-0.5, 0.5, 1.5))
geos = st.tuples(degrees, degrees) | st.tuples(st.sampled_from((170.0, -170.0, 179.5)), degrees)
geo_values = geos.map(lambda point: {"lon": point[0], "lat": point[1]})
scalars = st.none() | st.booleans() | numbers | texts | geo_values
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3),
    max_leaves=8,
)
payloads = st.dictionaries(_keys, scalars | st.lists(scalars, max_size=3) | json_values, max_size=3)
ids = st.sampled_from(IDS)

_steps = _keys | st.just(EACH) | st.integers(0, 2)
_deep = st.builds(lambda key, rest: (key, *rest), _keys, st.lists(_steps, max_size=2).map(tuple))
paths = _keys.map(lambda key: (key,)) | _deep


def _bounds(values: st.SearchStrategy) -> dict[str, st.SearchStrategy]:
    return {name: st.none() | st.none() | values for name in ("gt", "gte", "lt", "lte")}


def _closed(corners: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    return (*corners, corners[0])


_moments = st.sampled_from(MOMENTS).map(parse_datetime)
_same_kind = st.lists(whole, max_size=3) | st.lists(texts, max_size=3)
_rings = st.lists(st.tuples(degrees, degrees), min_size=3, max_size=5).map(_closed)

fields = st.one_of(
    st.builds(Match, paths, st.tuples(st.booleans() | whole | texts)),
    st.builds(Match, paths, _same_kind.map(tuple)),
    st.builds(MatchExcept, paths, _same_kind.map(tuple)),
    st.builds(
        MatchText, paths, texts, st.sampled_from(("all", "any", "phrase", "prefix", "substring"))
    ),
    st.builds(Range, paths, **_bounds(numbers)),
    st.builds(DatetimeRange, paths, **_bounds(_moments)).filter(
        lambda each: (each.gt, each.gte, each.lt, each.lte) != (None,) * 4
    ),
    st.builds(GeoBox, paths, geos, geos),
    st.builds(GeoRadius, paths, geos, st.sampled_from((0.0, 60_000.0, 200_000.0, 2e7))),
    st.builds(GeoPolygon, paths, _rings, st.lists(_rings, max_size=2).map(tuple)),
    st.builds(ValuesCount, paths, **_bounds(st.integers(0, 3))),
    st.builds(IsEmpty, paths),
    st.builds(IsNull, paths),
)
others = st.one_of(
    st.builds(HasId, st.frozensets(ids, max_size=3)),
    st.builds(HasVector, st.sampled_from(NAMES)),
    st.integers(1, 4).flatmap(lambda total: st.builds(Slice, st.just(total), st.integers(0, 3))),
).filter(lambda each: not isinstance(each, Slice) or each.index < each.total)


def _filters(conditions: st.SearchStrategy[Condition]) -> st.SearchStrategy[Filter]:
    clause = st.none() | st.lists(conditions, max_size=3).map(tuple)
    enough = st.builds(MinShould, st.lists(conditions, max_size=3).map(tuple), st.integers(1, 3))
    return st.builds(Filter, clause, clause, clause, st.none() | st.none() | enough)


conditions = st.recursive(
    fields | fields | others,
    lambda inner: _filters(inner) | st.builds(Nested, paths, _filters(inner)),
    max_leaves=6,
)
filters = _filters(conditions)


def payload_for(condition: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy of payloads that hold what a condition on a field looks for, mostly."""
    match condition:
        case Match(values=values) | MatchExcept(values=values):
            value = st.sampled_from(values or (1,)) | scalars
        case MatchText():
            value = texts
        case Range():
            value = numbers | st.booleans()
        case DatetimeRange():
            value = st.sampled_from(MOMENTS)
        case GeoBox() | GeoRadius() | GeoPolygon():
            value = geo_values
        case _:
            value = json_values
    return _along(condition.path, value | value | st.lists(value | scalars, max_size=3))


def _along(path: Path, value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    if not path:
        return value
    below = _along(path[1:], value)
    if isinstance(path[0], str):
        return st.dictionaries(st.just(path[0]), below, min_size=1, max_size=1)
    least = 1 if path[0] is EACH else int(path[0]) + 1
    return st.lists(below, min_size=least, max_size=least + 1)
