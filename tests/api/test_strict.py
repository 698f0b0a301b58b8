"""Strict mode: what is over a limit is refused with a text that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from qdrant_client import QdrantClient, models

from tests.api.replies import refused, result
from tests.api.served import Server

V = [1.0, 2.0, 3.0]


CITY = {"must": [{"key": "city", "match": {"value": "x"}}]}
RANGE = {"must": [{"key": "n", "range": {"gt": 0}}]}
ONE = {"id": 2, "vector": {"": V}}
MANY_IDS = {"must": [{"has_id": [1, 2, 3, 4]}]}

# Limits; method, path below the collection, body of a refused and of an accepted request; text.
CASES: dict[str, tuple[dict[str, Any], str, str, Any, Any, str]] = {
    "limit of a scroll": (
        {"max_query_limit": 5},
        "POST",
        "points/scroll",
        {},
        {"limit": 5},
        'Limit exceeded 10 > 5 for "limit". Help: Reduce the "limit" parameter to or below 5.',
    ),
    "limit of a query": (
        {"max_query_limit": 5},
        "POST",
        "points/query",
        {"query": V, "limit": 6},
        {"query": V, "limit": 5},
        'Limit exceeded 6 > 5 for "limit"',
    ),
    "ef": (
        {"search_max_hnsw_ef": 8},
        "POST",
        "points/query",
        {"query": V, "params": {"hnsw_ef": 9}},
        {"query": V, "params": {"hnsw_ef": 8}},
        'Limit exceeded 9 > 8 for "hnsw_ef"',
    ),
    "exact": (
        {"search_allow_exact": False},
        "POST",
        "points/query",
        {"query": V, "params": {"exact": True}},
        {"query": V},
        "Exact search disabled!. Help: Set exact=false.",
    ),
    "oversampling": (
        {"search_max_oversampling": 2},
        "POST",
        "points/query",
        {"query": V, "params": {"quantization": {"oversampling": 2.5}}},
        {"query": V, "params": {"quantization": {"oversampling": 2.0}}},
        'Limit exceeded 2.5 > 2.0 for "oversampling"',
    ),
    "exact count": (
        {"search_allow_exact": False},
        "POST",
        "points/count",
        {},
        {"exact": False},
        "Exact search disabled!. Help: Set exact=false.",
    ),
    "limit of a prefetch": (
        {"max_query_limit": 5},
        "POST",
        "points/query",
        {"prefetch": {"query": V, "limit": 6}, "query": {"fusion": "rrf"}, "limit": 5},
        {"prefetch": {"query": V, "limit": 5}, "query": {"fusion": "rrf"}, "limit": 5},
        'Limit exceeded 6 > 5 for "limit"',
    ),
    "sample times limit of a matrix": (
        {"max_query_limit": 12},
        "POST",
        "points/search/matrix/pairs",
        {"sample": 4, "limit": 4},
        {"sample": 4, "limit": 3},
        'Limit exceeded 16 > 12 for "limit"',
    ),
    "matrix of the default size": (
        {"max_query_limit": 29},
        "POST",
        "points/search/matrix/offsets",
        {},
        {"sample": 2},
        'Limit exceeded 30 > 29 for "limit"',
    ),
    "groups times their size": (
        {"max_query_limit": 8},
        "POST",
        "points/query/groups",
        {"query": V, "group_by": "city", "limit": 3, "group_size": 3},
        {"query": V, "group_by": "city", "limit": 4, "group_size": 2},
        'Limit exceeded 9 > 8 for "limit"',
    ),
    "formula": (
        {"unindexed_filtering_retrieve": False},
        "POST",
        "points/query",
        {"prefetch": {"query": V}, "query": {"formula": {"sum": ["$score", {"mult": [2, "n"]}]}}},
        {"prefetch": {"query": V}, "query": {"formula": {"sum": ["$score", 2]}}},
        'Index required but not found for "n" of one of the following types: [float, integer]. '
        "Help: Create an index for this key or use a different formula expression.",
    ),
    "condition in a formula": (
        {"unindexed_filtering_retrieve": False},
        "POST",
        "points/query",
        {"prefetch": {"query": V}, "query": {"formula": {"sum": ["$score", CITY["must"][0]]}}},
        {"prefetch": {"query": V}, "query": {"formula": {"sum": ["$score", {"has_id": [1]}]}}},
        'Index required but not found for "city"',
    ),
    "batch of queries": (
        {"search_max_batchsize": 1},
        "POST",
        "points/query/batch",
        {"searches": [{"query": V}, {"query": V}]},
        {"searches": [{"query": V}]},
        'Limit exceeded 2 > 1 for "search batch size"',
    ),
    "unindexed read": (
        {"unindexed_filtering_retrieve": False},
        "POST",
        "points/scroll",
        {"filter": CITY},
        {"filter": {"must": [{"has_id": [1]}]}},
        'Index required but not found for "city" of one of the following types: [keyword]. '
        "Help: Create an index for this key or use a different filter.",
    ),
    "unindexed count": (
        {"unindexed_filtering_retrieve": False},
        "POST",
        "points/count",
        {"filter": RANGE},
        {},
        'Index required but not found for "n" of one of the following types: [float, integer]',
    ),
    "unindexed write": (
        {"unindexed_filtering_update": False},
        "POST",
        "points/payload",
        {"filter": CITY, "payload": {"a": 1}},
        {"points": [1], "payload": {"a": 1}},
        'Index required but not found for "city"',
    ),
    "conditions": (
        {"filter_max_conditions": 1},
        "POST",
        "points/scroll",
        {"filter": {"must": [*CITY["must"], {"must_not": [*RANGE["must"]]}]}},
        {"filter": CITY},
        "Filter condition limit reached (2 > 1)",
    ),
    "condition size": (
        {"condition_max_size": 3},
        "POST",
        "points/scroll",
        {"filter": MANY_IDS},
        {"filter": {"must": [{"has_id": [1, 2, 3]}]}},
        "Condition size limit reached (4 > 3)",
    ),
    "upserted points": (
        {"upsert_max_batchsize": 1},
        "PUT",
        "points",
        {"points": [ONE, {**ONE, "id": 3}]},
        {"points": [ONE]},
        'Limit exceeded 2 > 1 for "upsert limit"',
    ),
    "upserted points among operations": (
        {"upsert_max_batchsize": 1},
        "POST",
        "points/batch",
        {"operations": [{"upsert": {"points": [ONE, {**ONE, "id": 3}]}}]},
        {"operations": [{"upsert": {"points": [ONE]}}]},
        'Limit exceeded 2 > 1 for "upsert limit"',
    ),
    "updated points": (
        {"upsert_max_batchsize": 1},
        "PUT",
        "points/vectors",
        {"points": [{"id": 1, "vector": V}, {"id": 1, "vector": V}]},
        {"points": [{"id": 1, "vector": V}]},
        'Limit exceeded 2 > 1 for "update limit"',
    ),
    "sparse length": (
        {"sparse_config": {"s": {"max_length": 2}}},
        "PUT",
        "points",
        {"points": [{"id": 1, "vector": {"s": {"indices": [1, 2, 3], "values": [1, 2, 3]}}}]},
        {"points": [{"id": 1, "vector": {"s": {"indices": [1, 2], "values": [1, 2]}}}]},
        "Sparse vector 's' has a limit of 2 indices, but 3 were provided!",
    ),
    "points": (
        {"max_points_count": 1},
        "PUT",
        "points",
        {"points": [ONE]},
        None,
        "Max points count limit of 1 reached!",
    ),
    "vector bytes": (
        {"max_collection_vector_size_bytes": 12},
        "PUT",
        "points",
        {"points": [ONE]},
        None,
        "Max vector storage size limit of",
    ),
    "payload bytes": (
        {"max_collection_payload_size_bytes": 10},
        "POST",
        "points/payload",
        {"points": [1], "payload": {"a": 1}},
        None,
        "Max payload storage size limit of",
    ),
    "memory": (
        {"max_resident_memory_percent": 100},
        "POST",
        "points/payload",
        None,
        {"points": [1], "payload": {"a": 1}},
        "",
    ),
    "payload indexes": (
        {"max_payload_index_count": 0},
        "PUT",
        "index",
        {"field_name": "n", "field_schema": "integer"},
        None,
        "maximum number of payload indexes (0)",
    ),
    "substring": (
        {},
        "POST",
        "points/scroll",
        {"filter": {"must": [{"key": "city", "match": {"substring": "x"}}]}},
        {"filter": {"must": [{"key": "city", "match": {"text": "x"}}]}},
        'Substring matching is not allowed, used for "city"',
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_limit(case: str, http: httpx.Client, limited: Callable[..., str]) -> None:
    limits, method, below, bad, good, text = CASES[case]
    path = limited(**limits)
    if bad is not None:
        found = refused(http.request(method, f"{path}/{below}", json=bad), 400)
        assert found.startswith("Bad request: ")
        assert text in found
    if good is not None:
        result(http.request(method, f"{path}/{below}", json=good))
    result(http.patch(path, json={"strict_mode_config": {"enabled": False}}))
    if bad is not None:
        result(http.request(method, f"{path}/{below}", json=bad))


def test_a_timeout_has_a_limit(http: httpx.Client, limited: Callable[..., str]) -> None:
    path = limited(max_timeout=2)
    for method, below, body in (
        ("POST", "points/count", {}),
        ("POST", "points/query", {"query": V}),
        ("POST", "points", {"ids": [1]}),
        ("PUT", "points", {"points": [ONE]}),
    ):
        where = f"{path}/{below}?timeout="
        assert '3 > 2 for "timeout"' in refused(http.request(method, f"{where}3", json=body), 400)
        result(http.request(method, f"{where}2", json=body))


def test_an_index_opens_what_needs_one(http: httpx.Client, limited: Callable[..., str]) -> None:
    path = limited(unindexed_filtering_retrieve=False)
    scroll = f"{path}/points/scroll"
    refused(http.post(scroll, json={"filter": CITY}), 400)
    index = {"field_name": "city", "field_schema": "keyword"}
    result(http.put(f"{path}/index?wait=true", json=index))
    assert len(result(http.post(scroll, json={"filter": CITY}))["points"]) == 1
    query = {"query": V, "filter": CITY}
    assert len(result(http.post(f"{path}/points/query", json=query))["points"]) == 1


def test_a_strict_collection_through_the_client(server: Server) -> None:
    client = QdrantClient(url=server.url)
    params = models.VectorParams(size=3, distance=models.Distance.DOT)
    limits = models.StrictModeConfig(enabled=True, max_query_limit=3)
    client.create_collection("strict", vectors_config=params, strict_mode_config=limits)
    held = client.get_collection("strict").config.strict_mode_config
    assert held is not None
    assert (held.enabled, held.max_query_limit) == (True, 3)
    more = models.StrictModeConfig(search_allow_exact=False)
    client.update_collection("strict", strict_mode_config=more)
    held = client.get_collection("strict").config.strict_mode_config
    assert held is not None
    assert (held.enabled, held.max_query_limit, held.search_allow_exact) == (True, 3, False)
    client.delete_collection("strict")
    client.close()
