"""Writing and reading points over plain HTTP."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from tests.api.replies import refused, result

UUIDS = ("00000000-0000-0000-0000-000000000001", "936da01f-9abd-4d9d-80c7-02af85c822a8")


def base64_of(vector: list[float]) -> str:
    return base64.b64encode(np.array(vector, dtype="<f4").tobytes()).decode()


def put(http: httpx.Client, name: str, *points: Any, **parameters: Any) -> Any:
    path = f"/collections/{name}/points"
    return result(
        http.put(path, params={"wait": "true", **parameters}, json={"points": list(points)})
    )


def test_both_forms_store_the_same(http: httpx.Client, make: Callable[..., str]) -> None:
    names = [make(vectors={"size": 3, "distance": "Euclid"}) for _ in range(2)]
    vectors = [[0.1, -2.5, 3e-8], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]
    payloads: list[Any] = [{"a": 1}, None, {"b": [1, None, "ü"]}]
    points = [
        {"id": i, "vector": v, "payload": p}
        for i, (v, p) in enumerate(zip(vectors, payloads, strict=True))
    ]
    batch = {"ids": [0, 1, 2], "vectors": vectors, "payloads": payloads}
    bodies: list[Any] = [{"points": points}, {"batch": batch}]
    for name, body in zip(names, bodies, strict=True):
        result(http.put(f"/collections/{name}/points?wait=true", json=body))
    asked = {"with_vector": True}
    first, second = (
        result(http.post(f"/collections/{name}/points/scroll", json=asked)) for name in names
    )
    assert first == second
    assert [row["vector"] for row in first["points"]] == vectors
    assert [row["payload"] for row in first["points"]] == [{"a": 1}, {}, {"b": [1, None, "ü"]}]


def test_named_vectors_in_both_forms(http: httpx.Client, make: Callable[..., str]) -> None:
    vectors = {
        "": {"size": 2, "distance": "Dot"},
        "b": {"size": 3, "distance": "Euclid"},
    }
    name = make(vectors=vectors)
    put(
        http,
        name,
        {"id": 1, "vector": {"b": [1, 2, 3]}},
        {"id": 2, "vector": [5, 6]},
        {"id": 3, "vector": {"": [7, 8], "b": base64_of([1.5, 2.5, 3.5])}},
        {"id": 4, "vector": {}},
    )
    batch = {"ids": [5, 6], "vectors": {"b": [[1, 1, 1], [2, 2, 2]], "": [[1, 2], [3, 4]]}}
    result(http.put(f"/collections/{name}/points?wait=true", json={"batch": batch}))
    rows = result(http.post(f"/collections/{name}/points/scroll", json={"with_vector": True}))
    assert [row["vector"] for row in rows["points"]] == [
        {"b": [1, 2, 3]},
        [5, 6],
        {"": [7, 8], "b": [1.5, 2.5, 3.5]},
        {},
        {"": [1, 2], "b": [1, 1, 1]},
        {"": [3, 4], "b": [2, 2, 2]},
    ]
    asked = {"ids": [3], "with_vector": ["b"], "with_payload": False}
    assert result(http.post(f"/collections/{name}/points", json=asked)) == [
        {"id": 3, "vector": {"b": [1.5, 2.5, 3.5]}}
    ]


def test_base64_and_json_vectors_mean_the_same(http: httpx.Client, collection: str) -> None:
    vector = [0.1, -1e-20, 12345.678]
    put(http, collection, {"id": 1, "vector": vector}, {"id": 2, "vector": base64_of(vector)})
    asked = {"ids": [1, 2], "with_vector": True}
    one, two = result(http.post(f"/collections/{collection}/points", json=asked))
    assert one["vector"] == two["vector"]
    assert np.array_equal(np.array(one["vector"], "f4"), np.array(vector, "f4"))


def test_payloads_come_back_byte_for_byte(http: httpx.Client, collection: str) -> None:
    payload = '{ "big": 123456789012345678901234567890,\t"n": 1.10, "ü": "\\u00fc\\/", "d": {} }'
    body = f'{{"points":[{{"id":1,"vector":[1,2,3],"payload":{payload}}}]}}'
    path = f"/collections/{collection}/points"
    result(http.put(f"{path}?wait=true", content=body.encode()))
    assert payload.encode() in http.get(f"{path}/1").content
    asked: dict[str, Any] = {"query": [1, 2, 3], "with_payload": True}
    assert payload.encode() in http.post(f"{path}/query", json=asked).content
    selected = http.post(f"{path}/query", json={**asked, "with_payload": ["n"]})
    assert b'"payload":{"n":1.10}' in selected.content


def test_ids_of_every_spelling_name_one_point(http: httpx.Client, collection: str) -> None:
    path = f"/collections/{collection}/points"
    plain = UUIDS[1]
    for spelling in (plain, plain.upper(), plain.replace("-", ""), f"urn:uuid:{plain}"):
        put(http, collection, {"id": spelling, "vector": [1, 2, 3]})
        assert result(http.get(f"{path}/{spelling}"))["id"] == plain
    put(http, collection, {"id": 2**64 - 1, "vector": [1, 2, 3]})
    assert result(http.get(f"{path}/{2**64 - 1}"))["id"] == 2**64 - 1
    assert result(http.post(f"{path}/count", json={"exact": True})) == {"count": 2}


def test_the_last_of_equal_ids_wins(http: httpx.Client, collection: str) -> None:
    put(
        http,
        collection,
        {"id": 1, "vector": [1, 1, 1], "payload": {"a": 1}},
        {"id": 2, "vector": [2, 2, 2]},
        {"id": 1, "vector": [3, 3, 3]},
    )
    path = f"/collections/{collection}/points"
    assert result(http.post(f"{path}/count", json={})) == {"count": 2}
    assert result(http.get(f"{path}/1")) == {"id": 1, "payload": {}, "vector": [3, 3, 3]}


def test_an_upsert_replaces_the_whole_point(http: httpx.Client, make: Callable[..., str]) -> None:
    each = {"size": 2, "distance": "Dot"}
    name = make(vectors={"a": each, "b": each})
    put(http, name, {"id": 1, "vector": {"a": [1, 2], "b": [3, 4]}, "payload": {"x": 1}})
    put(http, name, {"id": 1, "vector": {"b": [5, 6]}})
    one = result(http.get(f"/collections/{name}/points/1"))
    assert one == {"id": 1, "payload": {}, "vector": {"b": [5, 6]}}


def test_cosine_vectors_come_back_normalised(http: httpx.Client, make: Callable[..., str]) -> None:
    name = make(vectors={"size": 2, "distance": "Cosine"})
    put(http, name, {"id": 1, "vector": [3, 4]})
    vector = result(http.get(f"/collections/{name}/points/1"))["vector"]
    assert vector == pytest.approx([0.6, 0.8], abs=1e-6)


def test_what_writes_answer(http: httpx.Client, collection: str) -> None:
    path = f"/collections/{collection}/points"
    body = {"points": [{"id": 1, "vector": [1, 2, 3]}]}
    done = put(http, collection, {"id": 1, "vector": [1, 2, 3]}, ordering="strong", timeout=30)
    assert done["status"] == "completed"
    heard = result(http.put(path, json=body))
    assert heard["status"] == "acknowledged"
    assert heard["operation_id"] > done["operation_id"]
    gone = result(http.post(f"{path}/delete?wait=true", json={"points": [1, 99, UUIDS[0]]}))
    assert gone["status"] == "completed"
    assert result(http.post(f"{path}/count", json={})) == {"count": 0}
    refused(http.get(f"{path}/1"), 404)


def test_retrieving_skips_what_is_missing(http: httpx.Client, collection: str) -> None:
    put(http, collection, *({"id": i, "vector": [i, 0, 0]} for i in range(100)))
    path = f"/collections/{collection}/points"
    few = result(http.post(path, json={"ids": [5, 1000, 3]}))
    assert few == [{"id": 5, "payload": {}}, {"id": 3, "payload": {}}]
    many = result(http.post(path, json={"ids": list(range(90, 200)), "with_payload": False}))
    assert many == [{"id": i} for i in range(90, 100)]
    assert result(http.post(path, json={"ids": []})) == []


def test_scrolling_visits_every_point_once_in_order(http: httpx.Client, collection: str) -> None:
    ids: list[Any] = [0, 7, 8, 2**63, 2**64 - 1, *UUIDS]
    shuffled = [ids[i] for i in (3, 6, 0, 5, 4, 1, 2)]
    put(http, collection, *({"id": i, "vector": [1, 2, 3]} for i in shuffled))
    path = f"/collections/{collection}/points/scroll"
    for limit in (1, 2, 3, 7, 100):
        seen: list[Any] = []
        offset = None
        while True:
            page = result(http.post(path, json={"limit": limit, "offset": offset}))
            seen += [row["id"] for row in page["points"]]
            offset = page["next_page_offset"]
            if offset is None:
                break
        assert seen == ids
    assert result(http.post(path, json={"offset": UUIDS[1].replace("-", "")})) == {
        "points": [{"id": UUIDS[1], "payload": {}}],
        "next_page_offset": None,
    }
    past = result(http.post(path, json={"offset": "ffffffff-ffff-ffff-ffff-ffffffffffff"}))
    assert past == {"points": [], "next_page_offset": None}


def test_selecting_parts_of_points(http: httpx.Client, collection: str) -> None:
    payload = {"a": {"b": 1, "c": 2}, "d": [{"e": 1, "f": 2}]}
    put(http, collection, {"id": 1, "vector": [1, 2, 3], "payload": payload})
    path = f"/collections/{collection}/points"
    for asked, expected in (
        (True, payload),
        (["a.b"], {"a": {"b": 1}}),
        ({"include": ["d[].e"]}, {"d": [{"e": 1}]}),
        ({"exclude": ["a"]}, {"d": payload["d"]}),
    ):
        bodies: list[tuple[str, Any]] = [
            (path, {"ids": [1]}),
            (f"{path}/scroll", {}),
            (f"{path}/query", {"query": [1, 2, 3]}),
        ]
        for where, body in bodies:
            found = result(http.post(where, json={**body, "with_payload": asked}))
            rows = found if isinstance(found, list) else found["points"]
            assert rows[0]["payload"] == expected


def test_a_large_upsert_is_decoded_beside_the_loop(http: httpx.Client, collection: str) -> None:
    points = [
        {"id": i, "vector": [i, 0.5, -i], "payload": {"text": "x" * 50}} for i in range(3_000)
    ]
    assert len(json.dumps(points)) > 200_000
    put(http, collection, *points)
    path = f"/collections/{collection}/points"
    assert result(http.post(f"{path}/count", json={})) == {"count": 3_000}
    page = result(http.post(f"{path}/scroll", json={"limit": 3_000, "with_vector": True}))
    assert [row["vector"] for row in page["points"]] == [[i, 0.5, -i] for i in range(3_000)]
    broken = {"points": [*points, {"id": 5_000, "vector": [1]}]}
    assert "point 5000" in refused(http.put(path, json=broken), 400)
    assert result(http.post(f"{path}/count", json={})) == {"count": 3_000}


def test_sealing_shows_as_yellow_with_counts(http: httpx.Client, make: Callable[..., str]) -> None:
    n, size = 4_000, 32
    eager = {"palimpsest": {"seal_rows": 1_000, "quiet_rows": 1, "quiet_seconds": 0}}
    name = make(vectors={"size": size, "distance": "Euclid"}, metadata=eager)
    rows = np.random.default_rng(3).standard_normal((n, size)).round(4).tolist()
    put(http, name, *({"id": i, "vector": row} for i, row in enumerate(rows)))
    states = [result(http.get(f"/collections/{name}"))]
    deadline = time.monotonic() + 60
    while states[-1]["status"] != "green" and time.monotonic() < deadline:
        time.sleep(0.01)
        states.append(result(http.get(f"/collections/{name}")))
    yellow = [state for state in states if state["status"] == "yellow"]
    assert yellow
    for state in yellow:
        assert state["progress"]["pending"] > 0 or state["progress"]["running"]
    last = states[-1]
    assert (last["status"], last["optimizer_status"]) == ("green", "ok")
    assert last["indexed_vectors_count"] == last["points_count"] == n
    assert last["segments_count"] >= 1
    assert "progress" not in last
    query = {"query": rows[17], "limit": 1}
    (hit,) = result(http.post(f"/collections/{name}/points/query", json=query))["points"]
    assert hit["id"] == 17
