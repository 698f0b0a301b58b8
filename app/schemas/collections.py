"""Bodies of ``PUT`` and ``PATCH`` on a collection. What they mean is in ``declarations``.

Unknown fields are refused and types are strict, as Qdrant's own models are.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from palimpsest.app.schemas.spaces import (
    MAX_COUNT,
    STORED,
    Body,
    HnswBody,
    Memory,
    Quantization,
    QuantizationChange,
    SparseBody,
    VectorChange,
    Vectors,
)

MAX_SMALL_COUNT = 2**32 - 1  # of shards and replicas
Bytes = Annotated[int, Field(ge=0, le=MAX_COUNT)]
AtLeastOne = Annotated[int, Field(ge=1, le=MAX_COUNT)]


def _not_zero(count: int, about: ValidationInfo) -> int:
    if not 1 <= count <= MAX_SMALL_COUNT and about.context is not STORED:
        raise PydanticCustomError(
            "nonzero",
            "expected an integer from 1 to {most}, got {count}",
            {"most": MAX_SMALL_COUNT, "count": count},
        )
    return count


# What Qdrant keeps as a number that cannot be 0 is a matter of shape, not of range.
NonZero = Annotated[
    int,
    AfterValidator(_not_zero),
    Field(json_schema_extra={"minimum": 1, "maximum": MAX_SMALL_COUNT}),
]


def _not_pinned(memory: Memory, about: ValidationInfo) -> Memory:
    if memory == "pinned" and about.context is not STORED:
        raise ValueError("`pinned` is not supported for payload storage: use `cached`")
    return memory


class OptimizersBody(Body):
    """Upkeep: ``deleted_threshold`` and ``indexing_threshold`` (kilobytes) have an effect here."""

    deleted_threshold: float | None = Field(default=None, ge=0, le=1)
    vacuum_min_vector_number: int | None = Field(default=None, ge=0, le=MAX_COUNT)
    default_segment_number: int | None = Field(default=None, ge=0, le=MAX_COUNT)
    max_segment_size: Bytes | None = None
    memmap_threshold: Bytes | None = None
    indexing_threshold: Bytes | None = None
    flush_interval_sec: int | None = Field(default=None, ge=0, le=MAX_COUNT)
    max_optimization_threads: Bytes | Literal["auto"] | None = None
    prevent_unoptimized: bool | None = None


class WalBody(Body):
    """Kept and given back; the log is SQLite's."""

    wal_capacity_mb: int | None = Field(default=None, ge=1, le=MAX_COUNT)
    wal_segments_ahead: int | None = Field(default=None, ge=0, le=MAX_COUNT)
    wal_retain_closed: int | None = Field(default=None, ge=0, le=MAX_COUNT)


class MultivectorLimit(Body):
    """Limit of one multi-vector name."""

    max_vectors: AtLeastOne | None = None


class SparseLimit(Body):
    """Limit of one sparse vector name."""

    max_length: AtLeastOne | None = None


class StrictModeBody(Body):
    """What ``app.strict`` enforces once ``enabled``; rates are per minute."""

    enabled: bool | None = None
    max_query_limit: AtLeastOne | None = None
    max_timeout: AtLeastOne | None = None
    unindexed_filtering_retrieve: bool | None = None
    unindexed_filtering_update: bool | None = None
    search_max_hnsw_ef: AtLeastOne | None = None
    search_allow_exact: bool | None = None
    search_max_oversampling: float | None = Field(default=None, ge=1)
    upsert_max_batchsize: AtLeastOne | None = None
    search_max_batchsize: AtLeastOne | None = None
    max_collection_vector_size_bytes: AtLeastOne | None = None
    max_collection_payload_size_bytes: AtLeastOne | None = None
    max_points_count: AtLeastOne | None = None
    read_rate_limit: AtLeastOne | None = None
    write_rate_limit: AtLeastOne | None = None
    filter_max_conditions: AtLeastOne | None = None
    condition_max_size: AtLeastOne | None = None
    multivector_config: dict[str, MultivectorLimit] | None = None
    sparse_config: dict[str, SparseLimit] | None = None
    max_payload_index_count: int | None = Field(default=None, ge=0, le=MAX_COUNT)
    max_resident_memory_percent: int | None = Field(default=None, ge=1, le=100)


