"""Bad input: the exact status and text, and nothing stored."""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx
import pytest

from palimpsest.app.errors import describe
from palimpsest.index import (
    BeingReplaced,
    CollectionExists,
    CollectionNotFound,
    Damaged,
    OutOfDescriptors,
    StorageFull,
)
from tests.api.replies import refused, result
from tests.api.served import BODY_LIMIT, Server

V = [1.0, 2.0, 3.0]
ONE = {"id": 1, "vector": V}


def points(*each: Any) -> dict[str, Any]:
    return {"points": list(each)}


# What is sent to PUT points of a collection of 3-dimensional vectors; status; text.
UPSERTS: dict[str, tuple[Any, int, str]] = {
    "too short": (
        points(ONE, {"id": 2, "vector": [1, 2]}),
        400,
        "Vector dimension error: expected dim: 3, got 2 (point 2)",
    ),
    "too long": (
        points({"id": 2, "vector": [1, 2, 3, 4]}),
        400,
        "Vector dimension error: expected dim: 3, got 4 (point 2)",
    ),
    "empty vector": (
        points(ONE, {"id": 7, "vector": []}),
        400,
        "Vector dimension error: expected dim: 3, got 0 (point 7)",
    ),
    "unknown name": (
        points(ONE, {"id": 2, "vector": {"text": V}}),
        400,
        "Not existing vector name error: text (declared: '')",
    ),
    "overflowing number": (b'{"points":[{"id":5,"vector":[1,1e39,3]}]}', 400, "point 5"),
    "NaN": (
        b'{"points":[{"id":1,"vector":[NaN,2,3]}]}',
        400,
        "Format error in JSON body: JSON is malformed: invalid character (byte 29)",
    ),
    "a text for a number": (points({"id": 3, "vector": [1, "2", 3]}), 400, "point 3"),
    "a number for a vector": (
        points({"id": 3, "vector": 7}),
        400,
        "expected a vector, got 7 (point 3)",
    ),
    "no vector": (
        points({"id": 3}),
        400,
        "Format error in JSON body: Object missing required field `vector` - at `$.points[0]`",
    ),
    "broken base64": (points({"id": 4, "vector": "AAA*"}), 400, "point 4"),
    "short base64": (
        points({"id": 4, "vector": "AACAPwAAAEA="}),
        400,
        "Vector dimension error: expected dim: 3, got 2 (point 4)",
    ),
    "multivector": (
        points({"id": 4, "vector": [V, V]}),
        400,
        "Wrong input: Conversion between multi and regular vectors failed: expected one vector, "
        "got a list of them (point 4)",
    ),
    "inference": (
        points({"id": 4, "vector": {"text": "words", "model": "m"}}),
        400,
        "Wrong input: no embedder 'm': this server has 'qdrant/bm25'; have the operator declare",
    ),
    "sparse for a dense name": (
        points({"id": 4, "vector": {"": {"indices": [1], "values": [0.5]}}}),
        400,
        "Wrong input: Conversion between sparse and regular vectors failed (point 4)",
    ),
    "sparse without a name": (
        points({"id": 4, "vector": {"indices": [1], "values": [0.5]}}),
        400,
        "Wrong input: Conversion between sparse and regular vectors failed (point 4)",
    ),
    "no points": (points(), 400, "Wrong input: Empty update request: no points given"),
    "negative id": (
        points(ONE, {"id": -1, "vector": V}),
        400,
        "Invalid point id -1",
    ),
    "large id": (
        points({"id": 2**64, "vector": V}),
        400,
        f"Invalid point id {2**64}",
    ),
    "id of another text": (
        points({"id": "seven", "vector": V}),
        400,
        "Invalid point id 'seven'",
    ),
    "fractional id": (
        points(ONE, {"id": 1.5, "vector": V}),
        400,
        "Format error in JSON body: Expected `int | str`, got `float` - at `$.points[1].id`",
    ),
    "payload of another kind": (
        points({"id": 9, "vector": V, "payload": [1]}),
        400,
        "Format error in JSON body: payload: expected an object (point 9)",
    ),
    "payload not in UTF-8": (
        b'{"points":[{"id":1,"vector":[1,2,3],"payload":{"a":"\xff"}}]}',
        400,
        "Format error in JSON body: not UTF-8 at byte 52",
    ),
    "broken JSON": (
        b'{"points": [',
        400,
        "Format error in JSON body: Input data was truncated",
    ),
    "no body": (b"", 400, "Format error in JSON body: Input data was truncated"),
    "another shape": (
        [1],
        400,
        "Format error in JSON body: Expected `object`, got `array`",
    ),
    "deep": (
        b'{"points":[{"id":1,"vector":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}",
        400,
        "Format error in JSON body: nested too deeply",
    ),
    "neither form": (
        {},
        400,
        "Format error in JSON body: expected either `points` or `batch`",
    ),
    "both forms": (
        {"points": [ONE], "batch": {"ids": [1], "vectors": [V]}},
        400,
        "Format error in JSON body: expected either `points` or `batch`",
    ),
    "ragged batch": (
        {"batch": {"ids": [1, 2], "vectors": [V, [1, 2]]}},
        400,
        "Vector dimension error: expected dim: 3, got 2 (point 2)",
    ),
    "fewer vectors": (
        {"batch": {"ids": [1, 2], "vectors": [V]}},
        400,
        "Wrong input: vectors: expected 2, one per id, got 1",
    ),
    "fewer payloads": (
        {"batch": {"ids": [1, 2], "vectors": [V, V], "payloads": [{}]}},
        400,
        "Wrong input: payloads: expected 2, one per id, got 1",
    ),
    "empty batch": (
        {"batch": {"ids": [], "vectors": []}},
        400,
        "Wrong input: Empty update request: no points given",
    ),
    "shard key": (
        {**points(ONE), "shard_key": "a"},
        400,
        "Wrong input: `shard_key` is not supported by this server",
    ),
    "unknown update mode": (
        {**points(ONE), "update_mode": "replace"},
        400,
        "Format error in JSON body: Invalid enum value 'replace' - at `$.update_mode`",
    ),
    "broken update filter": (
        {**points(ONE), "update_filter": {"must": [{"key": "a"}]}},
        422,
        "Validation error in JSON body: [filter.must[0]: At least one field condition",
    ),
}


