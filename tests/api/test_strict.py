"""Strict mode: what is over a limit is refused with a text that says what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse

from palimpsest.app.errors import Refusal
from palimpsest.app.rates import MINUTE, Rates
from palimpsest.app.schemas.filters import decode_filter
from palimpsest.app.strict_filters import check_sizes, leaves, require_indexes
from palimpsest.index import FieldIndex
from tests.api.replies import refused, result
from tests.api.served import Server

V = [1.0, 2.0, 3.0]


@pytest.fixture
def limited(http: httpx.Client, make: Callable[..., str]) -> Callable[..., str]:
    """Creates collections of one point with the given limits; returns the path."""

    def create(**limits: Any) -> str:
        vectors = {"size": 3, "distance": "Dot"}
        name = make(vectors=vectors, sparse_vectors={"s": {}})
        path = f"/collections/{name}"
        payload = {"city": "x", "n": 1}
        point = {"id": 1, "vector": {"": V, "s": {"indices": [1], "values": [1]}}}
        body = {"points": [{**point, "payload": payload}]}
        result(http.put(f"{path}/points?wait=true", json=body))
        strict = {"enabled": True, **limits}
        assert result(http.patch(path, json={"strict_mode_config": strict})) is True
        held = result(http.get(path))["config"]["strict_mode_config"]
        assert held == strict
        return path

    return create


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


# What a read costs, and a collection that it is asked of: see ``app.costs``.
TWO = {"must": [{"has_id": [1, 2]}, {"must_not": [{"has_id": [3]}]}]}
SPARSE = {"indices": list(range(65)), "values": [1.0] * 65}
COSTS: dict[str, tuple[str, str, Any, int]] = {
    "count": ("POST", "points/count", {}, 1),
    "count by a filter": ("POST", "points/count", {"filter": TWO}, 3),
    "scroll by a filter": ("POST", "points/scroll", {"filter": TWO}, 3),
    "facet by a filter": ("POST", "facet", {"key": "city", "filter": TWO}, 3),
    "point": ("GET", "points/1", None, 1),
    "points": ("POST", "points", {"ids": [1, 7, 8, 9]}, 4),
    "search": ("POST", "points/query", {"query": V}, 1),
    "search by id": ("POST", "points/query", {"query": 1}, 2),
    "search by a filter": ("POST", "points/query", {"query": V, "filter": TWO}, 3),
    "search of many entries": ("POST", "points/query", {"query": SPARSE, "using": "s"}, 2),
    "average of examples": (
        "POST",
        "points/query",
        {"query": {"recommend": {"positive": [1, V, V]}}},
        2,
    ),
    "each example": (
        "POST",
        "points/query",
        {"query": {"recommend": {"positive": [V, V], "negative": [V], "strategy": "best_score"}}},
        3,
    ),
    "target and pairs": (
        "POST",
        "points/query",
        {"query": {"discover": {"target": V, "context": [{"positive": V, "negative": 1}]}}},
        4,
    ),
    "prefetches": (
        "POST",
        "points/query",
        {
            "prefetch": [{"query": V, "filter": TWO}, {"query": V}],
            "query": {"fusion": "rrf"},
            "filter": {"must": [{"has_id": [1]}]},
        },
        6,
    ),
    "batch": ("POST", "points/query/batch", {"searches": [{"query": V}, {"query": 1}]}, 3),
    "groups": ("POST", "points/query/groups", {"query": 1, "group_by": "city"}, 2),
    "matrix": ("POST", "points/search/matrix/pairs", {"filter": TWO}, 6),
    "search of old": ("POST", "points/search", {"vector": V, "filter": TWO, "limit": 3}, 3),
}


@pytest.mark.parametrize("case", COSTS)
def test_what_a_read_costs(case: str, http: httpx.Client, limited: Callable[..., str]) -> None:
    method, below, body, cost = COSTS[case]
    path = limited(read_rate_limit=max(1, cost - 1))
    result(
        http.put(f"{path}/index?wait=true", json={"field_name": "city", "field_schema": "keyword"})
    )

    def ask() -> httpx.Response:
        return http.request(method, f"{path}/{below}", json=body)

    if cost > 1:
        assert f"({cost} > {cost - 1})" in refused(ask(), 429)
    strict = {"enabled": True, "read_rate_limit": cost}
    result(http.patch(path, json={"strict_mode_config": strict}))
    result(ask())
    assert f"requires {cost} tokens" in refused(ask(), 429)


def test_vectors_looked_up_are_charged_where_they_are(
    http: httpx.Client, limited: Callable[..., str]
) -> None:
    path = limited(read_rate_limit=1)
    other = f"{path}_looked_up"
    space = {"size": 3, "distance": "Dot"}
    strict = {"enabled": True, "read_rate_limit": 2}
    result(http.put(other, json={"vectors": space, "strict_mode_config": strict}))
    points = [{"id": i, "vector": V} for i in (1, 2, 3)]
    result(http.put(f"{other}/points?wait=true", json={"points": points}))
    lookup = {"collection": other.rpartition("/")[2]}
    query = {"query": {"recommend": {"positive": [1, 2, 3]}}, "lookup_from": lookup}
    assert "(3 > 2)" in refused(http.post(f"{path}/points/query", json=query), 429)
    result(http.patch(path, json={"strict_mode_config": {"enabled": False}}))
    assert "(3 > 2)" in refused(http.post(f"{path}/points/query", json=query), 429)
    query["query"]["recommend"]["positive"].pop()
    result(http.post(f"{path}/points/query", json=query))


def test_a_write_by_a_filter_costs_the_points_it_changes(
    http: httpx.Client, limited: Callable[..., str]
) -> None:
    path = limited(write_rate_limit=5)
    points = [{"id": i, "vector": {"": V}, "payload": {"city": "y"}} for i in range(10, 14)]
    result(http.put(f"{path}/points?wait=true", json={"points": points}))
    many = {"payload": {"a": 1}, "filter": {"must": [{"has_id": [10, 11, 12, 13]}]}}
    assert "requires 4 tokens" in refused(http.post(f"{path}/points/payload", json=many), 429)


def test_payloads_are_measured_and_not_the_file_they_are_in(
    http: httpx.Client, limited: Callable[..., str]
) -> None:
    path = limited(max_collection_payload_size_bytes=4_000)
    long = {"points": [7], "payload": {"text": "x" * 1_900}}
    result(http.put(f"{path}/points?wait=true", json={"points": [{**ONE, "id": 7}]}))
    for _ in range(8):  # the log grows, the payload does not
        result(http.post(f"{path}/points/payload?wait=true", json=long))
    result(http.post(f"{path}/points/payload?wait=true", json={**long, "points": [1]}))
    result(http.post(f"{path}/points/payload?wait=true", json={**long, "points": [1], "key": "b"}))
    found = refused(http.post(f"{path}/points/payload", json=long), 400)
    assert "Max payload storage size limit of" in found
    result(http.post(f"{path}/points/payload/clear?wait=true", json={"points": [7]}))
    result(http.post(f"{path}/points/payload?wait=true", json=long))


def test_a_vector_without_a_graph_is_an_exact_search(http: httpx.Client) -> None:
    path = "/collections/strict_no_graph"
    space = {"size": 3, "distance": "Dot"}
    vectors = {"a": space, "b": {**space, "hnsw_config": {"m": 0}}}
    strict = {"enabled": True, "search_allow_exact": False}
    result(http.put(path, json={"vectors": vectors, "strict_mode_config": strict}))
    query = {"query": V, "using": "b"}
    found = refused(http.post(f"{path}/points/query", json=query), 400)
    assert "Request is forbidden on 'b' because global vector indexing is disabled" in found
    assert "forbidden" in refused(http.post(f"{path}/points/query", json={"prefetch": query}), 400)
    result(http.post(f"{path}/points/query", json={"query": V, "using": "a"}))
    rescored = {**query, "prefetch": {"query": V, "using": "a"}}
    result(http.post(f"{path}/points/query", json=rescored))
    result(http.delete(path))


@pytest.mark.parametrize(("datatype", "bytes"), [("float32", 4), ("float16", 2), ("uint8", 1)])
def test_vectors_are_measured_as_they_are_declared(
    datatype: str, bytes: int, http: httpx.Client
) -> None:
    path = f"/collections/strict_{datatype}"
    vectors = {"size": 100, "distance": "Dot", "datatype": datatype}
    strict = {"enabled": True, "max_collection_vector_size_bytes": 200 * bytes}
    result(http.put(path, json={"vectors": vectors, "strict_mode_config": strict}))
    for i in range(2):
        point = {"id": i, "vector": [1.0] * 100}
        result(http.put(f"{path}/points?wait=true", json={"points": [point]}))
    last = {"points": [{"id": 2, "vector": [1.0] * 100}]}
    assert "Max vector storage size" in refused(http.put(f"{path}/points", json=last), 400)


def test_reads_are_let_through_again(http: httpx.Client, limited: Callable[..., str]) -> None:
    path = limited(read_rate_limit=2)
    replies = [http.post(f"{path}/points/count", json={}) for _ in range(4)]
    assert [reply.status_code for reply in replies] == [200, 200, 429, 429]
    text = refused(replies[-1], 429)
    assert "Rate limiting exceeded: Read rate limit exceeded" in text
    assert 0 < int(replies[-1].headers["retry-after"]) <= 60
    result(http.get(path))  # what a collection is may always be asked
    assert http.post(f"{path}/points/query", json={"query": V}).status_code == 429
    result(http.put(f"{path}/points", json={"points": [ONE]}))


def test_a_collection_of_the_name_of_a_dropped_one_begins_anew(
    http: httpx.Client, limited: Callable[..., str]
) -> None:
    path = limited(read_rate_limit=1)
    for _ in range(2):
        result(http.post(f"{path}/points/count", json={}))
        refused(http.post(f"{path}/points/count", json={}), 429)
        body = {
            "vectors": {"size": 3, "distance": "Dot"},
            "strict_mode_config": {"enabled": True, "read_rate_limit": 1},
        }
        assert result(http.delete(path)) is True
        result(http.put(path, json=body))


def test_a_write_above_the_whole_budget_is_not_to_be_repeated(
    http: httpx.Client, limited: Callable[..., str], server: Server
) -> None:
    path = limited(write_rate_limit=3)
    many = {"points": [{**ONE, "id": i} for i in range(4)]}
    reply = http.put(f"{path}/points", json=many)
    assert "Write rate limit exceeded" in refused(reply, 429)
    assert "retry-after" not in reply.headers
    result(http.put(f"{path}/points", json={"points": many["points"][:3]}))
    again = http.put(f"{path}/points", json={"points": many["points"][:3]})
    assert refused(again, 429)
    client = QdrantClient(url=server.url)
    with pytest.raises(ResourceExhaustedResponse) as caught:
        client.clear_payload(path.rpartition("/")[2], [1, 2, 3])
    assert caught.value.retry_after_s > 0
    client.close()


def test_a_batch_costs_all_it_writes_or_nothing(
    http: httpx.Client, limited: Callable[..., str]
) -> None:
    path = limited(write_rate_limit=3)
    one = {"upsert": {"points": [ONE]}}
    reply = http.post(f"{path}/points/batch", json={"operations": [one] * 4})
    assert "request larger than the rate limit (4 > 3)" in refused(reply, 429)
    assert "retry-after" not in reply.headers  # it never passes: repeating it would go on for ever
    assert len(result(http.post(f"{path}/points/batch", json={"operations": [one] * 3}))) == 3
    reply = http.post(f"{path}/points/batch", json={"operations": [one]})
    assert refused(reply, 429)
    assert 0 < int(reply.headers["retry-after"]) <= 20


def test_what_is_refused_costs_nothing(http: httpx.Client, limited: Callable[..., str]) -> None:
    path = limited(write_rate_limit=2, upsert_max_batchsize=1, read_rate_limit=1, max_query_limit=1)
    two = {"points": [ONE, {**ONE, "id": 2}]}
    assert "upsert limit" in refused(http.put(f"{path}/points", json=two), 400)
    assert '"limit"' in refused(http.post(f"{path}/points/scroll", json={"limit": 2}), 400)
    for _ in range(2):
        result(http.put(f"{path}/points", json={"points": [ONE]}))
    result(http.post(f"{path}/points/scroll", json={"limit": 1}))
    refused(http.put(f"{path}/points", json={"points": [ONE]}), 429)
    refused(http.post(f"{path}/points/scroll", json={"limit": 1}), 429)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time that ``Rates`` sees."""
    now = [1000.0]
    monkeypatch.setattr("palimpsest.app.rates.monotonic", lambda: now[0])
    yield now


