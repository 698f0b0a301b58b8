"""Filters: every clause and every condition of the language, over the fields of `payloads`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from qdrant_client import models

from tests.differential.payloads import TEXTS, UUIDS, WORDS, drawn_path, integers, paths, small
from tests.numbers import LARGE

IDS: list[Any] = [
    *range(16),
    2**64 - 1,
    *(f"{n:08x}-0000-4000-8000-000000000000" for n in range(9)),
]
FLOATS = [number for number in LARGE if isinstance(number, float)]
NAMES = ["", "euclid", "dot", "manhattan", "sparse", "idf"]

scalars = st.one_of(st.sampled_from(WORDS), integers, st.booleans(), st.sampled_from(UUIDS))


def field(kind: str, **strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(models.FieldCondition, key=paths(kind), **strategies)


def lists_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.one_of(st.lists(values, min_size=2, max_size=4), st.lists(values, max_size=1))


def bounds(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """One or two bounds, the lower one first in most cases."""
    pair = st.lists(values, min_size=2, max_size=2).map(sorted)
    ends = st.sampled_from([("gt", "lt"), ("gte", "lte"), ("gte", "lt"), ("lt", "gt")])
    single = st.builds(
        lambda end, value: {end: value}, st.sampled_from(["gt", "gte", "lt", "lte"]), values
    )
    both = st.builds(lambda names, found: dict(zip(names, found, strict=True)), ends, pair)
    return st.one_of(single, both)


matches = st.one_of(
    field("word", match=st.builds(models.MatchValue, value=st.sampled_from(WORDS + UUIDS))),
    field("integer", match=st.builds(models.MatchValue, value=st.one_of(integers, st.booleans()))),
    field("integer", match=st.builds(models.MatchAny, any=lists_of(integers))),
    field("word", match=st.builds(models.MatchAny, any=lists_of(st.sampled_from(WORDS + UUIDS)))),
    field(
        "integer", match=lists_of(integers).map(lambda some: models.MatchExcept(**{"except": some}))
    ),
    field(
        "word",
        match=lists_of(st.sampled_from(WORDS)).map(
            lambda some: models.MatchExcept(**{"except": some})
        ),
    ),
    st.builds(
        models.FieldCondition,
        key=st.sampled_from(["ok", "ok[]", "n"]),
        match=st.builds(models.MatchValue, value=st.booleans()),
    ),
    st.builds(
        models.FieldCondition,
        key=st.just("u"),
        match=st.builds(models.MatchAny, any=lists_of(st.sampled_from(UUIDS))),
    ),
)

phrases = st.sampled_from(
    [*TEXTS, "fox", "Quick", "brown  FOX", "größe", "20", "dog", "s fox", "quick brown fox"]
)
parts = st.sampled_from(["", "r", "re", "Re", "The", "fox", "öß", "gr", "0000"])
texts = st.one_of(
    field("text", match=st.builds(models.MatchText, text=phrases)),
    field("text", match=st.builds(models.MatchTextAny, text_any=phrases)),
    field("text", match=st.builds(models.MatchPhrase, phrase=phrases)),
    field("text", match=st.builds(models.MatchPrefix, prefix=parts)),
    field("text", match=st.builds(models.MatchSubstring, substring=parts)),
)

moments = st.sampled_from(
    [
        datetime(2024, 1, 15, tzinfo=UTC),
        datetime(2024, 1, 15, 8, tzinfo=UTC),
        datetime(2024, 1, 15, 10, 0, 0, 250_000, tzinfo=UTC),
        datetime(2024, 1, 16, 0, 0, 0, 123_456, tzinfo=UTC),
        datetime(2000, 1, 1, 5, 29, 59, tzinfo=UTC),
        datetime(2024, 1, 15, 10),
    ]
)
aware = moments.map(lambda one: one.replace(tzinfo=UTC))
ranges = st.one_of(
    field(
        "number",
        # floats only: the client makes them of all bounds
        range=bounds(st.sampled_from([*[-2, -1.5, 0, 0.5, 1, 2, 2.5, 1e6] * 2, *FLOATS])).map(
            lambda b: models.Range(**b)
        ),
    ),
    field("moment", range=bounds(aware).map(lambda b: models.DatetimeRange(**b))),
    field("moment", range=st.builds(models.DatetimeRange, gte=moments)),
)

# Corners off the grid on which the points lie: nothing is ever exactly on an edge.
lon = st.sampled_from([13.25, 13.35, 13.45, 13.55, -179.9, 179.1, -10.0])
lat = st.sampled_from([52.35, 52.45, 52.55, -20.0, 20.0])
corners = st.builds(models.GeoPoint, lon=lon, lat=lat)
rings = st.sampled_from(
    [
        [(13.25, 52.35), (13.45, 52.35), (13.45, 52.55), (13.25, 52.55)],
        [(13.35, 52.45), (13.55, 52.45), (13.45, 52.6)],
        [(-5.0, -5.0), (5.0, -5.0), (5.0, 5.0), (-5.0, 5.0)],
        [(13.2, 52.3), (13.6, 52.3), (13.6, 52.6), (13.2, 52.6)],
    ]
)


# West, north, east, south; the fourth crosses the antimeridian, the last is empty.
boxes = st.sampled_from(
    [
        (13.25, 52.55, 13.45, 52.35),
        (13.35, 52.45, 13.55, 52.35),
        (-10.0, 60.0, 13.45, -5.0),
        (179.1, 20.0, -179.1, -20.0),
        (13.35, 52.55, -10.0, 52.35),
        (13.25, 52.35, 13.45, 52.55),
    ]
).map(
    lambda box: models.GeoBoundingBox(
        top_left=models.GeoPoint(lon=box[0], lat=box[1]),
        bottom_right=models.GeoPoint(lon=box[2], lat=box[3]),
    )
)


def ring(corners: list[tuple[float, float]]) -> models.GeoLineString:
    return models.GeoLineString(
        points=[models.GeoPoint(lon=lon, lat=lat) for lon, lat in [*corners, corners[0]]]
    )


places = st.one_of(
    field(
        "place",
        geo_radius=st.builds(
            models.GeoRadius,
            center=corners,
            radius=st.sampled_from([100.0, 9_000.0, 1.3e4, 5e5, 9e6]),
        ),
    ),
    field(
        "place",
        geo_bounding_box=boxes,
    ),
    field(
        "place",
        geo_polygon=st.builds(
            lambda outer, holes: models.GeoPolygon(
                exterior=ring(outer), interiors=holes and [ring(holes)]
            ),
            rings,
            st.one_of(st.none(), rings),
        ),
    ),
)

counts = field(
    "any",
    values_count=st.builds(
        models.ValuesCount,
        gte=st.one_of(st.none(), st.integers(0, 3)),
        lt=st.one_of(st.none(), st.integers(1, 4)),
    ),
)
absences = st.one_of(
    st.builds(
        lambda key: models.IsEmptyCondition(is_empty=models.PayloadField(key=key)), paths("any")
    ),
    st.builds(
        lambda key: models.IsNullCondition(is_null=models.PayloadField(key=key)), paths("any")
    ),
    field("any", is_empty=st.booleans()),
    field("any", is_null=st.booleans()),
)
fields = st.one_of(matches, matches, texts, ranges, places, counts, absences)

identities = st.one_of(
    st.builds(models.HasIdCondition, has_id=st.lists(st.sampled_from(IDS), max_size=8)),
    st.builds(models.HasVectorCondition, has_vector=st.sampled_from(NAMES)),
    st.integers(1, 4).flatmap(
        lambda total: st.integers(0, total - 1).map(
            lambda index: models.SliceCondition(slice=models.Slice(total=total, index=index))
        )
    ),
)

element = st.one_of(
    st.builds(
        models.FieldCondition,
        key=st.sampled_from(["b", "d.e", "b[]"]),
        range=bounds(small).map(lambda b: models.Range(**b)),
    ),
    st.builds(
        models.FieldCondition,
        key=st.just("c"),
        match=st.builds(models.MatchValue, value=st.sampled_from(WORDS)),
    ),
    st.builds(models.FieldCondition, key=st.sampled_from(["b", "c"]), is_empty=st.booleans()),
)


def clauses(conditions: st.SearchStrategy[Any]) -> st.SearchStrategy[models.Filter]:
    """A filter of up to two clauses; a clause is a list or, sometimes, a single condition."""
    clause = st.one_of(
        st.lists(conditions, min_size=2, max_size=3), conditions, st.lists(conditions, max_size=1)
    )
    enough = st.builds(
        models.MinShould,
        conditions=st.lists(conditions, min_size=2, max_size=4),
        min_count=st.sampled_from([1, 1, 2, 2, 3]),
    )
    kinds = {"must": clause, "should": clause, "must_not": clause, "min_should": enough}
    one = st.sampled_from([*kinds, "should"]).map(lambda name: [name])
    two = st.lists(st.sampled_from([*kinds]), min_size=2, max_size=2, unique=True)
    chosen = st.one_of(one, two)
    return chosen.flatmap(
        lambda names: st.fixed_dictionaries({name: kinds[name] for name in names})
    ).map(lambda given: models.Filter(**given))


nested = st.builds(
    lambda key, inside: models.NestedCondition(nested=models.Nested(key=key, filter=inside)),
    paths("array"),
    clauses(element),
)
leaves = st.one_of(fields, fields, fields, identities, nested)
filters = st.one_of(
    clauses(leaves),
    clauses(leaves),
    clauses(st.one_of(leaves, clauses(leaves))),
    leaves.map(lambda one: models.Filter(must=[one])),
)

# For the tidy payloads, and so that most of them leave many points.
wide = st.one_of(
    st.builds(
        models.FieldCondition,
        key=st.one_of(st.sampled_from(["n", "p", "nested.m"]), drawn_path),
        range=st.builds(
            lambda end, value: models.Range(**{end: value}),
            st.sampled_from(["gte", "lt"]),
            small,
        ),
    ),
    st.builds(
        models.FieldCondition,
        key=st.just("word"),
        match=lists_of(st.sampled_from(WORDS)).map(
            lambda some: models.MatchExcept(**{"except": some})
        ),
    ),
    st.builds(
        models.FieldCondition,
        key=st.just("list"),
        match=st.builds(models.MatchAny, any=lists_of(small)),
    ),
    st.builds(
        models.HasIdCondition, has_id=st.lists(st.sampled_from(IDS), min_size=12, max_size=20)
    ),
    st.builds(models.HasVectorCondition, has_vector=st.sampled_from(NAMES)),
    st.builds(models.FieldCondition, key=st.sampled_from(["p", "day"]), is_empty=st.booleans()),
)
wide_filters = st.one_of(
    st.builds(models.Filter, must=wide),
    st.builds(models.Filter, must_not=wide),
    st.builds(models.Filter, should=st.lists(wide, min_size=1, max_size=3)),
    st.builds(models.Filter, must=st.lists(wide, min_size=2, max_size=2), should=wide),
)
