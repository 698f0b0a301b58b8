"""What a declared collection means to the engine.

Each of its vector names is settled in ``app.schemas.column_configs``. What is not carried out is
kept, given back and named (``app.schemas.unmet``). ``metadata.palimpsest`` overrides all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from palimpsest.app.errors import out_of_range, unsupported, wrong_input
from palimpsest.app.schemas.collections import (
    CollectionBody,
    CollectionChange,
    EngineBody,
    FdeBody,
    OptimizersBody,
    SpaceBody,
    TokensBody,
)
from palimpsest.app.schemas.column_configs import Described, config_of
from palimpsest.app.schemas.spaces import STORED, DenseName, SparseName, VectorBody
from palimpsest.index import (
    DEFAULT_SEAL_ROWS,
    MAX_SEAL_ROWS,
    CollectionConfig,
    ColumnConfig,
    InvalidConfig,
    MaintenanceConfig,
    MultiConfig,
    SparseConfig,
    VectorConfig,
)

KILOBYTE = 1024
FLOAT_BYTES = 4
DATATYPE_BYTES = {"float32": FLOAT_BYTES, "float16": 2, "uint8": 1}
TYPICAL_SET = 128  # vectors, where a threshold in kilobytes is about rows of no size of their own
UPKEEP_OPTIONS = EngineBody.model_fields.keys() - SpaceBody.model_fields.keys() - {"vectors"}


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
        own = {name: config_of(name, vector, body, engine) for name, vector in named.items()}
        maintenance = MaintenanceConfig(**_maintenance(body, engine, _row_bytes(own.values())))
    except InvalidConfig as error:
        raise out_of_range("collection", str(error)) from None
    return CollectionConfig({**own, **sparse}, maintenance, declared=to_json(body))


def to_vector(
    body: DenseName | SparseName, name: str, config: CollectionConfig
) -> Described | SparseConfig:
    """Return the configuration of a vector name to add to a collection. Raises Refusal."""
    if isinstance(body, SparseName):
        return SparseConfig(body.sparse.modifier or "none")
    vector = VectorBody.model_validate(body.dense.model_dump(exclude_none=True))
    try:
        return config_of(name, vector, *_whole(config))
    except InvalidConfig as error:
        raise out_of_range("dense", str(error)) from None


def to_space(vector: VectorBody, name: str, config: CollectionConfig, own: SpaceBody) -> Described:
    """Return the configuration of a version of a vector name.

    Args:
        vector: as it is described.
        name: of the vector.
        config: of the collection, whose own defaults hold for what is not described.
        own: how rows are kept, whatever else says; what it leaves out and the collection says of
            the name holds for a version of the same kind.

    Raises:
        Refusal: 422 for what the engine cannot have.
    """
    whole, engine = _whole(config)
    known = (engine.vectors or {}).get(name) or SpaceBody()
    if (vector.multivector_config is None) is isinstance(config.find(name), MultiConfig):
        known = SpaceBody()  # it is about the other kind
    own = known.model_copy(update=own.model_dump(include=own.model_fields_set) | _nested(own))
    try:
        return config_of(name, vector, whole, engine.model_copy(update={"vectors": {name: own}}))
    except InvalidConfig as error:
        raise out_of_range("dense", str(error)) from None


def _nested(own: SpaceBody) -> dict[str, Any]:
    """Return the settings that have settings of their own, as they are."""
    given = {"fde": own.fde, "tokens": own.tokens}
    return {name: one for name, one in given.items() if one is not None}


def to_json(body: CollectionBody | CollectionChange) -> dict[str, Any]:
    """Return a declaration as it is stored: only what was given, without nulls."""
    return {
        name: value
        for name, value in body.model_dump(exclude_unset=True).items()
        if value is not None
    }


def _whole(config: CollectionConfig) -> tuple[CollectionBody, EngineBody]:
    """Return what a collection says of all its vectors, and its ``metadata.palimpsest``."""
    whole = CollectionBody.model_validate(_without_vectors(config.declared), context=STORED)
    return whole, _engine_options(whole.metadata or {})


def _dense(body: CollectionBody) -> dict[str, VectorBody]:
    """Return the declared dense vectors and multi-vectors by name."""
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
        names = [str(name) or '""' for name in first["loc"]]
        place = ".".join(("metadata.palimpsest", *names))
        reason = first["msg"]
        if first["type"] == "extra_forbidden":
            reason = f"there is no such setting; there are {', '.join(_settings_at(first['loc']))}"
        raise out_of_range(place, f"{reason}, got {first['input']!r}") from None


def _settings_at(place: Sequence[int | str]) -> Sequence[str]:
    """Return the settings that there are beside one of ``metadata.palimpsest``."""
    for name, body in (("fde", FdeBody), ("tokens", TokensBody)):
        if name in place[:-1]:
            return sorted(body.model_fields)
    return sorted((SpaceBody if "vectors" in place[:-1] else EngineBody).model_fields)


def kilobytes(rows: int, config: CollectionConfig) -> int:
    """Return the size of so many rows, in which thresholds are given."""
    return -(-rows * _row_bytes(config.vectors[name] for name in config.names) // KILOBYTE)


def _row_bytes(declared: Iterable[ColumnConfig]) -> int:
    """Return what thresholds take for the bytes of a row: of the largest vector, uncompressed."""
    sizes = [
        one.size
        * DATATYPE_BYTES[one.datatype]
        * (TYPICAL_SET if isinstance(one, MultiConfig) else 1)
        for one in declared
        if isinstance(one, VectorConfig | MultiConfig)
    ]
    return max(sizes, default=FLOAT_BYTES)


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
    chosen.update(engine.model_dump(include=UPKEEP_OPTIONS, exclude_none=True))
    return chosen