def test_a_budget_fills_in_a_minute(clock: list[float]) -> None:
    rates = Rates()
    rates.take("c", "Write", 60, 60)
    with pytest.raises(Refusal, match="requires 3 tokens but only 0.0") as caught:
        rates.take("c", "Write", 3, 60)
    assert caught.value.headers == {"retry-after": "3"}
    rates.take("c", "Read", 60, 60)
    rates.take("other", "Write", 60, 60)
    clock[0] += 3
    rates.take("c", "Write", 3, 60)
    clock[0] += 10 * MINUTE
    rates.take("c", "Write", 60, 60)
    with pytest.raises(Refusal):
        rates.take("c", "Write", 1, 60)


# A filter; indexes that answer it; indexes that do not.
ANSWERS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"key": "a", "match": {"value": "x"}}, {"a": "keyword"}, {"a": "integer"}),
    ({"key": "a", "match": {"any": [1, 2]}}, {"a": "integer"}, {"b": "integer"}),
    (
        {"key": "a", "match": {"value": 1}},
        {"a": {"type": "integer", "lookup": True, "range": False}},
        {"a": {"type": "integer", "lookup": False, "range": True}},
    ),
    (
        {"key": "a", "range": {"gt": 1}},
        {"a": "float"},
        {"a": {"type": "integer", "lookup": True, "range": False}},
    ),
    ({"key": "a", "match": {"value": True}}, {"a": "bool"}, {"a": "keyword"}),
    ({"key": "a", "match": {"text": "x"}}, {"a": "text"}, {"a": "keyword"}),
    (
        {"key": "a", "match": {"prefix": "x"}},
        {"a": {"type": "keyword", "prefix": True}},
        {"a": "keyword"},
    ),
    ({"key": "a", "match": {"text_any": "x"}}, {"a": "text"}, {"a": "keyword"}),
    (
        {"key": "a", "match": {"phrase": "x y"}},
        {"a": {"type": "text", "phrase_matching": True}},
        {"a": "text"},
    ),
    ({"key": "a", "range": {"gt": "2024-01-01"}}, {"a": "datetime"}, {"a": "integer"}),
    (
        {"key": "a", "geo_radius": {"center": {"lon": 0, "lat": 0}, "radius": 5}},
        {"a": "geo"},
        {"a": "float"},
    ),
    ({"key": "a", "match": {"value": "936da01f-9abd-4d9d-80c7-02af85c822a8"}}, {"a": "uuid"}, {}),
    ({"is_empty": {"key": "a"}}, {"a": "geo"}, {"a.b": "geo"}),
    (
        {"nested": {"key": "a", "filter": {"must": [{"key": "b", "match": {"value": 1}}]}}},
        {"a[].b": "integer"},
        {"a.b": "integer"},
    ),
]


