"""What requests cost of the budget of a collection, and that what is refused costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.api.replies import refused, result

V = [1.0, 2.0, 3.0]


ONE = {"id": 2, "vector": {"": V}}


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
    "recall by a query": ("POST", "recall", {"queries": [V], "filter": TWO}, 5),
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
