"""What programs in the field send, in the bodies they write, and what they read of the replies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.api.replies import refused, result
from tests.api.served import Server

IDS = [str(UUID(int=n)) for n in range(1, 5)]
TEXTS = ("sea", "bread", "snow")
VECTORS = SEA, BREAD, SNOW = [1.0, 0.1, 0.0], [0.0, 1.0, 0.1], [0.3, 0.0, 1.0]


@pytest.fixture(scope="module")
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


def cosine(size: int = 3) -> dict[str, Any]:
    return {"vectors": {"size": size, "distance": "Cosine"}}


def without_warning(reply: httpx.Response) -> Any:
    assert "warnings" not in reply.json()
    return result(reply)


def test_anything_llm(http: httpx.Client) -> None:
    path = "/collections/workspace"
    assert http.get("/cluster").is_success  # its heartbeat
    refused(http.get(path), 404)  # how it asks whether a namespace exists
    without_warning(http.put(path, json=cosine()))
    batch = {
        "ids": IDS[:3],
        "vectors": [SEA, BREAD, SNOW],
        "payloads": [{"text": text, "title": "t"} for text in TEXTS],
    }
    done = without_warning(http.put(f"{path}/points", params={"wait": True}, json={"batch": batch}))
    assert done["status"] == "completed"
    assert without_warning(http.post(f"{path}/points/count", json={"exact": True}))["count"] == 3
    body = {"vector": BREAD, "limit": 4, "with_payload": True}
    found = without_warning(http.post(f"{path}/points/search", json=body))
    assert [hit["payload"]["text"] for hit in found][0] == "bread"
    assert found[0]["score"] == pytest.approx(1)
    gone = {"points": IDS[:2]}
    http.post(f"{path}/points/delete", params={"wait": True}, json=gone).raise_for_status()
    assert without_warning(http.post(f"{path}/points/count", json={"exact": True}))["count"] == 1


def test_mem0(http: httpx.Client) -> None:
    marker = "/collections/memory_migrations"
    for path, size in (("/collections/memories", 3), (marker, 1)):
        without_warning(http.put(path, json=cosine(size)))
        assert "already exists" in refused(http.put(path, json=cosine(size)), 409)
        assert without_warning(http.get(path))["config"]["params"]["vectors"]["size"] == size
    row = {"id": IDS[0], "vector": [0], "payload": {"user_id": "u"}}
    without_warning(http.put(f"{marker}/points", json={"points": [row]}))
    body = {"limit": 1, "with_payload": True, "with_vector": False}
    (kept,) = without_warning(http.post(f"{marker}/points/scroll", json=body))["points"]
    assert kept["payload"] == {"user_id": "u"}
    points = [
        {"id": one, "vector": vector, "payload": {"data": data, "userId": "u"}}
        for one, vector, data in zip(IDS[:3], VECTORS, TEXTS, strict=True)
    ]
    without_warning(http.put("/collections/memories/points", json={"points": points}))
    mine = {"must": [{"key": "userId", "match": {"value": "u"}}]}
    body = {"vector": SNOW, "filter": mine, "limit": 5, "with_payload": True, "offset": 0}
    found = without_warning(http.post("/collections/memories/points/search", json=body))
    assert (found[0]["id"], found[0]["payload"]["data"]) == (IDS[2], "snow")
    body = {"ids": [IDS[1]], "with_payload": True}
    assert without_warning(http.post("/collections/memories/points", json=body))[0]["id"] == IDS[1]
    body = {"limit": 100, "filter": mine, "with_payload": True, "with_vectors": False}
    listed = without_warning(http.post("/collections/memories/points/scroll", json=body))
    assert len(listed["points"]) == 3


def test_docarray(http: httpx.Client) -> None:
    path = "/collections/simpledoc"
    vectors = {"tensor": {"size": 3, "distance": "Euclid"}, "other": {"size": 2, "distance": "Dot"}}
    without_warning(http.put(path, json={"vectors": vectors, "shard_number": None}))
    field = {"field_name": "__generated_vectors", "field_schema": "keyword"}
    without_warning(http.put(f"{path}/index", params={"wait": True}, json=field))
    points = [
        {
            "id": one,
            "vector": {"tensor": vector, "other": [0.5, 1]},
            "payload": {"title": title, "__generated_vectors": generated},
        }
        for one, vector, title, generated in (
            (IDS[0], SEA, "the open sea", []),
            (IDS[1], BREAD, "bread of the sea", []),
            (IDS[2], SNOW, "nothing", ["tensor"]),
        )
    ]
    without_warning(http.put(f"{path}/points", params={"wait": True}, json={"points": points}))
    body = {
        "vector": {"name": "tensor", "vector": SNOW},
        "filter": {
            "must": [{"key": "title", "match": {"text": "sea"}}],
            "must_not": [{"key": "__generated_vectors", "match": {"value": "tensor"}}],
        },
        "limit": 5,
        "offset": 0,
        "with_payload": True,
        "with_vector": ["tensor"],
        "score_threshold": None,
    }
    found = without_warning(http.post(f"{path}/points/search", json=body))
    assert {hit["id"] for hit in found} == {IDS[0], IDS[1]}
    assert all(hit["vector"].keys() == {"tensor"} for hit in found)
    whole = {key: value for key, value in body.items() if key != "filter"}
    batch = {"searches": [whole, {**whole, "limit": 1}]}
    lists = without_warning(http.post(f"{path}/points/search/batch", json=batch))
    assert [len(each) for each in lists] == [3, 1]
    assert lists[0][0]["score"] == 0  # under Euclid, the distance


def test_flowise_and_n8n(http: httpx.Client) -> None:
    path = "/collections/flow"
    names = [each["name"] for each in without_warning(http.get("/collections"))["collections"]]
    assert "flow" not in names
    without_warning(http.put(path, json=cosine()))
    points = [
        {"id": one, "vector": vector, "payload": {"content": text, "metadata": {"source": text}}}
        for one, vector, text in zip(IDS[:3], VECTORS, TEXTS, strict=True)
    ]
    without_warning(http.put(f"{path}/points", params={"wait": True}, json={"points": points}))
    body = {
        "vector": SEA,
        "limit": 4,
        "filter": {"should": [{"key": "metadata.source", "match": {"any": ["sea", "snow"]}}]},
        "with_payload": ["metadata", "content"],
        "with_vector": False,
    }
    found = without_warning(http.post(f"{path}/points/search", json=body))
    assert [hit["payload"]["content"] for hit in found] == ["sea", "snow"]
    assert found[0]["payload"] == {"content": "sea", "metadata": {"source": "sea"}}
    body = {"positive": [IDS[0]], "negative": [], "limit": 2, "with_payload": True}
    liked = without_warning(http.post(f"{path}/points/recommend", json=body))
    assert [hit["id"] for hit in liked] == [IDS[2], IDS[1]]


def test_dify_and_semantic_kernel(http: httpx.Client) -> None:
    path = "/collections/Vector_index_1_Node"
    body = {
        **cosine(),
        "hnsw_config": {
            "m": 0,
            "payload_m": 16,
            "ef_construct": 100,
            "full_scan_threshold": 10_000,
            "max_indexing_threads": 0,
            "on_disk": False,
        },
    }
    result(http.put(path, params={"timeout": 20}, json=body))
    for key in ("group_id", "metadata.doc_id", "page_content"):
        kind: Any = "keyword"
        if key == "page_content":
            kind = {"type": "text", "tokenizer": "multilingual", "min_token_len": 2}
        field = {"field_name": key, "field_schema": kind}
        without_warning(http.put(f"{path}/index", params={"wait": True}, json=field))
    points = [
        {
            "id": one,
            "vector": vector,
            "payload": {"page_content": text, "metadata": {"doc_id": one}, "group_id": "g"},
        }
        for one, vector, text in zip(IDS[:3], VECTORS, TEXTS, strict=True)
    ]
    without_warning(http.put(f"{path}/points", params={"wait": True}, json={"points": points}))
    group = {"must": [{"key": "group_id", "match": {"value": "g"}}]}
    body = {
        "vector": SEA,
        "filter": group,
        "limit": 4,
        "with_payload": True,
        "with_vector": True,
        "score_threshold": 0.05,
    }
    found = without_warning(http.post(f"{path}/points/search", json=body))
    assert [hit["payload"]["page_content"] for hit in found] == ["sea", "snow", "bread"]
    assert all(len(hit["vector"]) == 3 for hit in found)
    kernel = {
        "vector": SEA,
        "filter": {"must": []},
        "limit": 1,
        "offset": 0,
        "with_payload": True,
        "with_vector": False,
        "score_threshold": 0.9,
        "params": None,
    }
    assert len(without_warning(http.post(f"{path}/points/search", json=kernel))) == 1


def test_curl_of_old_tutorials(http: httpx.Client) -> None:
    path = "/collections/test_collection"
    without_warning(http.put(path, json={"vectors": {"size": 3, "distance": "Dot"}}))
    points = [{"id": n + 1, "vector": v, "payload": {"n": n}} for n, v in enumerate((SEA, BREAD))]
    without_warning(http.put(f"{path}/points", params={"wait": True}, json={"points": points}))
    body = {"vector": SEA, "top": 1, "with_vectors": True, "params": {"hnsw_ef": 128}}
    (hit,) = without_warning(http.post(f"{path}/points/search", json=body))
    assert (hit["id"], hit["vector"]) == (1, SEA)
    searches = {"searches": [{"vector": SEA, "top": 1}, {"vector": BREAD, "limit": 1}]}
    batch = without_warning(http.post(f"{path}/points/search/batch", json=searches))
    assert [hits[0]["id"] for hits in batch] == [1, 2]
    body = {"target": [0.2, 0.1, 0.9], "context": [{"positive": 1, "negative": 2}], "limit": 10}
    assert without_warning(http.post(f"{path}/points/discover", json=body)) == []
