"""Names given at run time: aliases, vector names, payload indexes; through qdrant-client."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from tests.api.replies import refused, result
from tests.api.served import Server

_numbers = count()
DENSE = models.VectorParams(size=2, distance=models.Distance.DOT)


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[QdrantClient]:
    connected = QdrantClient(url=server.url, timeout=30)
    yield connected
    connected.close()


@pytest.fixture
def name(client: QdrantClient) -> Iterator[str]:
    """A collection of unnamed vectors with three points."""
    chosen = f"names{next(_numbers)}"
    client.create_collection(chosen, vectors_config=DENSE)
    points = [
        models.PointStruct(id=i, vector=[i, 1.0], payload={"n": i, "tag": f"t{i % 2}"})
        for i in range(3)
    ]
    client.upsert(chosen, points)
    yield chosen
    client.delete_collection(chosen)


def test_an_alias_works_wherever_a_name_does(client: QdrantClient, name: str) -> None:
    alias = f"{name} now"
    create = models.CreateAliasOperation(
        create_alias=models.CreateAlias(collection_name=name, alias_name=alias)
    )
    assert client.update_collection_aliases([create])
    assert client.collection_exists(alias)
    assert client.get_collection(alias).points_count == 3
    assert len(client.query_points(alias, [1.0, 0.0]).points) == 3
    assert client.retrieve(alias, [1])[0].id == 1
    client.set_payload(alias, {"new": 1}, [0])
    client.upsert(alias, [models.PointStruct(id=9, vector=[1.0, 1.0])])
    client.create_payload_index(alias, "n", models.PayloadSchemaType.INTEGER)
    client.update_collection(alias, metadata={"changed": True})
    assert client.get_collection(name).config.metadata == {"changed": True}
    assert client.count(name).count == 4
    held = models.AliasDescription(alias_name=alias, collection_name=name)
    assert client.get_collection_aliases(name).aliases == [held]
    assert held in client.get_aliases().aliases
    assert client.get_collection_aliases("missing").aliases == []
    assert alias not in [each.name for each in client.get_collections().collections]


def test_aliases_move_together(client: QdrantClient, name: str, http: httpx.Client) -> None:
    other = f"{name}b"
    client.create_collection(other, vectors_config=DENSE)
    a, b = f"{name}-a", f"{name}-b"

    def create(alias: str, collection: str) -> models.CreateAliasOperation:
        return models.CreateAliasOperation(
            create_alias=models.CreateAlias(collection_name=collection, alias_name=alias)
        )

    client.update_collection_aliases([create(a, name), create(b, other)])
    rename = models.RenameAlias(old_alias_name=b, new_alias_name=a)
    client.update_collection_aliases([models.RenameAliasOperation(rename_alias=rename)])
    assert client.count(a).count == 0
    with pytest.raises(UnexpectedResponse, match="Collection `missing` doesn"):
        client.update_collection_aliases([create(b, name), create(a, "missing")])
    assert client.count(a).count == 0
    assert not client.collection_exists(b)
    delete = models.DeleteAlias(alias_name=a)
    client.update_collection_aliases([models.DeleteAliasOperation(delete_alias=delete)])
    assert not client.collection_exists(a)
    for action, status, text in (
        ({}, 400, "actions[0]: expected exactly one of create_alias"),
        ({"create_alias": {"collection_name": name, "alias_name": other}}, 409, "already exists"),
        ({"create_alias": {"collection_name": name, "alias_name": "a/b"}}, 422, "not allowed"),
        ({"rename_alias": {"old_alias_name": a, "new_alias_name": b}}, 404, f"Alias {a} does not"),
    ):
        reply = http.post("/collections/aliases", json={"actions": [action]})
        assert text in refused(reply, status)
    client.delete_collection(other)


def test_vector_names_come_and_go(client: QdrantClient, name: str) -> None:
    dense = models.DenseVectorConfig(size=3, distance=models.Distance.COSINE)
    sparse = models.SparseVectorConfig(modifier=models.Modifier.IDF)
    for _ in range(2):  # the same again changes nothing
        assert client.create_vector_name(name, "title", models.DenseVectorNameConfig(dense=dense))
        assert client.create_vector_name(
            name, "words", models.SparseVectorNameConfig(sparse=sparse)
        )
    params = client.get_collection(name).config.params
    assert params.vectors == {
        "": DENSE,
        "title": models.VectorParams(size=3, distance=models.Distance.COSINE),
    }
    assert params.sparse_vectors == {"words": models.SparseVectorParams(modifier="idf")}
    words = models.SparseVector(indices=[1, 2], values=[1.0, 2.0])
    new = models.PointVectors(id=1, vector={"title": [0.0, 3.0, 4.0], "words": words})
    client.update_vectors(name, [new])
    (found,) = client.retrieve(name, [1], with_vectors=True)
    assert isinstance(found.vector, dict)
    assert found.vector["words"] == words
    assert found.vector["title"] == pytest.approx([0.0, 0.6, 0.8])
    assert [hit.id for hit in client.query_points(name, words, using="words").points] == [1]
    client.update_collection(name, metadata={"still": "fine"})
    different = models.DenseVectorConfig(size=4, distance=models.Distance.COSINE)
    for config in (
        models.DenseVectorNameConfig(dense=different),
        models.SparseVectorNameConfig(sparse=sparse),
    ):
        with pytest.raises(UnexpectedResponse, match="already exists with a different"):
            client.create_vector_name(name, "title", config)
    for _ in range(2):
        assert client.delete_vector_name(name, "title")
        assert client.delete_vector_name(name, "words")
    (found,) = client.retrieve(name, [1], with_vectors=True)
    assert found.vector == [1.0, 1.0]
    with pytest.raises(UnexpectedResponse, match="Not existing vector name error: title"):
        client.query_points(name, [1.0, 2.0, 3.0], using="title")


def test_a_sparse_name_may_change_its_modifier(client: QdrantClient, name: str) -> None:
    client.create_vector_name(
        name, "s", models.SparseVectorNameConfig(sparse=models.SparseVectorConfig())
    )
    vectors = [models.SparseVector(indices=[1, i + 2], values=[1.0, 1.0]) for i in range(3)]
    client.update_vectors(
        name, [models.PointVectors(id=i, vector={"s": one}) for i, one in enumerate(vectors)]
    )

    def scores() -> list[float]:
        return [hit.score for hit in client.query_points(name, vectors[0], using="s").points]

    assert scores() == [2.0, 1.0, 1.0]
    index = models.SparseIndexParams(on_disk=True)
    changed = models.SparseVectorParams(modifier=models.Modifier.IDF, index=index)
    client.update_collection(name, sparse_vectors_config={"s": changed})
    assert client.get_collection(name).config.params.sparse_vectors == {"s": changed}
    rare, common = np.log(1 + (3 - 1 + 0.5) / (1 + 0.5)), np.log(1 + (3 - 3 + 0.5) / (3 + 0.5))
    assert scores() == pytest.approx([rare + common, common, common], rel=1e-5)
    with pytest.raises(UnexpectedResponse, match="does not exist in the collection"):
        client.update_collection(name, sparse_vectors_config={"t": changed})


def test_bad_vector_names(http: httpx.Client, name: str) -> None:
    path = f"/collections/{name}/vectors"
    dense = {"size": 3, "distance": "Dot"}
    for last, body, status, text in (
        ("x", {}, 400, "expected an object with `dense` or `sparse`"),
        ("x", {"dense": {**dense, "size": 0}}, 422, "dense.size"),
        ("x", {"dense": {**dense, "multivector_config": {}}}, 400, "comparator: Field required"),
        ("x", {"sparse": {"modifier": "bm25"}}, 400, "sparse.modifier"),
        ("a*b", {"dense": dense}, 422, "'*' is not allowed"),
    ):
        assert text in refused(http.put(f"{path}/{last}", json=body), status)
    missing = http.put("/collections/missing/vectors/x", json={"dense": dense})
    assert "doesn't exist" in refused(missing, 404)


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


def test_names_outlive_a_kill(tmp_path: Path) -> None:
    for life in range(2):
        running = Server(tmp_path)
        try:
            running.wait_until_ready()
            client = QdrantClient(url=running.url, timeout=30, check_compatibility=False)
            if life == 0:
                client.create_collection("c", vectors_config=DENSE)
                client.upsert("c", [models.PointStruct(id=1, vector=[1.0, 1.0], payload={"n": 1})])
                client.create_payload_index("c", "n", models.PayloadSchemaType.INTEGER)
                sparse = models.SparseVectorNameConfig(sparse=models.SparseVectorConfig())
                client.create_vector_name("c", "s", sparse)
                create = models.CreateAlias(collection_name="c", alias_name="x")
                client.update_collection_aliases([models.CreateAliasOperation(create_alias=create)])
            described = client.get_collection("x")
            assert described.payload_schema["n"].points == 1
            assert list(described.config.params.sparse_vectors or {}) == ["s"]
            client.close()
        finally:
            running.stop(signal.SIGKILL)


def test_aliases_are_readable_by_hand(http: httpx.Client, name: str) -> None:
    body = {"actions": [{"create_alias": {"collection_name": name, "alias_name": f"{name}x"}}]}
    assert result(http.post("/collections/aliases?timeout=5", json=body)) is True
    listed = result(http.get(f"/collections/{name}/aliases"))
    assert listed == {"aliases": [{"alias_name": f"{name}x", "collection_name": name}]}
