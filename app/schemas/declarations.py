"""What a declared collection means to the engine, and how changes merge into a declaration.

Qdrant's quantization settings map onto codes of equal or better size; a collection that asks for
none gets the engine's default. Placement hints (on_disk, memory, always_ram, wal_config) are kept
and given back and change nothing. ``metadata.palimpsest`` overrides all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from app.errors import out_of_range, unsupported
from app.schemas.collections import (
    CollectionBody,
    CollectionChange,
    Declaration,
    EngineBody,
    HnswBody,
    OptimizersBody,
    VectorBody,
)
from index import (
    DEFAULT_QUIET_ROWS,
    DEFAULT_SEAL_ROWS,
    MAX_EF_CONSTRUCTION,
    MAX_M,
    MAX_SEAL_ROWS,
    MIN_EF_CONSTRUCTION,
    MIN_M,
    CollectionConfig,
    Distance,
    InvalidConfig,
    MaintenanceConfig,
    UnknownVectorName,
    VectorConfig,
)

FLOAT_BYTES = 4
SPACE_OPTIONS = {"encoding", "originals", "order"}  # of EngineBody; the others are about upkeep
PRODUCT_BITS = {"x4": "8", "x8": "4", "x16": "2", "x32": "1", "x64": "1"}
BINARY_BITS = {"one_bit": "1", "one_and_half_bits": "1", "two_bits": "2"}
TURBO_BITS = {"bits1": "1", "bits1_5": "1", "bits2": "2", "bits4": "4", "bits8": "8"}
# Integers of uint8 are exact in float16.
DATATYPES: dict[str, dict[str, Any]] = {
    "float32": {},
    "float16": {"originals": "float16"},
    "uint8": {"originals": "float16"},
    "turbo16": {"originals": "float16"},
    "turbo8": {"originals": "int8"},
    "turbo4": {"originals": "none", "encoding": "4"},
}


def to_config(body: CollectionBody) -> CollectionConfig:
    """Return the engine's configuration of a declared collection. Raises Refusal."""
    _refuse_unsupported(body)
    engine = _engine_options(body.metadata or {})
    named = body.vectors if isinstance(body.vectors, dict) else {"": body.vectors}
    try:
        vectors = {
            name: _vector_config(vector, body, engine)
            for name, vector in named.items()
            if vector is not None
        }
        sizes = [v.size for v in vectors.values()]
        maintenance = MaintenanceConfig(**_maintenance(body, engine, max(sizes, default=1)))
    except InvalidConfig as error:
        raise out_of_range("collection", str(error)) from None
    return CollectionConfig(vectors, maintenance, declared=to_json(body))


def to_json(body: CollectionBody | CollectionChange) -> dict[str, Any]:
    """Return a declaration as it is stored: only what was given, without nulls."""
    return {
        name: value
        for name, value in body.model_dump(exclude_unset=True).items()
        if value is not None
    }


def merge(declared: Mapping[str, Any], change: CollectionChange) -> Declaration:
    """Return a declaration with the given parts of ``change`` in place of the old ones.

    Nulls leave what is there, but in ``metadata`` a null deletes its key.
    """
    asked = to_json(change)
    params = asked.pop("params", {})
    metadata = asked.pop("metadata", {})
    vectors = asked.pop("vectors", {})
    merged = _overlay(declared, asked)
    merged = _overlay(merged, params)
    if metadata:
        kept = {**declared.get("metadata", {}), **metadata}
        merged["metadata"] = {key: value for key, value in kept.items() if value is not None}
    if vectors:
        merged["vectors"] = _merge_vectors(declared.get("vectors") or {}, vectors)
    return Declaration.model_validate(merged)


def _refuse_unsupported(body: CollectionBody) -> None:
    if body.sparse_vectors:
        raise unsupported("sparse_vectors")
    if body.sharding_method == "custom":
        raise unsupported("sharding_method: custom")
    if (body.strict_mode_config or {}).get("enabled"):
        raise unsupported("strict_mode_config.enabled")
    named = body.vectors if isinstance(body.vectors, dict) else {"": body.vectors}
    for vector in named.values():
        if vector is not None and vector.multivector_config is not None:
            raise unsupported("multivector_config")


