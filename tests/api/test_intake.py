"""What could be stored but not read again is refused, and changes nothing."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from palimpsest.app.schemas.nesting import MAX_NESTING, is_deeper
from tests.api.replies import refused, result

V = [1, 2, 3]
LONG = b"9" * 5_000  # digits; Python reads no integer of so many
DEEP = "nested too deeply: at most 128 objects and lists may stand inside each other"


def nested(depth: int, kind: bytes = b"objects") -> bytes:
    """Return an object of objects, or an object of lists, of a total depth."""
    if kind == b"lists":
        return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"
    return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


UNREADABLE = {
    "objects": (nested(MAX_NESTING + 1), DEEP),
    "lists": (nested(MAX_NESTING + 1, b"lists"), DEEP),
    "many objects": (nested(900), DEEP),
    "a hundred thousand objects": (nested(100_000), "nested too deeply"),
    "a hundred thousand lists": (nested(100_000, b"lists"), "nested too deeply"),
    "a long integer": (b'{"a":%b}' % LONG, "Integer value out of range"),
    "a number beyond floats": (b'{"a":1e999}', "Number out of range"),
    "a number beyond floats below": (b'{"a":[{"b":-1e999}]}', "Number out of range"),
    "half a character": (b'{"a":"\\ud800 or so"}', "JSON is malformed"),
    "not a number": (b'{"a":NaN}', "JSON is malformed"),
}


@pytest.mark.parametrize(("payload", "text"), UNREADABLE.values(), ids=UNREADABLE)
def test_payloads_that_nobody_could_read(
    payload: bytes, text: str, http: httpx.Client, collection: str
) -> None:
    path = f"/collections/{collection}/points"
    result(http.put(f"{path}?wait=true", json={"points": [{"id": 1, "vector": V}]}))
    point = b'{"id":1,"vector":[1,2,3],"payload":%b}' % payload
    set_payload = b'{"points":[1],"payload":%b}' % payload
    batch = b'{"ids":[1],"vectors":[[1,2,3]],"payloads":[%b]}' % payload
    for method, below, body in (
        ("PUT", "", b'{"points":[%b]}' % point),
        ("PUT", "", b'{"batch":%b}' % batch),
        ("POST", "/payload", set_payload),
        ("PUT", "/payload", set_payload),
        ("POST", "/batch", b'{"operations":[{"set_payload":%b}]}' % set_payload),
    ):
        assert text in refused(http.request(method, f"{path}{below}", content=body), 400)
    assert result(http.get(f"{path}/1"))["payload"] == {}
    assert count(http, path, "a") == 0


@pytest.mark.parametrize("kind", [b"objects", b"lists"])
def test_the_deepest_payloads_are_read_and_filtered(
    kind: bytes, http: httpx.Client, collection: str
) -> None:
    path = f"/collections/{collection}/points"
    body = b'{"points":[{"id":1,"vector":[1,2,3],"payload":%b}]}' % nested(MAX_NESTING, kind)
    result(http.put(f"{path}?wait=true", content=body))
    stored = result(http.get(f"{path}/1"))["payload"]
    assert is_deeper(stored, MAX_NESTING - 1)
    assert not is_deeper(stored, MAX_NESTING)
    assert count(http, path, "a") == 0
    assert count(http, path, ".".join("a" * MAX_NESTING)) == 0
    index = {"field_name": "a", "field_schema": "keyword"}
    result(http.put(f"/collections/{collection}/index?wait=true", json=index))
    for part in (["a.a.a"], {"exclude": ["a.b"]}):
        result(http.post(path, json={"ids": [1], "with_payload": part}))


def test_a_payload_below_a_path_counts_from_the_top(http: httpx.Client, collection: str) -> None:
    path = f"/collections/{collection}/points"
    result(http.put(f"{path}?wait=true", json={"points": [{"id": 1, "vector": V}]}))
    key = ".".join("a" * (MAX_NESTING - 1))
    asked: dict[str, Any] = {"points": [1], "key": key, "payload": {"b": {"c": 1}}}
    assert DEEP in refused(http.post(f"{path}/payload", json=asked), 400)
    result(http.post(f"{path}/payload?wait=true", json={**asked, "payload": {"b": 1}}))
    assert count(http, path, f"{key}.b", 1) == 1


def test_many_shallow_values_are_no_depth(http: httpx.Client, collection: str) -> None:
    path = f"/collections/{collection}/points"
    payload = {"a": [{"b": [number]} for number in range(1_000)], "text": "[{" * 1_000}
    body = {"points": [{"id": 1, "vector": V, "payload": payload}]}
    result(http.put(f"{path}?wait=true", json=body))
    assert result(http.get(f"{path}/1"))["payload"] == payload


@pytest.mark.parametrize(("payload", "text"), UNREADABLE.values(), ids=UNREADABLE)
def test_declarations_that_nobody_could_read(
    payload: bytes, text: str, http: httpx.Client, collection: str
) -> None:
    path = f"/collections/{collection}"
    before = result(http.get(path))["config"]
    declared = b'{"vectors":{"size":3,"distance":"Dot"},"metadata":%b}' % payload
    assert text in refused(http.put(f"{path}x", content=declared), 400)
    assert text in refused(http.patch(path, content=b'{"metadata":%b}' % payload), 400)
    assert result(http.get(f"{path}x/exists")) == {"exists": False}
    assert result(http.get(path))["config"] == before


def test_counts_that_no_machine_reaches(http: httpx.Client, collection: str) -> None:
    path = f"/collections/{collection}"
    strict = b'{"strict_mode_config":{"enabled":true,"read_rate_limit":1%b}}' % (b"0" * 400)
    assert "read_rate_limit" in refused(http.patch(path, content=strict), 400)
    threads = {"optimizers_config": {"max_optimization_threads": -5}}
    assert "max_optimization_threads" in refused(http.patch(path, json=threads), 400)
    result(http.post(f"{path}/points/count", json={}))


def test_an_id_of_many_digits(http: httpx.Client, collection: str) -> None:
    text = refused(http.get(f"/collections/{collection}/points/{'1' * 5_000}"), 400)
    assert "Invalid point id" in text


def count(http: httpx.Client, path: str, key: str, value: Any = "x") -> int:
    asked = {"filter": {"must": {"key": key, "match": {"value": value}}}}
    found: int = result(http.post(f"{path}/count", json=asked))["count"]
    return found