@pytest.mark.parametrize(
    "condition",
    [
        {"key": "a", "match": {"any": []}},
        {"key": "a", "match": {"except": []}},
        {"has_id": [1]},
        {"has_vector": ""},
        {"slice": {"total": 2, "index": 0}},
    ],
)
def test_a_condition_that_no_index_could_help_needs_none(condition: dict[str, Any]) -> None:
    require_indexes([*leaves(decode_filter({"must": [condition]}))], {})


@pytest.mark.parametrize(
    "size",
    [
        {"key": "a", "match": {"any": ["x", "x", "y", "y"]}},
        {"has_id": [1, 1, 2, 2]},
        {
            "key": "a",
            "geo_polygon": {
                "exterior": {
                    "points": [
                        {"lon": 0, "lat": 0},
                        {"lon": 0, "lat": 1},
                        {"lon": 1, "lat": 1},
                        {"lon": 0, "lat": 0},
                    ]
                }
            },
        },
    ],
)
def test_the_size_of_a_condition_is_of_its_different_values(size: dict[str, Any]) -> None:
    check_sizes([*leaves(decode_filter({"must": [size]}))], None, 2)


@pytest.mark.parametrize(("condition", "right", "wrong"), ANSWERS)
def test_which_index_a_condition_needs(
    condition: dict[str, Any], right: dict[str, Any], wrong: dict[str, Any]
) -> None:
    held = list(leaves(decode_filter({"min_should": {"conditions": [condition], "min_count": 1}})))
    check_sizes(held, None, None)

    def indexes(declared: dict[str, Any]) -> dict[str, FieldIndex]:
        return {key: FieldIndex.from_declared(each) for key, each in declared.items()}

    require_indexes(held, indexes(right))
    with pytest.raises(Refusal, match="Index required but not found"):
        require_indexes(held, indexes(wrong))


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
