"""What the server says of itself, in the shapes that qdrant-client reads."""

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


def test_telemetry(http: httpx.Client, collection: str) -> None:
    result(http.post(f"/collections/{collection}/points/count", json={}))
    told = result(http.get("/telemetry"))
    read = models.TelemetryData.model_validate(told)
    assert read.collections.number_of_collections >= 1
    assert len(read.collections.collections or []) == read.collections.number_of_collections
    counted = told["requests"]["rest"]["responses"]
    route = "POST /collections/{collection_name}/points/count"
    assert counted[route]["200"]["count"] >= 1
    assert counted[route]["200"]["avg_duration_micros"] > 0


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


def test_issues(http: httpx.Client) -> None:
    assert result(http.get("/issues")) == {"issues": []}
    assert result(http.delete("/issues")) is True


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/collections/{}/snapshots"),
        ("PUT", "/collections/{}/snapshots/recover"),
        ("GET", "/snapshots"),
        ("GET", "/quotas"),
    ],
)
def test_what_is_not_supported_says_so(
    method: str, path: str, http: httpx.Client, collection: str
) -> None:
    text = refused(http.request(method, path.format(collection), json={}), 501)
    assert text.startswith("Not implemented: ")
    assert "is not supported by this server" in text


@pytest.mark.parametrize(
    "path",
    [
        "/aliases",
        "/telemetry",
        "/cluster",
        "/collections/{}/points/payload",
        "/collections/{}/points/batch",
        "/collections/{}/index",
        "/collections/{}/index/a",
        "/collections/{}/vectors/a",
    ],
)
def test_other_methods_are_refused(path: str, http: httpx.Client, collection: str) -> None:
    reply = http.patch(path.format(collection), json={})
    assert refused(reply, 405).startswith("Method Not Allowed: PATCH /")
    assert reply.headers["allow"]
