"""Queries in bodies."""

from __future__ import annotations

from typing import Any

import pytest

from palimpsest.app.schemas.query import Query, Tree, decode_query
from palimpsest.index import (
    CollectionConfig,
    Distance,
    SparseConfig,
    VectorConfig,
)

CONFIGS = {
    each: CollectionConfig({"": VectorConfig(3, each), "sp": SparseConfig()})
    for each in (Distance.DOT, Distance.EUCLID)
}


def read(text: str) -> Any:
    return decode_query(text.encode(), CONFIGS[Distance.DOT])


PLAIN = [
    '{"query":[1,2,3]}',
    '{"query":7}',
    '{"query":{"nearest":7}}',
    '{"query":{"indices":[5,1],"values":[1,2]},"using":"sp"}',
    '{"query":{"nearest":{"indices":[5,1],"values":[1,2]}},"using":"sp"}',
    '{"query":[1,2,3],"filter":{"must":[{"key":"a","match":{"value":1}}]}}',
    '{"query":[1,2,3],"prefetch":[],"lookup_from":null,"filter":null,"shard_key":null}',
    '{"query":[1,2,3],"params":{"acorn":{"enable":true},"indexed_only":true}}',
]
TREES = [
    "{}",
    '{"query":null,"limit":5}',
    '{"query":{"nearest":7,"mmr":{}}}',
    '{"query":{"sample":"random"}}',
    '{"query":7,"lookup_from":{"collection":"other"}}',
    '{"query":{"fusion":"rrf"},"prefetch":{"query":[1,2,3]}}',
    '{"query":7,"params":{"idf":{"corpus":{}}}}',
]


@pytest.mark.parametrize("text", PLAIN)
def test_one_search_by_a_vector_is_plain(text: str) -> None:
    assert isinstance(read(text), Query)


@pytest.mark.parametrize("text", TREES)
def test_all_else_is_a_tree(text: str) -> None:
    assert isinstance(read(text), Tree)
