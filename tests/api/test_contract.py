"""What every client relies on: envelope, service routes, collections, headers, documentation."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from qdrant_client import models

from tests.api.replies import result
from tests.api.served import Server

V = [1.0, 2.0, 3.0]


def test_root_tells_title_and_version(http: httpx.Client) -> None:
    body = http.get("/").json()
    assert body == {"title": "palimpsest - vector search server", "version": "1.19.0"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/healthz", "healthz check passed"),
        ("/livez", "healthz check passed"),
        ("/readyz", "all shards are ready"),
    ],
)
def test_health_is_plain_text(path: str, text: str, http: httpx.Client) -> None:
    reply = http.get(path)
    assert (reply.status_code, reply.text) == (200, text)
    assert reply.headers["content-type"].startswith("text/plain")


def test_readiness_in_detail(http: httpx.Client) -> None:
    checks = result(http.get("/readyz?verbose=1"))
    assert checks["damaged"] == {}
    assert checks["disk_free_bytes"] > 0


def test_the_life_of_a_collection(http: httpx.Client) -> None:
    path = "/collections/life v2 ü"
    assert result(http.get(f"{path}/exists")) == {"exists": False}
    body = {"vectors": {"size": 3, "distance": "Cosine"}}
    assert result(http.put(path, json=body, params={"timeout": 60})) is True
    assert result(http.get(f"{path}/exists")) == {"exists": True}
    names = [each["name"] for each in result(http.get("/collections"))["collections"]]
    assert "life v2 ü" in names
    assert names == sorted(names)
    assert result(http.delete(path)) is True
    assert result(http.delete(path)) is False
    assert result(http.get(f"{path}/exists")) == {"exists": False}


def test_a_collection_describes_itself(http: httpx.Client, collection: str) -> None:
    described = result(http.get(f"/collections/{collection}"))
    integrity = described["palimpsest"].pop("integrity")  # what the scrub has read so far
    assert (integrity["damaged_files"], integrity["damaged_rows"]) == (0, 0)
    backlog = described["palimpsest"].pop("backlog")
    assert backlog.pop("sealed_per_second") > 0
    assert backlog == {"rows": 0, "limit": 131_072, "segments": 0, "slowed": False}
    assert described == {
        "status": "green",
        "optimizer_status": "ok",
        "indexed_vectors_count": 0,
        "points_count": 0,
        "segments_count": 0,
        "config": {
            "params": {
                "vectors": {"size": 3, "distance": "Euclid"},
                "shard_number": 1,
                "replication_factor": 1,
                "write_consistency_factor": 1,
                "on_disk_payload": True,
            },
            "hnsw_config": {
                "m": 16,
                "ef_construct": 200,
                "full_scan_threshold": 12,  # 1,024 rows of 12 bytes
                "max_indexing_threads": 0,
                "on_disk": False,
            },
            "optimizer_config": {
                "deleted_threshold": 0.2,
                "vacuum_min_vector_number": 0,
                "default_segment_number": 0,
                "max_segment_size": None,
                "memmap_threshold": None,
                "indexing_threshold": 96,  # 8,192 rows of 12 bytes
                "flush_interval_sec": 0,
                "max_optimization_threads": None,
            },
            "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0, "wal_retain_closed": 0},
            "quantization_config": None,
        },
        "payload_schema": {},
        "update_queue": {"length": 0},
        "palimpsest": {
            "vectors": {
                "": {
                    "encoding": "4",
                    "bits": 4,
                    "originals": "float32",
                    "datatype": "float32",
                    "graph": {"m": 16, "ef_construct": 200},
                    "order": "shuffle",
                    "segments": 0,
                    "outdated": 0,
                    "recall": {
                        "wanted": 0.98,
                        "measured": None,
                        "worst": None,
                        "decisions": {},
                        "bits": {},
                    },
                }
            },
            "upkeep": {
                "seal_rows": 65_536,
                "quiet_rows": 8_192,
                "quiet_seconds": 1.0,
                "dead_ratio": 0.2,
            },
        },
    }


FULL: dict[str, Any] = {
    "vectors": {
        "": {"size": 4, "distance": "Dot", "on_disk": True, "datatype": "float16"},
        "text": {
            "size": 8,
            "distance": "Cosine",
            "hnsw_config": {"m": 32},
            "quantization_config": {"binary": {"always_ram": True, "encoding": "two_bits"}},
        },
    },
    "shard_number": 1,
    "replication_factor": 1,
    "write_consistency_factor": 1,
    "on_disk_payload": False,
    "hnsw_config": {"m": 8, "ef_construct": 64, "on_disk": True},
    "wal_config": {"wal_capacity_mb": 16},
    "optimizers_config": {"indexing_threshold": 20_000, "max_optimization_threads": "auto"},
    "quantization_config": {"scalar": {"type": "int8", "quantile": 0.99, "always_ram": True}},
    "strict_mode_config": {"enabled": False},
    "metadata": {"model": "m1", "palimpsest": {"seal_rows": 4096}},
}


def test_what_was_declared_is_reported(http: httpx.Client, make: Callable[..., str]) -> None:
    described = result(http.get(f"/collections/{make(**FULL)}"))
    config = described["config"]
    assert config["params"]["vectors"] == FULL["vectors"]
    assert config["params"]["on_disk_payload"] is False
    assert config["hnsw_config"] | FULL["hnsw_config"] == config["hnsw_config"]
    assert config["optimizer_config"]["indexing_threshold"] == 20_000
    assert config["wal_config"]["wal_capacity_mb"] == 16
    assert config["quantization_config"] == FULL["quantization_config"]
    assert config["metadata"] == FULL["metadata"]
    del config["optimizer_config"]["max_optimization_threads"]  # the client's model has no "auto"
    models.CollectionInfo.model_validate(described)


def test_nulls_and_missing_vectors(http: httpx.Client, make: Callable[..., str]) -> None:
    nulls = dict.fromkeys(FULL)
    name = make(**{**nulls, "sparse_vectors": None, "sharding_method": None})
    assert result(http.get(f"/collections/{name}"))["config"]["params"]["vectors"] == {}
    body = {"points": [{"id": 1, "vector": {}, "payload": {"only": "payload"}}]}
    result(http.put(f"/collections/{name}/points?wait=true", json=body))
    assert result(http.get(f"/collections/{name}/points/1")) == {
        "id": 1,
        "payload": {"only": "payload"},
        "vector": {},
    }


def test_changes_are_kept_and_reported(http: httpx.Client, make: Callable[..., str]) -> None:
    path = f"/collections/{make(**FULL)}"
    change = {
        "vectors": {"text": {"hnsw_config": {"ef_construct": 300}}},
        "optimizers_config": {"indexing_threshold": 0},
        "params": {"read_fan_out_factor": 2},
        "hnsw_config": {"m": 12},
        "quantization_config": "Disabled",
        "metadata": {"model": None, "owner": "us"},
    }
    assert result(http.patch(path, json=change)) is True
    config = result(http.get(path))["config"]
    assert config["params"]["vectors"]["text"]["hnsw_config"] == {"m": 32, "ef_construct": 300}
    assert config["params"]["read_fan_out_factor"] == 2
    assert config["optimizer_config"]["indexing_threshold"] == 0
    assert (config["hnsw_config"]["m"], config["hnsw_config"]["ef_construct"]) == (12, 64)
    assert config["quantization_config"] is None
    assert config["metadata"] == {"palimpsest": {"seal_rows": 4096}, "owner": "us"}
    assert result(http.patch(path)) is True


def test_head_and_trailing_slashes(http: httpx.Client, collection: str) -> None:
    point = {"points": [{"id": 1, "vector": V}]}
    result(http.put(f"/collections/{collection}/points/?wait=true", json=point))
    for path in ("/", f"/collections/{collection}", f"/collections/{collection}/points/1"):
        reply = http.head(path)
        assert (reply.status_code, reply.content) == (200, b"")
    assert result(http.get("/collections/"))["collections"]
    assert result(http.get(f"/collections/{collection}/"))["points_count"] == 1
    assert result(http.get(f"/collections/{collection}/points/1/"))["id"] == 1
    assert result(http.post(f"/collections/{collection}/points/query/", json={"query": V}))


def test_large_replies_are_compressed_when_asked(http: httpx.Client, collection: str) -> None:
    path = f"/collections/{collection}/points"
    payload = {"text": "long " * 10_000}
    points = {"points": [{"id": 1, "vector": V, "payload": payload}]}
    result(http.put(f"{path}?wait=true", json=points))
    for accepted, coding in (
        ("gzip", "gzip"),
        ("gzip; q=0.05", "gzip"),
        ("identity", None),
        ("gzip;q=0", None),
        ("gzip; q=0.00", None),
    ):
        reply = http.get(f"{path}/1", headers={"accept-encoding": accepted})
        assert reply.headers.get("content-encoding") == coding
        assert result(reply)["payload"] == payload
    small = http.post(f"{path}/count", json={}, headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in small.headers
    with http.stream("GET", "/openapi.json", headers={"accept-encoding": "gzip"}) as reply:
        packed = b"".join(reply.iter_raw())
    assert reply.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed))["paths"]


def test_every_route_is_documented(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    operations = {
        f"{method.upper()} {path}" for path, each in document["paths"].items() for method in each
    }
    below = "/collections/{collection_name}"
    assert operations >= {
        "GET /",
        "GET /healthz",
        "GET /livez",
        "GET /readyz",
        "GET /metrics",
        "GET /collections",
        *(f"{method} {below}" for method in ("GET", "PUT", "PATCH", "DELETE")),
        f"GET {below}/exists",
        f"PUT {below}/points",
        f"POST {below}/points",
        f"GET {below}/points/{{id}}",
        *(f"POST {below}/points/{each}" for each in ("delete", "scroll", "count", "query")),
        f"POST {below}/points/query/batch",
    }
    for path, each in document["paths"].items():
        for method, operation in each.items():
            assert operation.get("description"), (method, path)
    for name in re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)):
        assert name in document["components"]["schemas"]


def samples(text: str) -> dict[str, float]:
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


def test_metrics_count_what_happened(http: httpx.Client, collection: str) -> None:
    path = f"/collections/{collection}/points"
    route = "/collections/{collection_name}/points"
    upserts = f'palimpsest_http_requests_total{{method="PUT",route="{route}",status="200"}}'
    failures = f'palimpsest_http_errors_total{{method="POST",route="{route}/query",status="400"}}'
    before = samples(http.get("/metrics").text)
    result(http.put(f"{path}?wait=true", json={"points": [{"id": 1, "vector": V}]}))
    result(http.post(f"{path}/query", json={"query": V}))
    http.post(f"{path}/query", json={"query": "?"})
    http.request("FROBNICATE", path)
    reply = http.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain")
    after = samples(reply.text)
    assert after[upserts] == before[upserts] + 1
    assert after[failures] == before.get(failures, 0) + 1
    searches = "palimpsest_search_duration_seconds_count"
    assert after[searches] == before[searches] + 1
    assert after['palimpsest_search_stage_duration_seconds_count{stage="plan"}'] > 0
    assert after[f'palimpsest_points{{collection="{collection}"}}'] == 1
    memory = f'palimpsest_memory_used_bytes{{collection="{collection}",'
    assert any(name.startswith(memory) for name in after)
    assert after["process_resident_memory_bytes"] > 0
    assert not any("FROBNICATE" in name for name in after)


def test_metrics_as_openmetrics(http: httpx.Client) -> None:
    reply = http.get("/metrics", headers={"accept": "application/openmetrics-text"})
    assert reply.headers["content-type"].startswith("application/openmetrics-text")
    assert reply.text.endswith("# EOF\n")


def test_pipelined_requests_are_answered_in_order(server: Server, collection: str) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        one = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
        two = f"GET /collections/{collection}/exists HTTP/1.1\r\nhost: localhost\r\n".encode()
        connection.sendall(one + two + b"connection: close\r\n\r\n")
        received = b""
        while part := connection.recv(65_536):
            received += part
    assert received.index(b"healthz check passed") < received.index(b'"exists":true')