class PlacementBody(Body):
    """Where a component is kept; has no effect."""

    memory: Memory | None = None


class PayloadPlacementBody(Body):
    """Where payloads are kept; has no effect, and cannot be asked to be pinned."""

    memory: Annotated[Memory, AfterValidator(_not_pinned)] | None = None


class ParamsChange(Body):
    """Collection parameters of ``PATCH``; none has an effect on a single node."""

    replication_factor: NonZero | None = None
    write_consistency_factor: NonZero | None = None
    read_fan_out_factor: int | None = Field(default=None, ge=0, le=MAX_COUNT)
    read_fan_out_delay_ms: int | None = Field(default=None, ge=0, le=MAX_COUNT)
    on_disk_payload: bool | None = None
    payload: PayloadPlacementBody | None = None
    id_tracker: PlacementBody | None = None


class CollectionBody(Body):
    """Body of ``PUT /collections/{name}``."""

    vectors: Vectors | None = None
    sparse_vectors: dict[str, SparseBody] | None = None
    shard_number: NonZero | None = None
    sharding_method: Literal["auto", "custom"] | None = None
    replication_factor: NonZero | None = None
    write_consistency_factor: NonZero | None = None
    on_disk_payload: bool | None = None
    payload: PayloadPlacementBody | None = None
    id_tracker: PlacementBody | None = None
    hnsw_config: HnswBody | None = None
    wal_config: WalBody | None = None
    optimizers_config: OptimizersBody | None = None
    quantization_config: Quantization | None = None
    strict_mode_config: StrictModeBody | None = None
    metadata: dict[str, Any] | None = None


class CollectionChange(Body):
    """Body of ``PATCH /collections/{name}``."""

    vectors: dict[str, VectorChange] | None = None
    sparse_vectors: dict[str, SparseBody] | None = None
    optimizers_config: OptimizersBody | None = None
    params: ParamsChange | None = None
    hnsw_config: HnswBody | None = None
    quantization_config: QuantizationChange | None = None
    strict_mode_config: StrictModeBody | None = None
    metadata: dict[str, Any] | None = None


class Declaration(CollectionBody):
    """A collection as declared: the body of its ``PUT`` with every ``PATCH`` merged in."""

    read_fan_out_factor: int | None = None
    read_fan_out_delay_ms: int | None = None


class FdeBody(Body):
    """How a set of vectors becomes the one that finds it: a preset, and what differs from it."""

    preset: Literal["light", "quality"] | None = None
    k_sim: int | None = None
    projected: int | None = None
    repetitions: int | None = None
    final: int | None = None
    seed: int | None = None


class TokensBody(Body):
    """How the vectors of a set are coded."""

    bits: Literal[8, 4, 2] | None = None


class SpaceBody(Body):
    """How the rows of a vector name are kept; the last four are about multi-vectors alone."""

    encoding: Literal["float32", "8", "4", "2", "1"] | None = None
    originals: Literal["float32", "float16", "int8", "none"] | None = None
    order: Literal["shuffle", "lid_desc"] | None = None
    recall: float | None = None
    fde: FdeBody | None = None
    tokens: TokensBody | None = None
    pool: int | None = None
    max_vectors: int | None = None


class EngineBody(SpaceBody):
    """``metadata.palimpsest``: what Qdrant's bodies have no field for.

    What it says of rows holds for all vector names, but for what ``vectors`` says of one.
    """

    vectors: dict[str, SpaceBody] | None = None
    seal_rows: int | None = None
    quiet_rows: int | None = None
    quiet_seconds: float | None = None
    tier_factor: int | None = None
    dead_ratio: float | None = None
