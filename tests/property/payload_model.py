"""Payloads, filters and edits in plain Python: what the collection must agree with."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Any

from palimpsest.index import PointId
from palimpsest.index.filters.expression import (
    Condition,
    Filter,
    HasId,
    HasVector,
    IsEmpty,
    IsNull,
    Match,
    MatchText,
    Path,
    Range,
    ValuesCount,
)

Payload = dict[str, Any]

LARGE = 2**60 + 1  # an integer that is no float

PAYLOADS: list[Payload | None] = [
    None,
    {},
    {"n": 1},
    {"n": [1, 4], "word": "red"},
    {"n": None, "word": ["red", "blue"]},
    {"n": 3, "a": {"n": 2, "keep": "x"}},
    {"n": "3", "word": "Red fox", "a": [1]},
    {"n": LARGE, "a": {"n": LARGE + 1}},
    {"n": [float(LARGE), 2**64]},
]
KINDS = {"n": "integer", "word": "keyword", "a.n": "integer"}


@dataclass(frozen=True)
class Point:
    """What a filter may ask of a point."""

    id: PointId
    payload: Payload
    names: Set[str]


@dataclass(frozen=True)
class Case:
    """A condition, and the same in Python."""

    condition: Condition
    holds: Callable[[Point], bool]


def values(payload: Payload, key: str) -> list[Any]:
    value = payload.get(key)
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def deep(payload: Payload) -> Any:
    inner = payload.get("a")
    return inner.get("n") if isinstance(inner, dict) else None


CASES = [
    Case(Match(("n",), (1,)), lambda one: 1 in values(one.payload, "n")),
    Case(
        Match(("n",), (3, 5)),
        lambda one: bool({3, 5} & {v for v in values(one.payload, "n") if whole(v)}),
    ),
    Case(Match(("word",), ("red",)), lambda one: "red" in values(one.payload, "word")),
    Case(
        MatchText(("word",), "fox red", "all"), lambda one: "Red fox" in values(one.payload, "word")
    ),
    Case(
        Range(("n",), gte=3), lambda one: any(whole(v) and v >= 3 for v in values(one.payload, "n"))
    ),
    Case(
        Range(("n",), gte=LARGE, lt=LARGE + 1),
        lambda one: LARGE in values(one.payload, "n"),
    ),
    Case(ValuesCount(("n",), lt=1), lambda one: not values(one.payload, "n")),
    Case(Match(("a", "n"), (2,)), lambda one: deep(one.payload) == 2),
    Case(IsEmpty(("n",)), lambda one: not values(one.payload, "n")),
    Case(IsNull(("n",)), lambda one: "n" in one.payload and one.payload["n"] is None),
    Case(HasId(frozenset([0, 3, 7])), lambda one: one.id in (0, 3, 7)),
    Case(HasVector("text"), lambda one: "text" in one.names),
]


@dataclass(frozen=True)
class Whose:
    """A filter of one or two cases, and the same in Python."""

    filter: Filter
    holds: Callable[[Point], bool]


def both(one: Case, other: Case) -> Whose:
    found = Filter(must=(one.condition, other.condition))
    return Whose(found, lambda point: one.holds(point) and other.holds(point))


def either(one: Case, other: Case) -> Whose:
    found = Filter(should=(one.condition, other.condition))
    return Whose(found, lambda point: one.holds(point) or other.holds(point))


def without(one: Case, other: Case) -> Whose:
    found = Filter(must=(one.condition,), must_not=(other.condition,))
    return Whose(found, lambda point: one.holds(point) and not other.holds(point))


def only(one: Case, _: Case) -> Whose:
    return Whose(Filter(must=(one.condition,)), one.holds)


COMBINED = [both, either, without, only]

# Edits: new keys, where they go, and the same in Python. A null takes its key away.
PATCHES: list[Payload] = [{"n": 5}, {"n": None, "word": "blue"}, {"new": [1, {"b": 2}]}, {}]
PLACES: list[Path] = [(), ("a",)]
KEYS: list[Path] = [("n",), ("a", "n"), ("word",), ("nothing",)]


def patched(payload: Payload, patch: Payload, at: Path) -> Payload:
    """Return a payload with a patch merged in, at the top or at the key ``a``."""
    if at:
        inner = payload.get("a")
        return {**payload, "a": patched(inner if isinstance(inner, dict) else {}, patch, ())}
    merged = {**payload, **patch}
    return {key: value for key, value in merged.items() if patch.get(key, 0) is not None}


def cut(payload: Payload, path: Path) -> Payload:
    """Return a payload without what is at a path of one or two keys."""
    if len(path) == 1:
        return {key: value for key, value in payload.items() if key != path[0]}
    inner = payload.get("a")
    return {**payload, "a": cut(inner, path[1:])} if isinstance(inner, dict) else payload
