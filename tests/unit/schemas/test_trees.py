"""Trees of queries: read to their full depth, and refused by name."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from palimpsest.app.errors import Refusal, describe
from palimpsest.app.schemas.query import decode_query
from palimpsest.index import (
    CollectionConfig,
    Distance,
    InvalidInput,
    SparseConfig,
    VectorConfig,
    queries,
)

CONFIGS = {
    each: CollectionConfig({"": VectorConfig(3, each), "sp": SparseConfig()})
    for each in (Distance.DOT, Distance.EUCLID)
}


def read(text: str) -> Any:
    return decode_query(text.encode(), CONFIGS[Distance.DOT])


def nested(depth: int) -> str:
    return '{"query":{"fusion":"rrf"},"prefetch":[' * depth + '{"query":7}' + "]}" * depth


def deep_formula(depth: int) -> str:
    formula = '{"neg":' * depth + "1" + "}" * depth
    return f'{{"query":{{"formula":{formula}}},"prefetch":{{"query":7}}}}'


BAD_SHAPES = [
    '{"query":{"recommend":{"positive":[1],"strategy":"best"}}}',
    '{"query":{"fusion":"sum"}}',
    '{"query":{"sample":"first"}}',
    '{"query":{"context":{"positive":1}}}',
    '{"query":{"discover":{"context":[]}}}',
    '{"query":{"order_by":{"key":"a","direction":"up"}}}',
    '{"query":{"order_by":{"key":"a","start_from":"soon"}}}',
    '{"query":{"order_by":{"key":"a..b"}}}',
    '{"query":{"nearest":7,"mmr":{"lambda":1}}}',
    '{"query":{"rrf":{"k":1,"more":2}}}',
    '{"query":{"unheard":1}}',
    '{"query":{"nearest":null}}',
    '{"query":{"text":"a"}}',
    '{"query":{"text":"a","model":"m"}}',
    '{"query":true}',
    '{"query":1.5}',
    '{"query":[[1,2,3]]}',
    '{"query":{"formula":{"neg":true}}}',
    '{"query":{"formula":{"sum":1}}}',
    '{"query":{"formula":{"div":{"left":1}}}}',
    '{"query":{"formula":{"pow":{"base":1,"exponent":2,"more":3}}}}',
    '{"query":{"formula":[1]}}',
    '{"query":{"formula":{"unheard":1}}}',
    '{"query":{"formula":1,"defaults":{"$score[x]":1}}}',
    '{"query":{"formula":{"geo_distance":{"origin":{"lon":181,"lat":0},"to":"a"}}}}',
    '{"query":7,"lookup_from":{"collection":"c","shard_key":"s"},"prefetch":[]}',
    '{"query":7,"shard_key":"s"}',
    '{"shard_key":"s"}',
    '{"query":7,"using":"absent"}',
    '{"query":[1,2,3],"using":"sp"}',
    '{"query":{"indices":[1],"values":[1]}}',
    '{"query":7,"filter":{"must":1}}',
    '{"prefetch":[{"query":7,"filter":{"should":2}}],"query":{"fusion":"rrf"}}',
    '{"prefetch":7,"query":{"fusion":"rrf"}}',
    nested(33),
    deep_formula(66),
    '{"query":{"fusion":"rrf"},"prefetch":[' + ",".join(['{"query":7}'] * 1_001) + "]}",
]


OUT_OF_RANGE = [
    '{"limit":0}',
    '{"query":7,"limit":0}',
    '{"query":{"fusion":"rrf"},"prefetch":[{"query":7,"limit":0}]}',
    '{"query":{"rrf":{"k":0}}}',
    '{"query":{"nearest":7,"mmr":{"diversity":1.5}}}',
    '{"query":{"nearest":7,"mmr":{"candidates_limit":16385}}}',
    '{"query":{"sample":"random"},"params":{"hnsw_ef":0}}',
    '{"query":7,"params":{"quantization":{"oversampling":0.5}}}',
    '{"query":7,"params":{"acorn":{"max_selectivity":2}}}',
    '{"query":{"relevance_feedback":{"target":1,"feedback":[],'
    '"strategy":{"naive":{"a":1,"b":-1,"c":1}}}}}',
]


@pytest.mark.parametrize("text", BAD_SHAPES, ids=lambda text: text[:60])
def test_what_cannot_be_read_is_400(text: str) -> None:
    with pytest.raises((Refusal, InvalidInput, msgspec.MsgspecError)) as raised:
        read(text)
    assert describe(raised.value)[0] == 400, raised.value


@pytest.mark.parametrize("text", OUT_OF_RANGE, ids=lambda text: text[:60])
def test_what_is_out_of_range_is_422(text: str) -> None:
    with pytest.raises(Refusal) as raised:
        read(text)
    assert raised.value.status == 422
    assert raised.value.text.startswith("Validation error in JSON body: [")


def test_the_deepest_trees_and_formulas_are_read() -> None:
    assert isinstance(read(nested(32)).request.root.query, queries.Fusion)
    assert isinstance(read(deep_formula(60)).request.root.query, queries.Formula)
