"""Counted values of a reading: those of most points first, whether or not there is an index."""

from __future__ import annotations

import json

import pytest

from palimpsest.index import Collection, CollectionConfig, FieldIndex, PointBatch
from palimpsest.index.filters.expression import Filter, HasId
from palimpsest.index.query.facets import count_values
from tests.conftest import OpenCollection

KEY = "метка"
STORED = {1: "é", 2: "e\u0301", 3: ["é", "é", "x"], 4: None, 5: 2**53 + 1, 6: "x", 7: True}


@pytest.fixture(params=[False, True], ids=["no index", "index"])
def collection(request: pytest.FixtureRequest, collection_of: OpenCollection) -> Collection:
    made = collection_of(CollectionConfig({}))
    payloads = [json.dumps({KEY: value}).encode() for value in STORED.values()]
    made.upsert(PointBatch([*STORED], {}, payloads)).result()
    if request.param:
        made.create_index(KEY, FieldIndex.from_declared("keyword")).result()
    return made


def test_a_point_counts_once_for_each_value(collection: Collection) -> None:
    found = dict(count_values(collection.reading(), (KEY,), None, 10))
    texts = {value: count for value, count in found.items() if isinstance(value, str)}
    assert texts == {"é": 2, "e\u0301": 1, "x": 2}


def test_a_filter_narrows_the_points_and_the_limit_the_values(collection: Collection) -> None:
    some = Filter((HasId(frozenset((3, 6, 2**63))),))
    reading = collection.reading()
    assert count_values(reading, (KEY,), some, 10) == [("x", 2), ("é", 1)]
    assert count_values(reading, (KEY,), some, 1) == [("x", 2)]
    assert count_values(reading, ("другая",), None, 10) == []
    assert count_values(reading, (KEY,), Filter((HasId(frozenset()),)), 10) == []
