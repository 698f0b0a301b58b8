"""Queries in bodies."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from palimpsest.app.errors import describe
from palimpsest.app.schemas.plain import MARK
from palimpsest.app.schemas.query import Query, Tree, decode_query, to_query
from palimpsest.app.schemas.searches import QueryBody
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


ARRAYS = [
    "[1,2,3]",
    " [ 1 , -2.5e-3 ,\n3 ] ",
    "[]",
    "[1,2",
    "[1,,2]",
    "[1,NaN,2]",
    "[[1,2,3]]",
    "[01,2,3]",
]


SHAPES = [
    '{"query":%s}',
    '{"limit":3,"query":%s,"with_payload":["a"]}',
    '{"with_payload":["a"],"query":%s}',
    '{"query":{"nearest":%s}}',
    '{"query":{"nearest":%s,"mmr":null}}',
    '{"query":{"nearest":%s,"other":1}}',
    '{"query":{"recommend":%s}}',
    '{"query":7,"prefetch":%s}',
    '{"query":%s,"query":[4,5,6]}',
    '{"query":[4,5,6],"query":%s}',
    '{"using":"%s","query":[4,5,6]}',
    '{"query":"%s"}',
    '{"query":%s,"unknown":1}',
    '{"query":%s} and more',
    '{"query":%s,"with_vector":[]}',
    "%s",
]


def outcome(read: Any) -> Any:
    try:
        query = read()
    except Exception as error:
        return describe(error)
    if isinstance(query, Tree):
        return "tree"
    target = query.request.query
    return (
        target.tolist() if isinstance(target, np.ndarray) else target,
        query.request._replace(query=0),
        query.similarity,
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("array", ARRAYS)
def test_a_vector_cut_out_reads_like_one_left_in(shape: str, array: str) -> None:
    config = CONFIGS[Distance.DOT]
    for text in ((shape % array).encode(), (shape % array).encode() + b" " + MARK):
        plain = outcome(
            lambda text=text: to_query(msgspec.json.decode(text, type=QueryBody), config)
        )
        assert outcome(lambda text=text: decode_query(text, config)) == plain
