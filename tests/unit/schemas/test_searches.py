"""Plain queries: thresholds turn with the distance, sparse ones are sorted."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from palimpsest.app.schemas.query import decode_query, to_query
from palimpsest.app.schemas.searches import QueryBody
from palimpsest.index import (
    CollectionConfig,
    Distance,
    Match,
    SparseConfig,
    SparseVector,
    VectorConfig,
)

CONFIGS = {
    each: CollectionConfig({"": VectorConfig(3, each), "sp": SparseConfig()})
    for each in (Distance.DOT, Distance.EUCLID)
}


def query_of(distance: Distance = Distance.DOT, **given: Any) -> Any:
    body = msgspec.convert({"query": msgspec.Raw(b"[1,2,3]"), **given}, QueryBody)
    return to_query(body, CONFIGS[distance])


def test_a_score_threshold_turns_with_the_distance() -> None:
    # a score equal to the threshold is left out, both being float32
    below = float(np.nextafter(np.float32(0.5), np.float32(0)))
    above = float(np.nextafter(np.float32(0.5), np.float32(1)))
    assert query_of(Distance.EUCLID, score_threshold=0.5).request.max_distance == below
    assert query_of(Distance.DOT, score_threshold=0.5).request.max_distance == -above
    assert query_of(Distance.EUCLID, score_threshold=1e300).request.max_distance == np.inf
    assert query_of(Distance.DOT, score_threshold=1e300).request.max_distance == -np.inf


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
