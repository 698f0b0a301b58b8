"""What reads answer at their edges: limits without a limit, offsets, groups, printed scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

ALL = 2**64 - 1
POINTS = 30


@pytest.fixture
def c(http: httpx.Client, make: Callable[..., str]) -> str:
    """A collection of points with a dense and a sparse vector, and a few payload values."""
    name = make(
        vectors={"d": {"size": 2, "distance": "Cosine"}, "m": {"size": 2, "distance": "Manhattan"}},
        sparse_vectors={"s": {}},
    )
    points = [
        {
            "id": one,
            "vector": {
                "d": [1.0, 0.37 * one],
                "m": [0.17 * one, 0.01],
                "s": {"indices": [0, one], "values": [1.0, 0.17]},
            },
            "payload": {"n": one, "g": one, "tags": [], "none": None, "one": [one]},
        }
        for one in range(1, POINTS + 1)
    ]
    reply = http.put(f"/collections/{name}/points?wait=true", json={"points": points})
    assert reply.status_code == 200, reply.text
    index = {"field_name": "n", "field_schema": "integer"}
    assert http.put(f"/collections/{name}/index?wait=true", json=index).status_code == 200
    return f"/collections/{name}"


def post(http: httpx.Client, path: str, body: dict[str, Any]) -> Any:
    reply = http.post(path, json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()["result"]


DENSE = {"query": [1, 2], "using": "d"}
SPARSE = {"query": {"indices": [0], "values": [1]}, "using": "s"}
QUERIES: list[dict[str, Any]] = [
    DENSE,
    SPARSE,
    {},
    {"query": [1, 2], "using": "m"},
    {"query": {"sample": "random"}},
    {"query": {"order_by": "n"}},
    {"query": {"recommend": {"positive": [[1, 2]], "strategy": "best_score"}}, "using": "d"},
    {"query": {"fusion": "rrf"}, "prefetch": [{**DENSE, "limit": ALL}, {**SPARSE, "limit": ALL}]},
    {"query": {"formula": "$score"}, "prefetch": {**DENSE, "limit": ALL}},
    {**DENSE, "filter": {"must": {"key": "n", "range": {"gte": 0}}}},
    {**DENSE, "params": {"hnsw_ef": 7}},
    {**DENSE, "params": {"exact": True}},
]


@pytest.mark.parametrize("query", QUERIES)
def test_the_largest_limit_and_offset_mean_all_there_is(
    http: httpx.Client, c: str, query: dict[str, Any]
) -> None:
    path = f"{c}/points/query"
    assert len(post(http, path, {**query, "limit": ALL})["points"]) == POINTS
    assert len(post(http, path, {**query, "limit": ALL, "offset": 12})["points"]) == POINTS - 12
    assert post(http, path, {**query, "limit": ALL, "offset": ALL})["points"] == []
    batch = post(http, f"{path}/batch", {"searches": [{**query, "limit": ALL}]})
    assert len(batch[0]["points"]) == POINTS


def test_the_largest_limit_of_every_other_read(http: httpx.Client, c: str) -> None:
    for more in ({}, {"filter": {"must": {"key": "n", "range": {"gt": 10}}}}, {"order_by": "n"}):
        page = post(http, f"{c}/points/scroll", {**more, "limit": ALL})
        assert len(page["points"]) == (POINTS - 10 if "filter" in more else POINTS)
        assert page["next_page_offset"] is None
    for query in (DENSE, SPARSE, {}):
        body = {**query, "group_by": "g", "limit": ALL, "group_size": ALL}
        assert len(post(http, f"{c}/points/query/groups", body)["groups"]) == POINTS
    assert len(post(http, f"{c}/facet", {"key": "n", "limit": ALL})["hits"]) == POINTS
    for using in ("d", "s"):
        body = {"using": using, "sample": ALL, "limit": ALL}
        pairs = post(http, f"{c}/points/search/matrix/pairs", body)["pairs"]
        assert len(pairs) == POINTS * (POINTS - 1)
    old = post(
        http, f"{c}/points/search", {"vector": {"name": "d", "vector": [1, 2]}, "limit": ALL}
    )
    assert len(old) == POINTS


@pytest.mark.parametrize("wrong", [ALL + 1, 0, -1])
def test_a_limit_beyond_is_refused(http: httpx.Client, c: str, wrong: int) -> None:
    for path in ("points/query", "points/scroll"):
        assert http.post(f"{c}/{path}", json={"limit": wrong}).status_code in (400, 422)


def test_prefetch_limits_hold_in_groups(http: httpx.Client, c: str) -> None:
    tree = {
        "prefetch": [
            {**DENSE, "limit": 10},
            {"query": [0.3, 0], "using": "m", "limit": 10},
        ],
        "query": {"fusion": "rrf"},
    }
    points = post(http, f"{c}/points/query", {**tree, "limit": 100})["points"]
    assert 10 <= len(points) < 21
    body = {**tree, "group_by": "g", "group_size": 3, "limit": 100}
    groups = post(http, f"{c}/points/query/groups", body)["groups"]
    assert [group["id"] for group in groups] == [point["id"] for point in points]
    scores = [group["hits"][0]["score"] for group in groups]
    assert scores == [point["score"] for point in points]


def test_offsets_of_random_points(http: httpx.Client, c: str) -> None:
    body = {"query": {"sample": "random"}, "limit": 5, "offset": 28}
    assert len(post(http, f"{c}/points/query", body)["points"]) == 2
    body["offset"] = 3
    ids = [point["id"] for point in post(http, f"{c}/points/query", body)["points"]]
    assert len(set(ids)) == 5


def test_defaults_of_a_formula_stand_for_what_is_empty(http: httpx.Client, c: str) -> None:
    for key in ("tags", "tags[]", "none", "absent"):
        body = {
            "prefetch": {**DENSE, "limit": 3},
            "query": {"formula": {"sum": [key, "one"]}, "defaults": {key: 0.5}},
        }
        for point in post(http, f"{c}/points/query", body)["points"]:
            assert point["score"] == point["id"] + 0.5


def test_scores_print_alike_on_every_path(http: httpx.Client, c: str) -> None:
    """With as many digits as tell a float32, of a matrix as of a query."""
    query = {"query": 1, "using": "m", "limit": POINTS}
    expected = {p["id"]: p["score"] for p in post(http, f"{c}/points/query", query)["points"]}
    assert expected[2] == 0.17
    body = {"using": "m", "sample": POINTS, "limit": POINTS}
    pairs = post(http, f"{c}/points/search/matrix/pairs", body)["pairs"]
    assert {pair["b"]: pair["score"] for pair in pairs if pair["a"] == 1} == expected
    matrix = post(http, f"{c}/points/search/matrix/offsets", body)
    assert set(expected.values()) <= set(matrix["scores"])
    groups = post(http, f"{c}/points/query/groups", {**query, "group_by": "g"})["groups"]
    assert {group["id"]: group["hits"][0]["score"] for group in groups} == expected
    tree = {"prefetch": query, "query": {"formula": "$score"}, "limit": POINTS}
    assert {
        p["id"]: p["score"] for p in post(http, f"{c}/points/query", tree)["points"]
    } == expected
    vectors = post(http, f"{c}/points/scroll", {"limit": 2, "with_vector": ["m"]})["points"]
    assert vectors[1]["vector"]["m"] == [0.34, 0.01]