def encoded(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


@pytest.mark.parametrize("case", UPSERTS)
def test_a_bad_upsert_stores_nothing(case: str, http: httpx.Client, collection: str) -> None:
    body, status, text = UPSERTS[case]
    path = f"/collections/{collection}/points"
    answer = refused(http.put(path, params={"wait": "true"}, content=encoded(body)), status)
    assert text in answer
    assert result(http.post(f"{path}/count", json={}))["count"] == 0


# What is sent to POST points/query.
QUERIES: dict[str, tuple[Any, int, str]] = {
    "too short": ({"query": [1, 2]}, 400, "Vector dimension error: expected dim: 3, got 2"),
    "NaN": (b'{"query": [NaN, 1, 2]}', 400, "Format error in JSON body: JSON is malformed"),
    "overflowing number": (b'{"query": [1e39, 1, 2]}', 400, "NaN or Inf"),
    "unknown name": (
        {"query": V, "using": "image"},
        400,
        "Not existing vector name error: image (declared: '')",
    ),
    "limit 0": (
        {"query": V, "limit": 0},
        422,
        "Validation error in JSON body: [limit: value 0 invalid, must be 1 or larger]",
    ),
    "negative limit": (
        {"query": V, "limit": -5},
        400,
        "Format error in JSON body: limit: expected an integer of 0 or more, got -5",
    ),
    "huge limit": (
        {"query": V, "limit": 2**64},
        422,
        "Validation error in JSON body: [limit: value 18446744073709551616 invalid, "
        "must be 18446744073709551615 or smaller]",
    ),
    "fractional limit": (
        {"query": V, "limit": 1.5},
        400,
        "Format error in JSON body: Expected `int | null`, got `float` - at `$.limit`",
    ),
    "negative offset": (
        {"query": V, "offset": -1},
        400,
        "Format error in JSON body: offset: expected an integer of 0 or more, got -1",
    ),
    "no such point": ({"query": 404}, 404, "Not found: No point with id 404 found"),
    "id of another text": ({"query": "seven"}, 400, "neither a UUID nor a base64 float32 vector"),
    "negative id": ({"query": -1}, 400, "Invalid point id -1"),
    "multivector": ({"query": [V]}, 400, "Conversion between multi and regular vectors failed"),
    "shard key": ({"query": V, "shard_key": "a"}, 400, "`shard_key` is not supported"),
    "ef 0": ({"query": V, "params": {"hnsw_ef": 0}}, 422, "params.hnsw_ef: value 0 invalid"),
    "oversampling": (
        {"query": V, "params": {"quantization": {"oversampling": 0.5}}},
        422,
        "Validation error in JSON body: [params.quantization.oversampling: value 0.5 invalid, "
        "must be 1.0 or larger]",
    ),
    "unknown vector name": ({"query": V, "with_vector": ["x"]}, 400, "vector name error: x"),
    "selector": ({"query": V, "with_payload": {"include": ["a", "b["]}}, 400, "Invalid path 'b['"),
    "selectors": ({"query": V, "with_payload": {}}, 400, "either `include` or `exclude`"),
}


@pytest.mark.parametrize("case", QUERIES)
def test_a_bad_query(case: str, http: httpx.Client, collection: str) -> None:
    body, status, text = QUERIES[case]
    result(http.put(f"/collections/{collection}/points?wait=true", json=points(ONE)))
    path = f"/collections/{collection}/points/query"
    assert text in refused(http.post(path, content=encoded(body)), status)
    several = b'{"searches":[' + encoded(body) + b"]}"
    expected = text.replace("`$", "`$.searches[0]")
    assert expected in refused(http.post(f"{path}/batch", content=several), status)


# Bodies of the other point routes.
OTHERS: dict[str, tuple[str, Any, int, str]] = {
    "delete nothing": ("points/delete", {}, 400, "expected either `points` or `filter`"),
    "delete no ids": ("points/delete", {"points": []}, 400, "Empty update request"),
    "delete both ways": (
        "points/delete",
        {"points": [1], "filter": {}},
        400,
        "expected either `points` or `filter`",
    ),
    "delete a bad id": ("points/delete", {"points": ["x"]}, 400, "Invalid point id 'x'"),
    "retrieve a bad id": ("points", {"ids": [-2]}, 400, "Invalid point id -2"),
    "retrieve no list": ("points", {"ids": 1}, 400, "Expected `array`, got `int` - at `$.ids`"),
    "scroll 0": ("points/scroll", {"limit": 0}, 422, "[limit: value 0 invalid, must be 1 or"),
    "scroll a bad id": ("points/scroll", {"offset": "x"}, 400, "Invalid point id 'x'"),
    "scroll a bad filter": ("points/scroll", {"filter": {"most": []}}, 400, "Format error in"),
    "scroll by an unindexed value": (
        "points/scroll",
        {"order_by": "a.b"},
        400,
        "No range index for `order_by` key: `a.b`. Please create one to use `order_by`",
    ),
    "scroll from an id by value": (
        "points/scroll",
        {"order_by": "a", "offset": 1},
        400,
        "Cannot use an `offset` when using `order_by`",
    ),
    "scroll in no direction": (
        "points/scroll",
        {"order_by": {"key": "a", "direction": "up"}},
        400,
        "Invalid enum value 'up'",
    ),
    "scroll from a text": (
        "points/scroll",
        {"order_by": {"key": "a", "start_from": "soon"}},
        400,
        "order_by.start_from: expected a number or a date, got 'soon'",
    ),
    "scroll by no path": ("points/scroll", {"order_by": "a["}, 400, "Invalid path 'a['"),
    "count a bad filter": ("points/count", {"filter": []}, 400, "Format error in JSON body"),
    "set no payload": (
        "points/payload",
        {"points": [1]},
        400,
        "Object missing required field `payload`",
    ),
    "set a payload of another kind": (
        "points/payload",
        {"points": [1], "payload": [1]},
        400,
        "payload: expected an object",
    ),
    "set a payload at no path": (
        "points/payload",
        {"points": [1], "payload": {}, "key": "a..b"},
        400,
        "Invalid path 'a..b'",
    ),
    "set nobody's payload": (
        "points/payload",
        {"payload": {}},
        400,
        "expected either `points` or `filter`",
    ),
    "delete no path": (
        "points/payload/delete",
        {"points": [1], "keys": ["a["]},
        400,
        "Invalid path 'a['",
    ),
    "clear nobody's payload": ("points/payload/clear", {}, 400, "either `points` or `filter`"),
    "delete no vectors": (
        "points/vectors/delete",
        {"points": [1], "vector": []},
        422,
        "[vector: must specify vector names to delete]",
    ),
    "delete unknown vectors": (
        "points/vectors/delete",
        {"points": [1], "vector": ["x"]},
        400,
        "Not existing vector name error: x",
    ),
    "an operation of no kind": (
        "points/batch",
        {"operations": [{}]},
        400,
        "operations[0]: expected exactly one of upsert, delete,",
    ),
    "an operation of two kinds": (
        "points/batch",
        {"operations": [{"delete": {"points": [1]}, "clear_payload": {"points": [1]}}]},
        400,
        "operations[0]: expected exactly one of",
    ),
    "a shard key": ("points/delete", {"points": [1], "shard_key": "a"}, 400, "`shard_key` is not"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_other_bad_bodies(case: str, http: httpx.Client, collection: str) -> None:
    path, body, status, text = OTHERS[case]
    assert text in refused(http.post(f"/collections/{collection}/{path}", json=body), status)


@pytest.mark.parametrize(
    ("parameters", "status", "text"),
    [
        ("wait=maybe", 400, "Deserialize error in query parameters: wait: expected true or false"),
        ("timeout=soon", 400, "Deserialize error in query parameters: timeout: expected whole"),
        ("timeout=1.5", 400, "Deserialize error in query parameters: timeout: expected whole"),
        (
            "timeout=0",
            422,
            "Validation error in query parameters: [timeout: value 0 invalid, must be 1 or larger]",
        ),
        ("ordering=none", 400, "Deserialize error in query parameters: ordering: expected one of"),
        ("consistency=few", 400, "Deserialize error in query parameters: consistency: expected an"),
    ],
)
def test_bad_parameters(
    parameters: str, status: int, text: str, http: httpx.Client, collection: str
) -> None:
    path = f"/collections/{collection}/points"
    assert text in refused(http.put(f"{path}?{parameters}", json=points(ONE)), status)
    assert text in refused(http.post(f"{path}/query?{parameters}", json={"query": V}), status)
    assert text in refused(http.patch(f"/collections/{collection}?{parameters}", json={}), status)
    assert result(http.post(f"{path}/count", json={}))["count"] == 0


CREATIONS: dict[str, tuple[Any, int, str]] = {
    "size 0": (
        {"vectors": {"size": 0, "distance": "Dot"}},
        422,
        "Validation error in JSON body: [vectors.size: Input should be greater than or equal to 1",
    ),
    "huge size": ({"vectors": {"size": 65_537, "distance": "Dot"}}, 422, "[vectors.size:"),
    "size of another kind": (
        {"vectors": {"size": "3", "distance": "Dot"}},
        400,
        "Format error in JSON body: vectors.size: Input should be a valid integer",
    ),
    "unknown distance": (
        {"vectors": {"size": 3, "distance": "Hamming"}},
        400,
        "Format error in JSON body: vectors.distance: Input should be 'Cosine', 'Dot', 'Euclid'",
    ),
    "no distance": (
        {"vectors": {"a": {"size": 3}}},
        400,
        "Format error in JSON body: vectors.a.distance: Field required",
    ),
    "broken JSON": (b'{"vectors"', 400, "Format error in JSON body: "),
    "another shape": ([], 400, "Format error in JSON body: "),
    "unnamed sparse": ({"sparse_vectors": {"": {}}}, 400, "Sparse vector name cannot be empty"),
    "dense and sparse": (
        {"vectors": {"a": {"size": 3, "distance": "Dot"}}, "sparse_vectors": {"a": {}}},
        400,
        "Vector 'a' is declared both dense and sparse",
    ),
    "unknown modifier": (
        {"sparse_vectors": {"a": {"modifier": "bm25"}}},
        400,
        "sparse_vectors.a.modifier: Input should be 'none' or 'idf'",
    ),
    "sparse vector name": ({"sparse_vectors": {"a:b": {}}}, 422, "a:b"),
    "multivector": (
        {
            "vectors": {
                "size": 3,
                "distance": "Dot",
                "multivector_config": {"comparator": "mean"},
            }
        },
        400,
        "vectors.multivector_config.comparator: Input should be 'max_sim'",
    ),
    "sharding": ({"sharding_method": "custom"}, 400, "`sharding_method: custom` is not"),
    "strict mode": (
        {"strict_mode_config": {"max_query_limit": 0}},
        422,
        "[strict_mode_config.max_query_limit: Input should be greater than or equal to 1",
    ),
    "quantization": ({"quantization_config": {"foo": {}}}, 400, "quantization_config: expected"),
    "vector name": ({"vectors": {"a/b": {"size": 3, "distance": "Dot"}}}, 422, "a/b"),
    "long vector name": ({"vectors": {"a" * 201: {"size": 3, "distance": "Dot"}}}, 422, "200"),
    "contradiction": (
        {
            "vectors": {"size": 3, "distance": "Manhattan"},
            "metadata": {"palimpsest": {"originals": "none"}},
        },
        422,
        "Validation error in JSON body: [collection: originals: expected a kept copy",
    ),
}


@pytest.mark.parametrize("case", CREATIONS)
def test_a_bad_creation(case: str, http: httpx.Client) -> None:
    body, status, text = CREATIONS[case]
    reply = http.put("/collections/never", content=encoded(body))
    assert text in refused(reply, status)
    assert not result(http.get("/collections/never/exists"))["exists"]


@pytest.mark.parametrize("name", ["a*b", "a:b", "%7C", "a%1Fb", "x" * 256])
def test_a_bad_collection_name(name: str, http: httpx.Client) -> None:
    body = {"vectors": {"size": 3, "distance": "Dot"}}
    refused(http.put(f"/collections/{name}", json=body), 422)


def test_creating_twice(http: httpx.Client, collection: str) -> None:
    body = {"vectors": {"size": 3, "distance": "Dot"}}
    text = refused(http.put(f"/collections/{collection}", json=body), 409)
    assert text == f"Wrong input: Collection `{collection}` already exists!"


def test_bad_changes(http: httpx.Client, collection: str) -> None:
    path = f"/collections/{collection}"
    before = result(http.get(path))["config"]
    for body, status in (
        ({"vectors": {"text": {"on_disk": True}}}, 400),
        ({"hnsw_config": {"ef_construct": 1}}, 422),
        ({"metadata": {"palimpsest": {"encoding": "3"}}}, 422),
    ):
        refused(http.patch(path, json=body), status)
    assert result(http.get(path))["config"] == before


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {}),
        ("PUT", "/points", points(ONE)),
        ("POST", "/points", {"ids": [1]}),
        ("GET", "/points/1", None),
        ("POST", "/points/delete", {"points": [1]}),
        ("POST", "/points/scroll", {}),
        ("POST", "/points/count", {}),
        ("POST", "/points/query", {"query": V}),
        ("POST", "/points/query/batch", {"searches": []}),
    ],
)
def test_an_unknown_collection(method: str, path: str, body: Any, http: httpx.Client) -> None:
    reply = http.request(method, f"/collections/unknown{path}", json=body)
    assert refused(reply, 404) == "Not found: Collection `unknown` doesn't exist!"


