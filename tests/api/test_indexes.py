"""Payload indexes on any key: made at run time, dropped again, refused by name."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from qdrant_client import QdrantClient, models

from tests.api.replies import refused

SCHEMAS: dict[str, Any] = {
    "keyword": models.PayloadSchemaType.KEYWORD,
    "params": models.IntegerIndexParams(type="integer", lookup=False, range=True),
    "text": models.TextIndexParams(
        type="text", tokenizer=models.TokenizerType.WORD, min_token_len=2, lowercase=True
    ),
}


@pytest.mark.parametrize("kind", SCHEMAS)
def test_payload_indexes_come_and_go(
    kind: str, client: QdrantClient, http: httpx.Client, name: str
) -> None:
    schema = SCHEMAS[kind]
    key = {"keyword": "tag", "params": "n", "text": "tag"}[kind]
    done = client.create_payload_index(name, key, schema)
    assert done.status == models.UpdateStatus.COMPLETED
    held = client.get_collection(name).payload_schema[key]
    assert held.points == 3
    series = f'palimpsest_payload_index_points{{collection="{name}",field="{key}"}} 3.0'
    assert series in http.get("/metrics").text
    if kind == "keyword":
        assert (held.data_type, held.params) == (schema, None)
    else:
        assert held.data_type == schema.type
        assert held.params == schema
    assert client.delete_payload_index(name, key).status == models.UpdateStatus.COMPLETED
    assert client.delete_payload_index(name, key).status == models.UpdateStatus.COMPLETED
    assert client.get_collection(name).payload_schema == {}


def test_the_path_of_an_index_may_hold_anything(client: QdrantClient, name: str) -> None:
    for key in ("a.b", "list[].x", '"with.dot/and slash"', "ü"):
        client.create_payload_index(name, key, "keyword", wait=False)
        client.create_payload_index(name, key, "keyword")
        assert key in client.get_collection(name).payload_schema
        client.delete_payload_index(name, key)
    assert client.get_collection(name).payload_schema == {}


def test_bad_indexes(http: httpx.Client, name: str) -> None:
    path = f"/collections/{name}/index"
    for body, status, text in (
        ({"field_name": "a"}, 400, "missing required field `field_schema`"),
        ({"field_name": "a", "field_schema": None}, 400, "field_schema: expected a type"),
        ({"field_name": "a", "field_schema": 3}, 400, "field_schema: expected a text or an object"),
        ({"field_name": "a[", "field_schema": "keyword"}, 400, "Invalid path 'a['"),
        ({"field_name": "a", "field_schema": "vector"}, 400, "'vector'"),
        ({"field_name": "a", "field_schema": {"type": "text", "min_token_len": 0}}, 422, "1 to"),
    ):
        assert text in refused(http.put(path, json=body), status)
    assert "doesn't exist" in refused(http.delete("/collections/missing/index/a"), 404)
