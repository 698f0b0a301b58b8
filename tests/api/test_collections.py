"""Collections from creation to end: described, changed, and reported as declared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
from qdrant_client import models

from tests.api.replies import result


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
    disk = described["palimpsest"].pop("disk")
    assert disk.pop("other") + disk.pop("wal") > 0 == sum(disk.values())
    assert len(described["palimpsest"].pop("store_id")) == 16
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
                        "ef": None,
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
