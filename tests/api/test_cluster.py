"""A server on its own answers what a cluster is asked for."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from qdrant_client import QdrantClient, models

from tests.api.replies import refused, result
from tests.api.served import Server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[QdrantClient]:
    connected = QdrantClient(url=server.url, timeout=30)
    yield connected
    connected.close()


def test_a_single_node(client: QdrantClient, http: httpx.Client, collection: str) -> None:
    assert result(http.get("/cluster")) == {"status": "disabled"}
    assert client.http.distributed_api.cluster_status().result == models.ClusterStatusOneOf(
        status="disabled"
    )
    body = {"points": [{"id": 1, "vector": [1, 2, 3]}]}
    result(http.put(f"/collections/{collection}/points?wait=true", json=body))
    placed = client.http.distributed_api.collection_cluster_info(collection).result
    assert placed is not None
    assert [shard.points_count for shard in placed.local_shards] == [1]
    assert client.http.distributed_api.list_shard_keys(collection).result is not None
    for method, path in (
        ("POST", f"/collections/{collection}/cluster"),
        ("PUT", f"/collections/{collection}/shards"),
        ("POST", f"/collections/{collection}/shards/delete"),
        ("POST", "/cluster/recover"),
        ("DELETE", "/cluster/peer/3"),
    ):
        assert "Distributed mode is not enabled" in refused(http.request(method, path), 405)


def test_optimizations(client: QdrantClient, collection: str) -> None:
    told = client.http.collections_api.get_optimizations(collection).result
    assert told is not None
    assert told.running == []
    assert told.summary.queued_points == 0
