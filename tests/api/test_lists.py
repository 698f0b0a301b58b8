"""One body lists only so much, is nested only so deeply, and asks for numbers that there are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.served import serving

LIMIT, DEPTH = 20, 16
MANY = list(range(LIMIT + 1))
C = "/collections/c"
VECTOR = [0.25] * 64


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    environment = {"PALIMPSEST_BATCH_LIMIT": str(LIMIT), "PALIMPSEST_DEPTH_LIMIT": str(DEPTH)}
    with serving(tmp_path_factory.mktemp("lists"), **environment) as server:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            spaces = {"vectors": {"size": 64, "distance": "Dot"}}
            assert client.put(C, json=spaces).status_code == 200
            points = [{"id": n, "vector": VECTOR, "payload": {"n": MANY * 9}} for n in range(LIMIT)]
            assert client.put(f"{C}/points", json={"points": points}).status_code == 200
            yield client


HAS_IDS = {"must": [{"has_id": MANY}]}
LISTS: list[tuple[str, str, Any]] = [
    ("PUT", "/points", {"points": [{"id": n, "vector": VECTOR} for n in MANY]}),
    ("PUT", "/points", {"batch": {"ids": MANY, "vectors": [VECTOR] * len(MANY)}}),
    ("PUT", "/points/vectors", {"points": [{"id": n, "vector": VECTOR} for n in MANY]}),
    ("POST", "/points", {"ids": MANY}),
    ("POST", "/points/delete", {"points": MANY}),
    ("POST", "/points/delete", {"filter": HAS_IDS}),
    ("POST", "/points/payload", {"payload": {"a": 1}, "points": MANY}),
    ("PUT", "/points/payload", {"payload": {"a": 1}, "points": MANY}),
    ("POST", "/points/payload/delete", {"keys": ["a"], "points": MANY}),
    ("POST", "/points/payload/clear", {"points": MANY}),
    ("POST", "/points/vectors/delete", {"vector": [""], "points": MANY}),
    ("POST", "/points/batch", {"operations": [{"delete": {"points": [n]}} for n in MANY]}),
    ("POST", "/points/batch", {"operations": [{"delete": {"points": MANY[:15]}}] * 2}),
    ("POST", "/points/query/batch", {"searches": [{"query": n} for n in MANY]}),
    ("POST", "/points/query", {"query": {"recommend": {"positive": MANY}}}),
    ("POST", "/points/query", {"query": {"recommend": {"negative": [VECTOR] * len(MANY)}}}),
    ("POST", "/points/query", {"query": 1, "filter": HAS_IDS}),
    ("POST", "/points/query", {"query": {"fusion": "rrf"}, "prefetch": [{"query": 1}] * len(MANY)}),
    ("POST", "/points/query", {
        "query": {"context": [{"positive": 1, "negative": 2}] * len(MANY)}}),
    ("POST", "/points/query/groups", {"query": 1, "group_by": "n", "filter": HAS_IDS}),
    ("POST", "/points/search/batch", {"searches": [{"vector": VECTOR, "limit": 1}] * len(MANY)}),
    ("POST", "/points/recommend", {"positive": MANY, "limit": 1}),
    ("POST", "/points/recommend/batch", {"searches": [{"positive": [1], "limit": 1}] * len(MANY)}),
    ("POST", "/points/discover", {
        "target": 1, "context": [{"positive": 1, "negative": 2}] * len(MANY), "limit": 1}),
    ("POST", "/points/scroll", {"filter": HAS_IDS}),
    ("POST", "/points/count", {"filter": {"must": [{"key": "n", "match": {"any": MANY}}]}}),
    ("POST", "/facet", {"key": "n", "filter": HAS_IDS}),
]  # fmt: skip
ELSEWHERE: list[tuple[str, str, Any]] = [
    ("POST", "/collections/aliases", {"actions": [
        {"create_alias": {"collection_name": "c", "alias_name": f"a{n}"}} for n in MANY]}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), [
    *((method, f"{C}{path}", body) for method, path, body in LISTS), *ELSEWHERE,
])  # fmt: skip
def test_longer_lists_are_refused(http: httpx.Client, method: str, path: str, body: Any) -> None:
    reply = http.request(method, path, json=body)
    assert reply.status_code == 422, reply.text
    assert f"at most {LIMIT}" in reply.json()["status"]["error"]
    assert http.post(f"{C}/points/count", json={}).json()["result"]["count"] == LIMIT


def test_vectors_and_payloads_are_no_such_lists(http: httpx.Client) -> None:
    for body in ({"query": VECTOR}, {"query": {"recommend": {"positive": [VECTOR]}}}):
        assert http.post(f"{C}/points/query", json=body).status_code == 200
    point = {"id": 1, "vector": VECTOR, "payload": {"ids": MANY * 5}}
    assert http.put(f"{C}/points", json={"points": [point]}).status_code == 200
    setting = {"payload": {"points": MANY}, "points": [1]}
    assert http.post(f"{C}/points/payload", json=setting).status_code == 200


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


ROUTES = [
    *(("PUT", C), ("PATCH", C), ("POST", "/collections/aliases")),
    *(("PUT", f"{C}/points"), ("POST", f"{C}/points"), ("POST", f"{C}/points/delete")),
    *(("POST", f"{C}/points/payload"), ("PUT", f"{C}/points/vectors")),
    *(("POST", f"{C}/points/batch"), ("POST", f"{C}/points/query")),
    *(("POST", f"{C}/points/query/batch"), ("POST", f"{C}/points/query/groups")),
    *(("POST", f"{C}/points/scroll"), ("POST", f"{C}/points/count"), ("POST", f"{C}/facet")),
    *(("PUT", f"{C}/index"), ("POST", f"{C}/adapters"), ("POST", f"{C}/compare")),
    *(("PUT", f"{C}/versions/v"), ("POST", f"{C}/points/search"), ("PUT", f"{C}/vectors/v")),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "shape",
    [
        b"%s",
        b'{"filter": %s}',
        b'{"points": %s, "payload": %s}',
        b'{"vector": {"a": %s}}',
        b'{"query": {"formula": %s}}',
    ],
)
def test_a_hundred_thousand_levels_are_refused_soon(
    http: httpx.Client, method: str, path: str, shape: bytes
) -> None:
    body = shape.replace(b"%s", nested(100_000))
    started = time.monotonic()
    headers = {"content-type": "application/json"}
    reply = http.request(method, path, content=body, headers=headers)
    assert (reply.status_code, time.monotonic() - started < 5) == (400, True), reply.text


def test_the_depth_is_that_of_the_setting(http: httpx.Client) -> None:
    for depth, status in ((DEPTH - 5, 200), (DEPTH + 1, 400)):
        payload: Any = 1
        for _ in range(depth):
            payload = {"a": payload}
        body = {"points": [{"id": 1, "vector": VECTOR, "payload": payload}]}
        assert http.put(f"{C}/points", json=body).status_code == status


HUGE = 10**40
DENSE = {"size": 4, "distance": "Dot"}


@pytest.mark.parametrize("number", [HUGE, 2**64, 2**63, 2**32, -1, 1e308])
@pytest.mark.parametrize(("method", "path", "body"), [
    ("PUT", "/collections/h", {"vectors": {"size": "#", "distance": "Dot"}}),
    ("PUT", "/collections/h", {"vectors": DENSE, "hnsw_config": {"m": "#"}}),
    ("PUT", "/collections/h", {"vectors": DENSE, "hnsw_config": {"ef_construct": "#"}}),
    ("PUT", "/collections/h", {"vectors": {**DENSE, "hnsw_config": {"m": "#"}}}),
    ("POST", f"{C}/points/query", {"query": 1, "params": {"hnsw_ef": "#"}}),
    ("POST", f"{C}/points/query", {"query": 1, "limit": "#"}),
    ("POST", f"{C}/points/query", {"query": 1, "offset": "#"}),
    ("POST", f"{C}/points/query", {"query": 1, "params": {
        "quantization": {"oversampling": "#", "rescore": True}}}),
    ("POST", f"{C}/points/query", {"query": {"nearest": 1, "mmr": {"candidates_limit": "#"}}}),
    ("POST", f"{C}/points/query", {"prefetch": [{"query": 1, "limit": "#"}], "query": {"rrf": {}}}),
    ("POST", f"{C}/points/query", {"prefetch": [{"query": 1}], "query": {"rrf": {"k": "#"}}}),
    ("POST", f"{C}/points/query/groups", {"query": 1, "group_by": "n", "group_size": "#"}),
    ("POST", f"{C}/points/query/groups", {"query": 1, "group_by": "n", "limit": "#"}),
    ("POST", f"{C}/points/scroll", {"limit": "#"}),
    ("POST", f"{C}/facet", {"key": "n", "limit": "#"}),
    ("POST", f"{C}/points/search/matrix/pairs", {"sample": "#"}),
    ("POST", f"{C}/points/search/matrix/pairs", {"limit": "#"}),
    ("POST", f"{C}/points/search", {"vector": VECTOR, "limit": "#", "offset": "#"}),
])  # fmt: skip
def test_numbers_beyond_reason_break_nothing(
    http: httpx.Client, method: str, path: str, body: Any, number: float
) -> None:
    text = httpx.Request("POST", "http://x", json=body).content.replace(
        b'"#"', repr(number).encode()
    )
    headers = {"content-type": "application/json"}
    reply = http.request(method, path, content=text, headers=headers)
    assert reply.status_code in (200, 400, 422), reply.text
    if number == HUGE or number < 0:
        assert reply.status_code != 200 or "oversampling" in str(body), reply.text
    http.delete("/collections/h")