def test_unknown_points(http: httpx.Client, collection: str) -> None:
    path = f"/collections/{collection}/points"
    assert "Point with id 5 does not exist" in refused(http.get(f"{path}/5"), 404)
    assert "Invalid point id 'five'" in refused(http.get(f"{path}/five"), 400)


def test_unknown_paths_methods_and_endpoints(http: httpx.Client, collection: str) -> None:
    assert refused(http.get("/nowhere"), 404) == "Not Found: GET /nowhere"
    reply = http.put("/collections")
    assert refused(reply, 405) == "Method Not Allowed: PUT /collections"
    assert reply.headers["allow"] == "GET"
    reply = http.get(f"/collections/{collection}/points")
    assert refused(reply, 405) == f"Method Not Allowed: GET /collections/{collection}/points"
    assert sorted(reply.headers["allow"].split(", ")) == ["POST", "PUT"]
    text = refused(http.get("/quotas"), 501)
    assert text == "Not implemented: `GET /quotas` is not supported by this server"
    text = refused(http.put(f"/collections/{collection}/shards", json={}), 405)
    assert text.startswith("Distributed mode is not enabled")


def test_an_oversized_body(http: httpx.Client, collection: str) -> None:
    size = BODY_LIMIT + 1
    for path in (f"/collections/{collection}/points", f"/collections/{collection}x"):
        text = refused(http.put(path, content=b" " * size), 400)
        assert text == (
            f"JSON payload ({size} bytes) is larger than allowed (limit: {BODY_LIMIT} bytes)."
        )
    fitting = json.dumps(points(ONE)).encode().ljust(BODY_LIMIT)
    result(http.put(f"/collections/{collection}/points", content=fitting))


