"""Payload keys of every script, on every route that takes one, with an index and without."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.api.replies import result
from tests.keys import KNOWN, quoted

Make = Callable[..., str]
VALUES = ["к", "к", "б", None]  # by point; the last one has no key


def filled(http: httpx.Client, make: Make, key: str, escaped: bool) -> str:
    name = make(vectors={"size": 1, "distance": "Dot"})
    points = [
        {
            "id": place,
            "vector": [place],
            "payload": ({"": "another"} if key else {})
            | ({} if value is None else {key: value, f"{key}n": place, f"{key}o": {key: [place]}}),
        }
        for place, value in enumerate(VALUES)
    ]
    body = json.dumps({"points": points}, ensure_ascii=escaped).encode()
    result(http.put(f"/collections/{name}/points?wait=true", content=body))
    return name


def found(http: httpx.Client, name: str, **clauses: Any) -> list[Any]:
    body = {"filter": clauses}
    points = result(http.post(f"/collections/{name}/points/scroll", json=body))["points"]
    count = result(http.post(f"/collections/{name}/points/count", json=body))["count"]
    assert count == len(points)
    return [point["id"] for point in points]


@pytest.mark.parametrize("indexed", [False, True], ids=["scanned", "indexed"])
@pytest.mark.parametrize(
    "key", [*KNOWN, "k" * 65_536, "ж" * 32_768], ids=lambda key: ascii(key)[:12]
)
def test_a_key_is_itself_everywhere(
    http: httpx.Client, make: Make, key: str, indexed: bool
) -> None:
    name = filled(http, make, key, escaped=indexed)
    path, number, deep = quoted(key), quoted(f"{key}n"), f"{quoted(f'{key}o')}.{quoted(key)}"
    url = f"/collections/{name}"
    if indexed:
        for field, kind in ((path, "keyword"), (number, "integer"), (deep, "integer")):
            body = {"field_name": field, "field_schema": kind}
            result(http.put(f"{url}/index?wait=true", json=body))
    there = [place for place, value in enumerate(VALUES) if value is not None]
    assert found(http, name, must={"key": path, "match": {"value": "к"}}) == [0, 1]
    assert found(http, name, must_not={"key": path, "match": {"value": "к"}}) == [2, 3]
    assert found(http, name, must_not={"is_empty": {"key": path}}) == there
    assert found(http, name, must={"key": path, "values_count": {"gte": 1}}) == there
    assert found(http, name, must={"key": number, "range": {"gte": 1}}) == [1, 2]
    assert found(http, name, must={"key": deep, "range": {"gte": 1}}) == [1, 2]
    nested = {"key": quoted(f"{key}o"), "filter": {"must": {"key": path, "match": {"value": 1}}}}
    assert found(http, name, must={"nested": nested}) == []

    facet = result(http.post(f"{url}/facet", json={"key": path}))["hits"]
    assert {hit["value"]: hit["count"] for hit in facet}["к"] == 2
    body = {"query": [1.0], "group_by": path, "group_size": 5}
    groups = result(http.post(f"{url}/points/query/groups", json=body))["groups"]
    assert {group["id"]: len(group["hits"]) for group in groups}["к"] == 2
    if indexed:
        order = {"order_by": {"key": number, "direction": "desc"}}
        ordered = result(http.post(f"{url}/points/scroll", json=order))["points"]
        assert [point["id"] for point in ordered] == [2, 1, 0]
    formula = {"prefetch": {"query": [1.0]}, "query": {"formula": number, "defaults": {number: 9}}}
    scored = result(http.post(f"{url}/points/query", json=formula))["points"]
    assert [point["score"] for point in scored] == [9, 2, 1, 0]

    body = {"ids": [0], "with_payload": [path, deep]}
    (point,) = result(http.post(f"{url}/points", json=body))
    assert point["payload"] == {key: "к", f"{key}o": {key: [0]}}
    body = {"ids": [0], "with_payload": {"exclude": [path, deep]}}
    (point,) = result(http.post(f"{url}/points", json=body))
    other = {"": "another"} if key else {}
    assert point["payload"] == {f"{key}n": 0, f"{key}o": {}} | other

    body = {"payload": {key: 5}, "key": quoted(f"{key}o"), "points": [0]}
    result(http.post(f"{url}/points/payload?wait=true", json=body))
    assert found(http, name, must={"key": deep, "match": {"value": 5}}) == [0]
    body = {"payload": {key: "б"}, "filter": {"must": {"key": path, "match": {"value": "к"}}}}
    result(http.post(f"{url}/points/payload?wait=true", json=body))
    assert found(http, name, must={"key": path, "match": {"value": "б"}}) == [0, 1, 2]
    result(
        http.post(f"{url}/points/payload/delete?wait=true", json={"keys": [path], "points": [1]})
    )
    assert found(http, name, must={"key": path, "match": {"value": "б"}}) == [0, 2]
    body = {"filter": {"must_not": {"key": path, "match": {"value": "б"}}}}
    result(http.post(f"{url}/points/delete?wait=true", json=body))
    assert found(http, name) == [0, 2]


@pytest.mark.parametrize("key", ["цвет", "색", "हिन्दी", "ค่า", "e\u0301", "👩‍👩‍👧"])
def test_a_path_needs_no_quotes_and_an_index_keeps_its_name(
    http: httpx.Client, make: Make, key: str
) -> None:
    name = filled(http, make, key, escaped=False)
    body = {"field_name": key, "field_schema": "keyword"}
    result(http.put(f"/collections/{name}/index?wait=true", json=body))
    schema = result(http.get(f"/collections/{name}"))["payload_schema"]
    assert schema[key]["points"] == 3
    assert found(http, name, must={"key": key, "match": {"value": "к"}}) == [0, 1]
    result(http.delete(f"/collections/{name}/index/{quote(key)}?wait=true"))
    assert result(http.get(f"/collections/{name}"))["payload_schema"] == {}


def test_keys_of_one_normal_form_are_distinct(http: httpx.Client, make: Make) -> None:
    name = make(vectors={})
    composed, decomposed = "é", "e\u0301"
    payloads = [{composed: 1}, {decomposed: 1}, {composed: 2, decomposed: 3}]
    points = [{"id": n, "vector": {}, "payload": each} for n, each in enumerate(payloads)]
    result(http.put(f"/collections/{name}/points?wait=true", json={"points": points}))
    for _ in range(2):
        assert found(http, name, must={"key": composed, "match": {"value": 1}}) == [0]
        assert found(http, name, must={"key": decomposed, "match": {"any": [1, 3]}}) == [1, 2]
        for key in (composed, decomposed):
            body = {"field_name": key, "field_schema": "integer"}
            result(http.put(f"/collections/{name}/index?wait=true", json=body))
