"""``GET /collections/{name}``: state and configuration as Qdrant's clients read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from index import (
    DEFAULT_DEAD_RATIO,
    DEFAULT_EF_CONSTRUCTION,
    DEFAULT_M,
    Collection,
    CollectionConfig,
    CollectionInfo,
)

HNSW_DEFAULTS = {
    "m": DEFAULT_M,
    "ef_construct": DEFAULT_EF_CONSTRUCTION,
    "full_scan_threshold": 10_000,
    "max_indexing_threads": 0,
    "on_disk": False,
}
OPTIMIZER_DEFAULTS = {
    "deleted_threshold": DEFAULT_DEAD_RATIO,
    "vacuum_min_vector_number": 1_000,
    "default_segment_number": 0,
    "max_segment_size": None,
    "memmap_threshold": None,
    "indexing_threshold": 10_000,
    "flush_interval_sec": 5,
    "max_optimization_threads": None,
}
WAL_DEFAULTS = {"wal_capacity_mb": 32, "wal_segments_ahead": 0, "wal_retain_closed": 1}
PARAMS_DEFAULTS = {
    "shard_number": 1,
    "replication_factor": 1,
    "write_consistency_factor": 1,
    "on_disk_payload": True,
}
OPTIONAL_PARAMS = (
    "sharding_method",
    "read_fan_out_factor",
    "read_fan_out_delay_ms",
    "payload",
    "id_tracker",
)


def describe_collection(collection: Collection) -> dict[str, Any]:
    """Return the result of ``GET /collections/{name}``; reads no rows."""
    info = collection.state()
    working = info.pending > 0 or bool(info.running)
    described = {
        "status": _status(info, working),
        "optimizer_status": {"error": info.last_error} if info.last_error else "ok",
        "indexed_vectors_count": sum(v.indexed for v in info.vectors.values()),
        "points_count": info.points,
        "segments_count": sum(v.segments for v in info.vectors.values()),
        "config": describe_config(collection.config),
        "payload_schema": {},
        "update_queue": {"length": 0},
    }
    if working:
        described["progress"] = {"pending": info.pending, "running": list(info.running)}
    return described


def describe_config(config: CollectionConfig) -> dict[str, Any]:
    """Return a collection's configuration: what was declared, and defaults for the rest."""
    declared = config.declared
    params: dict[str, Any] = {"vectors": declared.get("vectors", {})}
    params.update({key: declared.get(key, value) for key, value in PARAMS_DEFAULTS.items()})
    params.update({key: declared[key] for key in OPTIONAL_PARAMS if key in declared})
    described: dict[str, Any] = {
        "params": params,
        "hnsw_config": _filled(HNSW_DEFAULTS, declared.get("hnsw_config")),
        "optimizer_config": _filled(OPTIMIZER_DEFAULTS, declared.get("optimizers_config")),
        "wal_config": _filled(WAL_DEFAULTS, declared.get("wal_config")),
        "quantization_config": declared.get("quantization_config"),
    }
    for key in ("strict_mode_config", "metadata"):
        if key in declared:
            described[key] = declared[key]
    return described


def _status(info: CollectionInfo, working: bool) -> str:
    if working:
        return "yellow"
    return "red" if info.last_error else "green"


def _filled(defaults: Mapping[str, Any], given: Mapping[str, Any] | None) -> dict[str, Any]:
    return {**defaults, **{k: v for k, v in (given or {}).items() if v is not None}}