def _engine_options(metadata: Mapping[str, Any]) -> EngineBody:
    try:
        return EngineBody.model_validate(metadata.get("palimpsest", {}))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(("metadata.palimpsest", *map(str, first["loc"])))
        raise out_of_range(place, f"{first['msg']}, got {first['input']!r}") from None


def _vector_config(vector: VectorBody, body: CollectionBody, engine: EngineBody) -> VectorConfig:
    chosen: dict[str, Any] = {}
    chosen.update(_encoding(vector.quantization_config or body.quantization_config))
    chosen.update(DATATYPES[vector.datatype or "float32"])
    chosen.update(_graph(body.hnsw_config))
    chosen.update(_graph(vector.hnsw_config))
    chosen.update(engine.model_dump(include=SPACE_OPTIONS, exclude_none=True))
    return VectorConfig(vector.size, Distance(vector.distance.lower()), **chosen)


def _encoding(quantization: Any) -> dict[str, str]:
    if quantization is None:
        return {}
    ((kind, asked),) = quantization.model_dump().items()
    if kind == "scalar":
        return {"encoding": "8"}
    if kind == "product":
        return {"encoding": PRODUCT_BITS[asked["compression"]]}
    if kind == "binary":
        return {"encoding": BINARY_BITS[asked["encoding"] or "one_bit"]}
    return {"encoding": TURBO_BITS[asked["bits"] or "bits4"]}


def _graph(hnsw: HnswBody | None) -> dict[str, int]:
    """Return M and ef_construction, brought into the engine's range; M = 0 means its default."""
    chosen = {}
    if hnsw is not None and hnsw.m:
        chosen["M"] = min(max(hnsw.m, MIN_M), MAX_M)
    if hnsw is not None and hnsw.ef_construct is not None:
        chosen["ef_construction"] = min(
            max(hnsw.ef_construct, MIN_EF_CONSTRUCTION), MAX_EF_CONSTRUCTION
        )
    return chosen


def _maintenance(body: CollectionBody, engine: EngineBody, size: int) -> dict[str, Any]:
    """Return when to seal and compact.

    ``indexing_threshold`` 0 turns sealing off as far as the engine goes; a value above the engine's
    own thresholds (kilobytes of float32) postpones it.
    """
    optimizers = body.optimizers_config or OptimizersBody()
    chosen: dict[str, Any] = {}
    if optimizers.deleted_threshold:
        chosen["dead_ratio"] = optimizers.deleted_threshold
    threshold = optimizers.indexing_threshold
    if threshold is not None:
        rows = threshold * 1024 // (size * FLOAT_BYTES) if threshold else MAX_SEAL_ROWS
        chosen["seal_rows"] = min(max(rows, DEFAULT_SEAL_ROWS), MAX_SEAL_ROWS)
        chosen["quiet_rows"] = min(max(rows, DEFAULT_QUIET_ROWS), MAX_SEAL_ROWS)
    chosen.update(engine.model_dump(exclude=SPACE_OPTIONS, exclude_none=True))
    return chosen


def _merge_vectors(declared: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    one = "distance" in declared and not isinstance(declared["distance"], dict)
    named: dict[str, Any] = {"": declared} if one else dict(declared)
    for name, change in changes.items():
        if name not in named:
            raise UnknownVectorName(name, list(named))
        named[name] = _overlay(named[name], change)
    merged: dict[str, Any] = named[""] if one else named
    return merged


def _overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``below`` with the values of ``above``, objects merged; nulls change nothing."""
    merged = dict(below)
    for key, value in above.items():
        if value == "Disabled":
            merged.pop(key, None)
        elif isinstance(value, dict) and key != "quantization_config":
            merged[key] = _overlay(merged.get(key) or {}, value)
        elif value is not None:
            merged[key] = value
    return merged
