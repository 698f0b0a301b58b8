"""Payloads, and the paths that lead into them.

Few keys and few values, so that generated conditions hold for some points and not for others; odd
values (nulls, empty and nested arrays, the wrong type) are mixed in everywhere.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.keys import one_key, quoted
from tests.numbers import CLIENT, CLIENT_INTEGERS

WORDS = ["red", "green", "Red", "blue", ""]
UUIDS = [f"0000000{n}-1111-2222-3333-44444444444{n}" for n in range(4)]
TEXTS = [
    "red fox",
    "The quick, brown fox!",
    "fox quick",
    "Größe: 10-20 cm",
    "GRÖSSE 20",
    "lazy dog's fox-hole",
    "...",
    "",
]
MOMENTS = [
    "2024-01-15",
    "2024-01-15T10:00:00Z",
    "2024-01-15T10:00:00+02:00",
    "2024-01-15T10:00:00.250Z",
    "2024-01-15 10:00:00",
    "2024-01-15T10:00",
    "2024-01-16T00:00:00.123456789Z",
    "1999-12-31T23:59:59-05:30",
    "soon",
    "2024-13-01",
]
PLACES: list[Any] = [
    *({"lon": lon, "lat": lat} for lon in (13.3, 13.4, 13.5) for lat in (52.4, 52.5)),
    {"lon": -179.5, "lat": 10.0},
    {"lon": 179.5, "lat": -10},
    {"lon": 0, "lat": 0},
    {"lon": "13.4", "lat": 52.5},
    {"lat": 52.5},
    [13.4, 52.5],
]
ODD: list[Any] = [None, [], [None], [[]], {}, "1", True, 1.0, [[1, 2], [3]], 7]


def several(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One value, or an array of a few, or something odd."""
    some = st.lists(st.one_of(values, values, values, st.none()), min_size=1, max_size=3)
    return st.one_of(values, values, values, values, some, some, odd())


def odd() -> st.SearchStrategy[Any]:
    return st.sampled_from(ODD)


words = st.sampled_from(WORDS)
small = st.integers(-2, 4)
integers = st.one_of(small, small, small, st.sampled_from(CLIENT_INTEGERS))
floats = st.sampled_from([*[-1.5, 0.0, 0.5, 1.0, 2.5, 1e6, 3, -2] * 3, *CLIENT])

inner = st.fixed_dictionaries(
    {"b": several(integers)},
    optional={
        "c": several(words),
        "d": st.fixed_dictionaries({"e": several(integers)}),
    },
)


def with_drawn_key(
    payloads: st.SearchStrategy[dict[str, Any]], values: st.SearchStrategy[Any]
) -> st.SearchStrategy[dict[str, Any]]:
    """Payloads that, but for one in four, also have the key that is drawn for the example."""
    some = st.one_of(values, values, values, st.just(...))
    return st.builds(
        lambda payload, key, value: payload if value is ... else {key: value, **payload},
        payloads,
        one_key,
        some,
    )


_messy = st.fixed_dictionaries(
    {
        "word": several(words),
        "text": several(st.sampled_from(TEXTS)),
        "at": several(st.sampled_from(PLACES)),
        "a": st.one_of(
            inner, st.lists(st.one_of(inner, inner, integers), min_size=1, max_size=3), odd()
        ),
    },
    optional={
        "n": several(integers),
        "x": several(floats),
        "ok": several(st.booleans()),
        "when": several(st.sampled_from(MOMENTS)),
        "u": several(st.sampled_from(UUIDS)),
        "key.dot": several(integers),
    },
)

messy = with_drawn_key(_messy, several(integers))

# What formulas, orders and groups need: a value of one type, sometimes missing.
_tidy = st.fixed_dictionaries(
    {"n": st.integers(0, 5)},
    optional={
        "p": st.floats(-4, 4, width=16),
        "word": st.one_of(words, st.lists(words, max_size=2)),
        "day": st.sampled_from([m for m in MOMENTS[:8]]),
        "home": st.sampled_from(PLACES[:6]),
        "nested": st.fixed_dictionaries({"m": st.integers(-3, 3)}),
        "list": st.lists(st.integers(0, 3), max_size=3),
        "big": st.one_of(floats, st.lists(floats, max_size=2)),
    },
)
tidy = with_drawn_key(_tidy, st.integers(0, 5))

PATHS = {
    "integer": ["n", "n[]", "n[0]", "a.b", "a[].b", "a[0].b", "a.d.e", "a[].d.e", '"key.dot"', "x"],
    "word": ["word", "word[]", "word[1]", "a.c", "a[].c", "a[].c[]", "u"],
    "text": ["text", "word", "text[]", "a.c"],
    "number": ["x", "n", "x[]", "a.b", "a[].b", "key.dot", '"key.dot"', "a[].d.e"],
    "moment": ["when", "when[]", "word"],
    "place": ["at", "at[]", "a"],
    "any": ["a", "a[]", "a.d", "a[].d", "missing", "word", "n", "x", "at", "n[]", "a.b"],
    "array": ["a", "a[]", "n"],
}

_AT_DRAWN_KEY = ("integer", "number", "any")
drawn_path = one_key.map(quoted)

# Indexes of the fields above, one of each kind, for runs that must not differ from unindexed ones.
INDEXES: dict[str, Any] = {
    "word": "keyword",
    "n": "integer",
    "x": "float",
    "ok": "bool",
    "text": "text",
    "when": "datetime",
    "at": "geo",
    "u": "uuid",
    "a.b": "integer",
    "a[].b": "integer",
    "a[].c": "keyword",
    '"key.dot"': "float",
}


def paths(kind: str) -> st.SearchStrategy[str]:
    """Paths to values of a kind; numbers stand at the drawn key too."""
    known = st.sampled_from(PATHS[kind])
    return st.one_of(known, known, drawn_path) if kind in _AT_DRAWN_KEY else known
