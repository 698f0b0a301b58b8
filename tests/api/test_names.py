"""Vector names come and go at run time, and outlive a kill; through qdrant-client."""

from __future__ import annotations

import signal
from pathlib import Path

import httpx
import numpy as np
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from tests.api.replies import refused
from tests.api.served import Server

DENSE = models.VectorParams(size=2, distance=models.Distance.DOT)


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
