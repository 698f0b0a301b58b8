"""Counts of values are those of the reference, with an index and without."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap
from qdrant_client import QdrantClient, models

from palimpsest.index.payload.facets import facet
from tests.keys import one_key, quoted
from tests.unit.payload.points import Points

IDENTIFIER = "6f3c0b9e-0f0b-4a51-a7c5-9a8f4d1f2d3e"
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 2),
    st.just(1.0),
    st.sampled_from(("a", "b", "", IDENTIFIER, IDENTIFIER.upper(), IDENTIFIER.replace("-", ""))),
)
PAYLOADS = st.dictionaries(one_key, VALUES | st.lists(VALUES, max_size=3), max_size=1)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    one_key,
    st.lists(PAYLOADS, max_size=6),
    st.none() | st.sampled_from(("keyword", "integer", "bool", "uuid", "float")),
    st.none() | st.sets(st.integers(0, 5)),
)
def test_counts_are_those_of_the_reference(
    key: str, payloads: list[dict[str, Any]], kind: str | None, allowed: set[int] | None
) -> None:
    source, client = Points(), QdrantClient(":memory:")
    client.create_collection("c", models.VectorParams(size=1, distance=models.Distance.DOT))
    if kind is not None:
        source.index(quoted(key), kind)
    for number, payload in enumerate(payloads):
        source.put(number, payload)
    if payloads:
        points = [models.PointStruct(id=n, vector=[1.0], payload=p) for n, p in enumerate(payloads)]
        client.upsert("c", points)
    has_id = models.Filter(must=[models.HasIdCondition(has_id=list(allowed or ()))])
    hits = client.facet("c", quoted(key), facet_filter=None if allowed is None else has_id).hits
    found = facet((key,), None if allowed is None else BitMap(allowed), source)
    expected = [(type(hit.value), hit.value, hit.count) for hit in hits]
    assert [(type(value), value, count) for value, count in found] == expected


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("keyword", ["a", "b", ["a", "c", "a"]]),
        ("integer", [1, 2, [1, 3]]),
        ("bool", [True, False]),
    ],
)
def test_an_index_spares_the_payloads(kind: str, values: list[Any]) -> None:
    source = Points()
    for number, value in enumerate(values):
        source.put(number, {"k": value})
    without = facet(("k",), None, source)
    source.read = 0
    source.index("k", kind)
    assert facet(("k",), None, source) == without != []
    assert source.read == 0


def test_few_points_of_many_values_are_read() -> None:
    source = Points()
    source.index("k", "keyword")
    for number in range(100):
        source.put(number, {"k": f"v{number}"})
    assert facet(("k",), BitMap([7]), source) == [("v7", 1)]
    assert source.read == 1