def test_an_oversized_body_of_unknown_length(http: httpx.Client, collection: str) -> None:
    chunks = (b" " * 100_000 for _ in range(BODY_LIMIT // 100_000 + 1))
    text = refused(http.put(f"/collections/{collection}/points", content=chunks), 400)
    assert text == (
        f"JSON payload (more than {BODY_LIMIT} bytes) is larger than allowed "
        f"(limit: {BODY_LIMIT} bytes)."
    )


def test_an_oversized_body_is_refused_before_it_has_come(server: Server, collection: str) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        head = f"PUT /collections/{collection}/points HTTP/1.1\r\nhost: localhost\r\n"
        connection.sendall(f"{head}content-length: 1000000000000\r\n\r\n{{".encode())
        reply = b""
        while b"bytes)" not in reply:
            reply += connection.recv(65_536)
    assert reply.startswith(b"HTTP/1.1 400 ")
    assert b"(1000000000000 bytes) is larger than allowed" in reply


def test_the_error_table() -> None:
    assert describe(CollectionNotFound("x")) == (
        404,
        "Not found: Collection `x` doesn't exist!",
    )
    assert describe(CollectionExists("x"))[0] == 409
    assert describe(StorageFull("no space left"))[0] == 507
    assert describe(TimeoutError())[0] == 408


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (BeingReplaced("x"), "INFO"),
        (OutOfDescriptors("too many open files"), "WARNING"),
        (MemoryError(), "WARNING"),
        (StorageFull("no space left"), "ERROR"),
    ],
)
def test_what_passes_by_itself_is_no_error_of_the_log(
    error: Exception, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    describe(error)
    (record,) = caplog.records
    assert record.levelname == level and record.exc_info is None
    assert record.getMessage().startswith(f"{type(error).__name__}: ")


def test_unexpected_and_storage_errors_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    from pathlib import Path

    assert describe(Damaged(Path("codes.npy"), 1, 2, "checksum"))[0] == 500
    assert "codes.npy" in caplog.text
    status, text = describe(ZeroDivisionError("secret"))
    assert (status, text) == (500, "Service internal error: ZeroDivisionError")
    assert "secret" in caplog.text
