"""The OpenAPI document says what the server does: every operation, its bodies and its replies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest

from palimpsest.app.routes.table import POINT_ROUTES

POINTS = [
    {"id": 1, "vector": {"": [1, 2, 3], "s": {"indices": [1], "values": [2]}}, "payload": {"n": 1}},
    {"id": 2, "vector": [1, 2, 4], "payload": {"n": 2, "tag": ["a", "b"]}},
]
FILTER = {"must": {"key": "n", "range": {"gte": 1}}, "must_not": [{"has_id": [7]}]}

PAIRS = {
    "rows": [[i % 7, i % 5, i % 3 + 1] for i in range(300)],
    "queries": [[i % 7, i % 5, i % 3 + 1, 0] for i in range(300)],
}
BOTH = {"v1": [[1, 2, 3]], "v2": [[1, 2, 3, 0]]}
HOLDING_BOTH = [
    {"id": n, "vector": {"": [n, 2, 3], "@v2": [n, 2, 3, 0]}, "payload": {"n": n}} for n in range(5)
]
VERSIONED = {"versions": {"v1": [1, 2, 3], "v2": [1, 2, 3, 0]}, "rescore_version": "v2"}

# Operations below a collection with a body each, carried out in this order.
CALLS: list[tuple[str, str, Any]] = [
    ("PUT", "", {"vectors": {"size": 3, "distance": "Dot"}, "sparse_vectors": {"s": {}}}),
    ("PATCH", "", {"metadata": {"a": 1}, "strict_mode_config": {"enabled": True}}),
    ("PUT", "/points?wait=true", {"points": POINTS}),
    ("PUT", "/points", {"batch": {"ids": [3], "vectors": {"": [[1, 2, 3]]}, "payloads": [None]}}),
    ("PUT", "/index?wait=true", {"field_name": "n", "field_schema": "integer"}),
    ("PUT", "/index?wait=true", {"field_name": "tag", "field_schema": {"type": "keyword"}}),
    ("GET", "", None),
    ("GET", "/exists", None),
    ("POST", "/points", {"ids": [1, 2], "with_vector": True}),
    ("GET", "/points/1", None),
    ("POST", "/points/scroll", {"filter": FILTER, "limit": 1}),
    ("POST", "/points/scroll", {"order_by": {"key": "n", "direction": "desc"}}),
    ("POST", "/points/count", {"filter": FILTER, "exact": False}),
    ("POST", "/points/query", {"query": [1, 2, 3], "with_payload": True, "with_vector": True}),
    ("POST", "/points/query/batch", {"searches": [{"query": [1, 2, 3]}]}),
    ("POST", "/points/query/groups", {"query": [1, 2, 3], "group_by": "tag"}),
    ("POST", "/points/search", {"vector": {"name": "", "vector": [1, 2, 3]}, "limit": 2}),
    ("POST", "/points/search/batch", {"searches": [{"vector": [1, 2, 3], "limit": 2}]}),
    (
        "POST",
        "/points/search/groups",
        {"vector": [1, 2, 3], "group_by": "tag", "group_size": 1, "limit": 2},
    ),
    ("POST", "/points/recommend", {"positive": [1], "negative": [[3, 2, 1]], "limit": 2}),
    ("POST", "/points/recommend/batch", {"searches": [{"positive": [1], "limit": 2}]}),
    (
        "POST",
        "/points/recommend/groups",
        {"positive": [3], "group_by": "tag", "group_size": 1, "limit": 2},
    ),
    ("POST", "/points/discover", {"target": 1, "context": [], "limit": 2}),
    (
        "POST",
        "/points/discover/batch",
        {"searches": [{"context": [{"positive": 1, "negative": 2}], "limit": 2}]},
    ),
    ("POST", "/points/search/matrix/pairs", {"sample": 3, "limit": 2}),
    ("POST", "/points/search/matrix/offsets", {"sample": 3, "limit": 2}),
    ("POST", "/facet", {"key": "tag"}),
    ("POST", "/points/payload", {"payload": {"x": 1}, "points": [1]}),
    ("PUT", "/points/payload", {"payload": {"n": 5}, "filter": {"should": [{"has_id": [2]}]}}),
    ("POST", "/points/payload/delete", {"keys": ["x"], "points": [1]}),
    ("POST", "/points/payload/clear", {"points": [1]}),
    ("PUT", "/points/vectors", {"points": [{"id": 1, "vector": {"": [3, 2, 1]}}]}),
    ("POST", "/points/vectors/delete", {"points": [1], "vector": ["s"]}),
    ("POST", "/points/batch", {"operations": [{"delete": {"points": [1]}}]}),
    ("POST", "/points/delete", {"filter": {}}),
    ("PUT", "/versions/v2", {"size": 4, "model": "second", "encoding": 8}),
    ("GET", "/versions", None),
    ("PUT", "/points?wait=true", {"points": HOLDING_BOTH}),
    ("PUT", "/points?wait=true", {"points": [{"id": 9, "vector": [1, 2, 3]}]}),
    ("POST", "/adapters", {"rows": "v1", "queries": "v2", "kind": "ridge", "pairs": PAIRS}),
    ("GET", "/adapters", None),
    ("POST", "/points/query", {"query": VERSIONED, "using": "@v2"}),
    ("POST", "/compare", {"old": "v1", "new": "v2", "queries": BOTH, "k": 2}),
    ("GET", "/backfill?version=v2&limit=2&with_payload=true", None),
    ("GET", "/backfill/status?version=v2", None),
    ("POST", "/versions/v2/consolidate", {"rows": "v1"}),
    ("POST", "/versions/v2/activate", {"force": True}),
    ("POST", "/versions/v1/activate", None),
    ("POST", "/versions/v2/retire", {"force": True}),
    ("DELETE", "/adapters/v1/v2", None),
    ("DELETE", "/versions/v2?force=true", None),
    ("PUT", "/vectors/more", {"dense": {"size": 2, "distance": "Cosine"}}),
    ("DELETE", "/vectors/more", None),
    ("DELETE", "/index/n", None),
    ("GET", "/aliases", None),
    ("GET", "/cluster", None),
    ("GET", "/shards", None),
    ("GET", "/optimizations", None),
    ("DELETE", "", None),
]
# Bodies that are refused.
REFUSALS: list[tuple[str, str, Any]] = [
    ("PUT", "/points", {}),
    ("POST", "/points/scroll", {"limit": 0}),
    ("POST", "/points/query", {"query": [1]}),
    ("GET", "/points/77", None),
    ("PUT", "/index", {"field_name": "a"}),
    ("PATCH", "", {"hnsw_config": 1}),
    ("PUT", "", {}),
    ("PUT", "/vectors/x", {}),
    ("PUT", "/versions/v2", {"size": 0}),
    ("POST", "/versions/v9/activate", {}),
    ("DELETE", "/versions/v1", None),
    ("POST", "/adapters", {"rows": "v1", "queries": "v1"}),
    ("DELETE", "/adapters/v1/v2", None),
    ("GET", "/backfill", None),
    ("POST", "/compare", {"old": "v1", "new": "v2", "queries": {}}),
]


@pytest.fixture(scope="module")
def document(http: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = http.get("/openapi.json").json()
    return found


def test_every_point_route_is_documented(document: dict[str, Any]) -> None:
    for method, suffix in POINT_ROUTES:
        operation = document["paths"][f"/collections/{{collection_name}}/{suffix}"][method.lower()]
        names = {parameter["name"] for parameter in operation["parameters"]}
        assert operation.get("deprecated", False) == POINT_ROUTES[method, suffix].deprecated
        assert {"collection_name", "timeout"} <= names
        assert ("wait" in names) == (POINT_ROUTES[method, suffix].kind == "write")
        assert "result" in reply_schema(operation, "200")["properties"]
        assert reply_schema(operation, "400") == {"$ref": "#/components/schemas/Failure"}


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    named = re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document))
    assert set(named) <= schemas.keys()
    assert {"Filter", "PointVectors", "UpsertBody", "ScrollReply", "CollectionBody"} <= set(named)


def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))


def test_every_operation_says_what_it_replies(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        assert operation["description"], (path, method)
        assert operation["responses"]["200"]["content"], (path, method)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def reply_schema(operation: dict[str, Any], status: str) -> dict[str, Any]:
    schema: dict[str, Any] = operation["responses"][status]["content"]["application/json"]["schema"]
    return schema


def operation_of(document: dict[str, Any], method: str, below: str) -> dict[str, Any]:
    """Return the operation of a call below a collection."""
    for path, known, operation in operations(document):
        template = path.removeprefix("/collections/{collection_name}")
        pattern = re.sub(r"\{[^/]+\}", "[^/]+", template)
        if path.startswith("/collections/{") and known == method.lower():
            if re.fullmatch(pattern, below.partition("?")[0]):
                return operation
    raise AssertionError(f"{method} {below} is not documented")


def require(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    whole = {**schema, "components": document["components"]}
    jsonschema_rs.validator_for(whole).validate(value)


def test_bodies_and_replies_are_as_documented(document: dict[str, Any], http: httpx.Client) -> None:
    for method, below, body in CALLS:
        operation = operation_of(document, method, below)
        if body is not None:
            content = operation["requestBody"]["content"]["application/json"]
            require(document, content["schema"], body)
        route = POINT_ROUTES.get((method, below[1:]))
        searches = route is not None and route.kind == "search" and below != "/facet"
        headers = {"x-palimpsest-explain": "true"} if searches else {}
        path = f"/collections/documented{below}"
        reply = http.request(method, path, json=body, headers=headers)
        assert reply.status_code == 200, (method, below, reply.text)
        assert ("explain" in reply.json()) == bool(headers)
        require(document, reply_schema(operation, "200"), reply.json())


def test_refusals_are_as_documented(
    document: dict[str, Any], http: httpx.Client, collection: str
) -> None:
    for method, below, body in REFUSALS:
        reply = http.request(method, f"/collections/{collection}{below}", json=body)
        operation = operation_of(document, method, below)
        assert reply.status_code >= 400, (method, below)
        require(document, reply_schema(operation, str(reply.status_code)), reply.json())


def test_replies_of_the_whole_server_are_as_documented(
    document: dict[str, Any], http: httpx.Client
) -> None:
    for path in ("/", "/collections", "/aliases", "/telemetry", "/cluster", "/issues"):
        operation = document["paths"][path]["get"]
        require(document, reply_schema(operation, "200"), http.get(path).json())
    for path in ("/healthz", "/livez", "/readyz", "/metrics"):
        assert "text/plain" in document["paths"][path]["get"]["responses"]["200"]["content"]
