"""Queries on the wire without a server: bodies to requests, results to scored points."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import pytest

from palimpsest.app.errors import Refusal, describe
from palimpsest.app.schemas.hits import to_hits, to_points
from palimpsest.app.schemas.plain import MARK
from palimpsest.app.schemas.query import Tree, decode_query, to_query
from palimpsest.app.schemas.searches import QueryBody
from palimpsest.app.schemas.selectors import PayloadSelector
from palimpsest.index import (
    Answer,
    CollectionConfig,
    Distance,
    InvalidInput,
    Match,
    PointId,
    Record,
    SearchResult,
    SearchStats,
    SparseConfig,
    SparseVector,
    VectorConfig,
    queries,
)

HYPHENATED = "936da01f-9abd-4d9d-80c7-02af85c822a8"
NO_PAYLOAD = PayloadSelector(None, default=False)
CONFIGS = {
    each: CollectionConfig({"": VectorConfig(3, each), "sp": SparseConfig()})
    for each in (Distance.DOT, Distance.EUCLID)
}


def search_result(ids: Sequence[PointId], distances: Sequence[float]) -> SearchResult:
    return SearchResult(
        ids=ids,
        seqs=list(range(len(ids))),
        distances=np.array(distances, dtype=np.float32),
        payloads=None,
        vectors=None,
        stats=SearchStats(),
    )


def query_of(distance: Distance = Distance.DOT, **given: Any) -> Any:
    body = msgspec.convert({"query": msgspec.Raw(b"[1,2,3]"), **given}, QueryBody)
    return to_query(body, CONFIGS[distance])


def sent(found: SearchResult) -> Any:
    text = msgspec.json.encode(to_points(found, NO_PAYLOAD, False, True))
    return json.loads(text, parse_constant=pytest.fail)["points"]


def test_scores_have_the_fewest_digits() -> None:
    found = search_result([7, 2**64 - 1, UUID(HYPHENATED)], [-0.1, 0.25, 0])
    assert sent(found) == [
        {"id": 7, "version": 0, "score": 0.1},
        {"id": 2**64 - 1, "version": 1, "score": -0.25},
        {"id": HYPHENATED, "version": 2, "score": 0.0},
    ]
    assert sent(search_result([], [])) == []


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_scores_that_json_cannot_hold_stay_valid(bad: float) -> None:
    rows = sent(search_result([1, 2], [bad, 0.5]))
    assert np.isfinite([row["score"] for row in rows]).all()
    assert rows[1]["score"] == -0.5


def test_hits_of_a_tree() -> None:
    hits = Answer([Record(3, 8, b'{"a":1}')], [float(np.float32(0.1))], [5], whole=True)
    text = msgspec.json.encode(to_hits(hits, PayloadSelector(True, default=False), False))
    row = {"id": 3, "version": 8, "score": 0.1, "payload": {"a": 1}, "order_value": 5}
    assert json.loads(text) == [row]


def test_a_score_threshold_turns_with_the_distance() -> None:
    # a score equal to the threshold is left out, both being float32
    below = float(np.nextafter(np.float32(0.5), np.float32(0)))
    above = float(np.nextafter(np.float32(0.5), np.float32(1)))
    assert query_of(Distance.EUCLID, score_threshold=0.5).request.max_distance == below
    assert query_of(Distance.DOT, score_threshold=0.5).request.max_distance == -above
    assert query_of(Distance.EUCLID, score_threshold=1e300).request.max_distance == np.inf
    assert query_of(Distance.DOT, score_threshold=1e300).request.max_distance == -np.inf


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


def test_a_sparse_query_is_sorted_and_a_filter_is_read() -> None:
    target = read(PLAIN[3]).request.query
    assert isinstance(target, SparseVector)
    assert (target.indices.tolist(), target.values.tolist()) == ([1, 5], [2.0, 1.0])
    assert read(PLAIN[5]).request.filter.must == (Match(("a",), (1,)),)


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
