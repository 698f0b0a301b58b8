"""``GET /collections/{name}``: state and configuration as Qdrant's clients read them.

Everything comes from published state: clients ask on every query, so no row is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from palimpsest.app.health.conditions import status_of, told_of
from palimpsest.app.schemas.declarations import kilobytes
from palimpsest.app.schemas.effective import (
    BacklogReply,
    PalimpsestReply,
    describe_effective,
    unheld,
)
from palimpsest.app.schemas.explanations import describe_reach
from palimpsest.app.schemas.unmet import unmet
from palimpsest.app.schemas.versions import describe_drift
from palimpsest.index import (
    DEFAULT_DEAD_RATIO,
    DEFAULT_EF_CONSTRUCTION,
    DEFAULT_M,
    GRAPH_ROWS,
    Collection,
    CollectionConfig,
    CollectionInfo,
    DamagedInfo,
    FieldInfo,
    VectorInfo,
)

HNSW_DEFAULTS = {
    "m": DEFAULT_M,
    "ef_construct": DEFAULT_EF_CONSTRUCTION,
    "max_indexing_threads": 0,
    "on_disk": False,
}
OPTIMIZER_DEFAULTS = {
    "deleted_threshold": DEFAULT_DEAD_RATIO,
    "vacuum_min_vector_number": 0,  # segments of any size are compacted
    "default_segment_number": 0,
    "max_segment_size": None,
    "memmap_threshold": None,
    "flush_interval_sec": 0,  # a write is on disk before it is acknowledged
    "max_optimization_threads": None,
}
WAL_DEFAULTS = {"wal_capacity_mb": 32, "wal_segments_ahead": 0, "wal_retain_closed": 0}
PARAMS_DEFAULTS = {
    "shard_number": 1,
    "replication_factor": 1,
    "write_consistency_factor": 1,
    "on_disk_payload": True,
}
UNREADABLE = "the configuration of this collection cannot be read either: `config` shows defaults"
OPTIONAL_PARAMS = (
    "sparse_vectors",
    "sharding_method",
    "read_fan_out_factor",
    "read_fan_out_delay_ms",
    "payload",
    "id_tracker",
)


class PayloadIndexReply(TypedDict):
    """One payload index: its type, the parameters it was declared with, and its points."""

    data_type: str
    params: NotRequired[dict[str, Any]]
    points: int


class OptimizerError(TypedDict):
    """Why the last background work failed."""

    error: str


class UpdateQueueReply(TypedDict):
    """Writes that were acknowledged and are not searchable yet: always none."""

    length: int


class ConfigReply(TypedDict):
    """What was declared, and defaults for the rest."""

    params: dict[str, Any]
    hnsw_config: dict[str, Any]
    optimizer_config: dict[str, Any]
    wal_config: dict[str, Any]
    quantization_config: dict[str, Any] | None
    strict_mode_config: NotRequired[dict[str, Any]]
    metadata: NotRequired[dict[str, Any]]


class ProgressReply(TypedDict):
    """Rows waiting for background work, and what runs."""

    pending: int
    running: list[str]


class WarningReply(TypedDict):
    """What is not as it was asked for, or not as one would expect."""

    message: str


class CollectionReply(TypedDict):
    """State and configuration of a collection.

    ``config`` is what was declared, with the defaults in force for the rest; ``warnings`` say what
    of it is not carried out, and ``palimpsest`` how vectors are really kept. Of a damaged one,
    which is red and says why, there is what can still be read.
    """

    status: str
    optimizer_status: str | OptimizerError
    indexed_vectors_count: int
    points_count: int | None
    segments_count: int
    config: ConfigReply
    payload_schema: dict[str, PayloadIndexReply]
    update_queue: UpdateQueueReply
    progress: NotRequired[ProgressReply]
    warnings: NotRequired[list[WarningReply]]
    palimpsest: NotRequired[PalimpsestReply]


def describe_collection(collection: Collection) -> CollectionReply:
    """Return the result of ``GET /collections/{name}``."""
    info = collection.state()
    shown = shown_vectors(collection, info)
    working = info.pending > 0 or bool(info.running)
    described: CollectionReply = {
        "status": status_of(info),
        "optimizer_status": optimizer_status(told_of(info)),
        "indexed_vectors_count": sum(v.indexed for v in shown),
        "points_count": info.points,
        "segments_count": sum(v.segments for v in shown),
        "config": describe_config(collection.config),
        "payload_schema": {key: _payload_index(field) for key, field in info.fields.items()},
        "update_queue": {"length": 0},
        "palimpsest": describe_effective(collection.config, info),
    }
    missed = [describe_reach(one) for one in collection.versions.out_of_reach()]
    short = unheld(collection.config, info.vectors)
    drifted = [describe_drift(*one) for one in collection.versions.drifted()]
    described["palimpsest"]["backlog"] = backlog = _backlog(collection)
    described["palimpsest"]["disk"] = dict(collection.disk())
    behind = [_behind(backlog)] if backlog["slowed"] else []
    if warnings := [*behind, *drifted, *unmet(collection.config, info.fields), *missed, *short]:
        described["warnings"] = [{"message": text} for text in warnings]
    if working:
        described["progress"] = {"pending": info.pending, "running": list(info.running)}
    return described


def _backlog(collection: Collection) -> BacklogReply:
    pacing = collection.pacing
    waiting = pacing.backlog()
    return {
        "rows": waiting.rows,
        "limit": waiting.limit,
        "segments": waiting.segments,
        "slowed": pacing.slows,
        "sealed_per_second": round(pacing.rate.current, 1),
    }


def _behind(backlog: BacklogReply) -> str:
    return (
        f"rows come in faster than they are sealed: {backlog['rows']} of about {backlog['limit']} "
        "that may wait do, so writes that bring rows are slowed down, and refused (429) beyond"
    )


def describe_damaged(damaged: DamagedInfo) -> CollectionReply:
    """Return the result of ``GET /collections/{name}`` of one that could not be opened."""
    described: CollectionReply = {
        "status": "red",
        "optimizer_status": optimizer_status(damaged.why),
        "indexed_vectors_count": 0,
        "points_count": damaged.points,
        "segments_count": 0,
        "config": describe_config(damaged.config or CollectionConfig({})),
        "payload_schema": {},
        "update_queue": {"length": 0},
    }
    if damaged.config is None:
        described["warnings"] = [{"message": UNREADABLE}]
    return described


def shown_vectors(collection: Collection, info: CollectionInfo) -> list[VectorInfo]:
    """Return the vectors under bare names: those of other versions are not counted.

    So what a client sees that knows nothing of versions does not change by one being declared.
    """
    names = collection.config.names
    return [info.vectors[name] for name in names if name in info.vectors]


def optimizer_status(error: str | None) -> str | OptimizerError:
    """Return what is wrong with a collection as clients read it."""
    return {"error": error} if error else "ok"


def describe_config(config: CollectionConfig) -> ConfigReply:
    """Return a collection's configuration."""
    declared = config.declared
    params: dict[str, Any] = {"vectors": declared.get("vectors", {})}
    params.update({key: declared.get(key, value) for key, value in PARAMS_DEFAULTS.items()})
    params.update({key: declared[key] for key in OPTIONAL_PARAMS if key in declared})
    described: ConfigReply = {
        "params": params,
        "hnsw_config": _filled(_hnsw_defaults(config), declared.get("hnsw_config")),
        "optimizer_config": _optimizers(config),
        "wal_config": _filled(WAL_DEFAULTS, declared.get("wal_config")),
        "quantization_config": declared.get("quantization_config"),
    }
    if "strict_mode_config" in declared:
        described["strict_mode_config"] = declared["strict_mode_config"]
    if "metadata" in declared:
        described["metadata"] = declared["metadata"]
    return described


def _payload_index(field: FieldInfo) -> PayloadIndexReply:
    described: PayloadIndexReply = {"data_type": field.declared["type"], "points": field.points}
    if field.declared.keys() - {"type"}:  # it was declared by more than a type's name
        described["params"] = dict(field.declared)
    return described


def _hnsw_defaults(config: CollectionConfig) -> dict[str, Any]:
    """Return what holds of graphs where nothing is declared; smaller segments are scanned."""
    return {**HNSW_DEFAULTS, "full_scan_threshold": kilobytes(GRAPH_ROWS, config)}


def _optimizers(config: CollectionConfig) -> dict[str, Any]:
    rows = config.maintenance.quiet_rows
    defaults = {**OPTIMIZER_DEFAULTS, "indexing_threshold": kilobytes(rows, config)}
    described = _filled(defaults, config.declared.get("optimizers_config"))
    if described["max_optimization_threads"] == "auto":  # sent as "auto", read as null
        described["max_optimization_threads"] = None
    return described


def _filled(defaults: Mapping[str, Any], given: Mapping[str, Any] | None) -> dict[str, Any]:
    return {**defaults, **{k: v for k, v in (given or {}).items() if v is not None}}
