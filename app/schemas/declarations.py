"""What a declared collection means to the engine.

Qdrant's quantization settings map onto codes of the same size or the next smaller one, but product
x64 onto 1 bit, the smallest there is (x32); a collection that asks for none gets the engine's
default. What is not carried out is kept, given back and named (``app.schemas.unmet``).
``metadata.palimpsest`` overrides all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from palimpsest.app.errors import out_of_range, unsupported, wrong_input
from palimpsest.app.schemas.collections import (
    CollectionBody,
    CollectionChange,
    EngineBody,
    OptimizersBody,
)
from palimpsest.app.schemas.spaces import (
    STORED,
    DenseName,
    HnswBody,
    Quantization,
    SparseName,
    VectorBody,
)
from palimpsest.index import (
    DEFAULT_SEAL_ROWS,
    MAX_EF_CONSTRUCTION,
    MAX_M,
    MAX_SEAL_ROWS,
    MIN_EF_CONSTRUCTION,
    MIN_M,
    NO_GRAPH,
    CollectionConfig,
    Distance,
    InvalidConfig,
    MaintenanceConfig,
    SparseConfig,
    VectorConfig,
)

KILOBYTE = 1024
FLOAT_BYTES = 4
DATATYPE_BYTES = {"float32": FLOAT_BYTES, "float16": 2, "uint8": 1}
SPACE_OPTIONS = {"encoding", "originals", "order"}  # of EngineBody; the others are about upkeep
PRODUCT_BITS = {"x4": "8", "x8": "4", "x16": "2", "x32": "1", "x64": "1"}
BINARY_BITS = {"one_bit": "1", "one_and_half_bits": "1", "two_bits": "2"}
TURBO_BITS = {"bits1": "1", "bits1_5": "1", "bits2": "2", "bits4": "4", "bits8": "8"}
DATATYPES: dict[str, dict[str, Any]] = {
    "float32": {},
    "float16": {"datatype": "float16", "originals": "float16"},
    "uint8": {"datatype": "uint8", "originals": "float16"},  # whose integers are exact in it
    "turbo16": {"originals": "float16"},
    "turbo8": {"originals": "int8"},
    "turbo4": {"originals": "none", "encoding": "4"},
}


def to_config(body: CollectionBody) -> CollectionConfig:
    """Return the engine's configuration of a declared collection. Raises Refusal."""
    _refuse_unsupported(body)
    engine = _engine_options(body.metadata or {})
    named = _dense(body)
    sparse = {
        name: SparseConfig(each.modifier or "none")
        for name, each in (body.sparse_vectors or {}).items()
    }
    try:
        dense = {name: _vector_config(vector, body, engine) for name, vector in named.items()}
        maintenance = MaintenanceConfig(**_maintenance(body, engine, _row_bytes(dense.values())))
    except InvalidConfig as error:
        raise out_of_range("collection", str(error)) from None
    return CollectionConfig({**dense, **sparse}, maintenance, declared=to_json(body))


def to_vector(
    body: DenseName | SparseName, config: CollectionConfig
) -> VectorConfig | SparseConfig:
    """Return the configuration of a vector name to add to a collection. Raises Refusal."""
    if isinstance(body, SparseName):
        return SparseConfig(body.sparse.modifier or "none")
    if body.dense.multivector_config is not None:
        raise unsupported("multivector_config")
    vector = VectorBody.model_validate(body.dense.model_dump(exclude_none=True))
    return to_space(vector, config)


def to_space(
    vector: VectorBody,
    config: CollectionConfig,
    encoding: str | None = None,
    *,
    fixed: bool = True,
) -> VectorConfig:
    """Return the configuration of a further dense vector of a collection.

    Args:
        vector: as it is described.
        config: of the collection, whose own defaults hold for what is not described.
        encoding: how rows are encoded whatever else says.
        fixed: whether that was asked for by name.

    Raises:
        Refusal: 422 for what the engine cannot have.
    """
    whole = CollectionBody.model_validate(_without_vectors(config.declared), context=STORED)
    engine = _engine_options(whole.metadata or {})
    if encoding is not None:
        engine = engine.model_copy(update={"encoding": encoding})
    try:
        space = _vector_config(vector, whole, engine)
        return space if encoding is None else replace(space, fixed_encoding=fixed)
    except InvalidConfig as error:
        raise out_of_range("dense", str(error)) from None


def encoding_of(quantization: Quantization) -> str:
    """Return the engine's encoding that Qdrant's settings map onto."""
    return _encoding(quantization)["encoding"]


def to_json(body: CollectionBody | CollectionChange) -> dict[str, Any]:
    """Return a declaration as it is stored: only what was given, without nulls."""
    return {
        name: value
        for name, value in body.model_dump(exclude_unset=True).items()
        if value is not None
    }


def _dense(body: CollectionBody) -> dict[str, VectorBody]:
    """Return the declared dense vectors by name."""
    if body.vectors is None:
        return {}
    return body.vectors if isinstance(body.vectors, dict) else {"": body.vectors}


def _without_vectors(declared: Mapping[str, Any]) -> dict[str, Any]:
    fields = CollectionBody.model_fields.keys() - {"vectors", "sparse_vectors"}
    return {name: value for name, value in declared.items() if name in fields}


def _refuse_unsupported(body: CollectionBody) -> None:
    if body.sharding_method == "custom":
        raise unsupported("sharding_method: custom")
    dense, sparse = _dense(body), body.sparse_vectors or {}
    if any(vector.multivector_config is not None for vector in dense.values()):
        raise unsupported("multivector_config")
    if "" in sparse:
        raise wrong_input("Sparse vector name cannot be empty")
    twice = sorted(dense.keys() & sparse.keys())
    if twice:
        raise wrong_input(f"Vector {twice[0]!r} is declared both dense and sparse: choose one")


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
    chosen.update(_datatype(vector))
    chosen.update(_graph(body.hnsw_config))
    chosen.update(_graph(vector.hnsw_config))
    chosen.update(engine.model_dump(include=SPACE_OPTIONS, exclude_none=True))
    named = "encoding" in chosen
    distance = Distance(vector.distance.lower())
    return VectorConfig(vector.size, distance, **chosen, fixed_encoding=named)


def _datatype(vector: VectorBody) -> dict[str, Any]:
    chosen = dict(DATATYPES[vector.datatype or "float32"])
    if vector.distance == "Manhattan" and chosen.get("originals") == "none":
        chosen["originals"] = "int8"  # it is searched by originals
    if vector.distance == "Cosine" and vector.datatype == "uint8":
        del chosen["originals"]  # unit vectors of bytes are no bytes
    return chosen


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
    """Return M and ef_construction, brought into the engine's range; M = 0 means no graph."""
    chosen = {}
    if hnsw is not None and hnsw.m is not None:
        chosen["M"] = min(max(hnsw.m, MIN_M), MAX_M) if hnsw.m else NO_GRAPH
    if hnsw is not None and hnsw.ef_construct is not None:
        chosen["ef_construction"] = min(
            max(hnsw.ef_construct, MIN_EF_CONSTRUCTION), MAX_EF_CONSTRUCTION
        )
    return chosen


def kilobytes(rows: int, config: CollectionConfig) -> int:
    """Return the size of so many rows, in which thresholds are given."""
    own = [config.dense[name] for name in config.names if name in config.dense]
    return -(-rows * _row_bytes(own) // KILOBYTE)


def _row_bytes(dense: Iterable[VectorConfig]) -> int:
    """Return what thresholds take for the bytes of a row: of the largest vector, uncompressed."""
    return max((v.size * DATATYPE_BYTES[v.datatype] for v in dense), default=FLOAT_BYTES)


def _maintenance(body: CollectionBody, engine: EngineBody, row_bytes: int) -> dict[str, Any]:
    """Return when to seal and compact.

    ``indexing_threshold`` (kilobytes) is how many growing rows are sealed once writes pause; 0
    turns sealing off as far as the engine goes. Above the engine's own limit it also postpones the
    seal of rows that are written without a pause.
    """
    optimizers = body.optimizers_config or OptimizersBody()
    chosen: dict[str, Any] = {}
    if optimizers.deleted_threshold:
        chosen["dead_ratio"] = optimizers.deleted_threshold
    threshold = optimizers.indexing_threshold
    if threshold is not None:
        rows = -(-threshold * KILOBYTE // row_bytes) if threshold else MAX_SEAL_ROWS
        chosen["seal_rows"] = min(max(rows, DEFAULT_SEAL_ROWS), MAX_SEAL_ROWS)
        chosen["quiet_rows"] = min(rows, MAX_SEAL_ROWS)
    chosen.update(engine.model_dump(exclude=SPACE_OPTIONS, exclude_none=True))
    return chosen
