"""Bodies of ``PUT`` and ``PATCH`` on a collection. What they mean is in ``declarations``.

Unknown fields are refused and types are strict, as Qdrant's own models are.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from index import MAX_SIZE

Memory = Literal["cold", "cached", "pinned"]
Bytes = Annotated[int, Field(ge=0)]


class Body(BaseModel):
    """Base of all request bodies."""

    model_config = ConfigDict(extra="forbid", strict=True)


class HnswBody(Body):
    """Graph parameters; placement hints are kept and have no effect."""

    m: int | None = Field(default=None, ge=0)
    ef_construct: int | None = Field(default=None, ge=4)
    full_scan_threshold: int | None = Field(default=None, ge=0)
    max_indexing_threads: int | None = Field(default=None, ge=0)
    on_disk: bool | None = None
    memory: Memory | None = None
    payload_m: int | None = Field(default=None, ge=0)
    inline_storage: bool | None = None


class ScalarBody(Body):
    """Eight bits per dimension."""

    type: Literal["int8"]
    quantile: float | None = Field(default=None, ge=0.5, le=1.0)
    always_ram: bool | None = None
    memory: Memory | None = None


class ScalarQuantization(Body):
    """``{"scalar": {...}}``."""

    scalar: ScalarBody


class ProductBody(Body):
    """A compression ratio against float32."""

    compression: Literal["x4", "x8", "x16", "x32", "x64"]
    always_ram: bool | None = None
    memory: Memory | None = None


class ProductQuantization(Body):
    """``{"product": {...}}``."""

    product: ProductBody


class BinaryBody(Body):
    """One to two bits per dimension."""

    always_ram: bool | None = None
    memory: Memory | None = None
    encoding: Literal["one_bit", "one_and_half_bits", "two_bits"] | None = None
    query_encoding: Literal["default", "binary", "scalar4bits", "scalar8bits"] | None = None


class BinaryQuantization(Body):
    """``{"binary": {...}}``."""

    binary: BinaryBody


class TurboBody(Body):
    """One to eight bits per dimension."""

    always_ram: bool | None = None
    memory: Memory | None = None
    bits: Literal["bits1", "bits1_5", "bits2", "bits4", "bits8"] | None = None


class TurboQuantization(Body):
    """``{"turbo": {...}}``."""

    turbo: TurboBody


def _quantization_kind(value: Any) -> str | None:
    keys = value if isinstance(value, dict) else getattr(value, "model_fields_set", ())
    kinds = ("scalar", "product", "binary", "turbo")
    return next((f"<{kind}>" for kind in kinds if kind in keys), None)


# Tags in angle brackets are left out of error texts.
Quantization = Annotated[
    Annotated[ScalarQuantization, Tag("<scalar>")]
    | Annotated[ProductQuantization, Tag("<product>")]
    | Annotated[BinaryQuantization, Tag("<binary>")]
    | Annotated[TurboQuantization, Tag("<turbo>")],
    Discriminator(
        _quantization_kind,
        custom_error_type="quantization_kind",
        custom_error_message="expected an object with `scalar`, `product`, `binary` or `turbo`",
    ),
]
QuantizationChange = Literal["Disabled"] | Quantization


class VectorBody(Body):
    """One named vector."""

    size: int = Field(ge=1, le=MAX_SIZE)
    distance: Literal["Cosine", "Dot", "Euclid", "Manhattan"]
    hnsw_config: HnswBody | None = None
    quantization_config: Quantization | None = None
    on_disk: bool | None = None
    memory: Memory | None = None
    datatype: Literal["float32", "float16", "uint8", "turbo4", "turbo8", "turbo16"] | None = None
    multivector_config: dict[str, Any] | None = None


class VectorChange(Body):
    """What may change of a named vector."""

    hnsw_config: HnswBody | None = None
    quantization_config: QuantizationChange | None = None
    on_disk: bool | None = None
    memory: Memory | None = None


class OptimizersBody(Body):
    """Upkeep: ``deleted_threshold`` and ``indexing_threshold`` (kilobytes) have an effect here."""

    deleted_threshold: float | None = Field(default=None, ge=0, le=1)
    vacuum_min_vector_number: int | None = Field(default=None, ge=0)
    default_segment_number: int | None = Field(default=None, ge=0)
    max_segment_size: Bytes | None = None
    memmap_threshold: Bytes | None = None
    indexing_threshold: Bytes | None = None
    flush_interval_sec: int | None = Field(default=None, ge=0)
    max_optimization_threads: int | Literal["auto"] | None = None
    prevent_unoptimized: bool | None = None


class WalBody(Body):
    """Kept and given back; the log is SQLite's."""

    wal_capacity_mb: int | None = Field(default=None, ge=1)
    wal_segments_ahead: int | None = Field(default=None, ge=0)
    wal_retain_closed: int | None = Field(default=None, ge=0)


class PlacementBody(Body):
    """Where a component is kept; has no effect."""

    memory: Memory | None = None


class ParamsChange(Body):
    """Collection parameters of ``PATCH``; none has an effect on a single node."""

    replication_factor: int | None = Field(default=None, ge=1)
    write_consistency_factor: int | None = Field(default=None, ge=1)
    read_fan_out_factor: int | None = Field(default=None, ge=0)
    read_fan_out_delay_ms: int | None = Field(default=None, ge=0)
    on_disk_payload: bool | None = None
    payload: PlacementBody | None = None
    id_tracker: PlacementBody | None = None


def _vectors_kind(value: Any) -> str:
    if isinstance(value, VectorBody):
        return "<one>"
    if not isinstance(value, dict) or all(isinstance(each, dict) for each in value.values()):
        return "<named>"
    return "<one>" if "size" in value or "distance" in value else "<named>"


Vectors = Annotated[
    Annotated[VectorBody, Tag("<one>")] | Annotated[dict[str, VectorBody], Tag("<named>")],
    Discriminator(_vectors_kind),
]


class CollectionBody(Body):
    """Body of ``PUT /collections/{name}``."""

    vectors: Vectors | None = None
    sparse_vectors: dict[str, dict[str, Any]] | None = None
    shard_number: int | None = Field(default=None, ge=1)
    sharding_method: Literal["auto", "custom"] | None = None
    replication_factor: int | None = Field(default=None, ge=1)
    write_consistency_factor: int | None = Field(default=None, ge=1)
    on_disk_payload: bool | None = None
    payload: PlacementBody | None = None
    id_tracker: PlacementBody | None = None
    hnsw_config: HnswBody | None = None
    wal_config: WalBody | None = None
    optimizers_config: OptimizersBody | None = None
    quantization_config: Quantization | None = None
    strict_mode_config: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class CollectionChange(Body):
    """Body of ``PATCH /collections/{name}``."""

    vectors: dict[str, VectorChange] | None = None
    sparse_vectors: dict[str, dict[str, Any]] | None = None
    optimizers_config: OptimizersBody | None = None
    params: ParamsChange | None = None
    hnsw_config: HnswBody | None = None
    quantization_config: QuantizationChange | None = None
    strict_mode_config: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class Declaration(CollectionBody):
    """A collection as declared: the body of its ``PUT`` with every ``PATCH`` merged in."""

    read_fan_out_factor: int | None = None
    read_fan_out_delay_ms: int | None = None


class EngineBody(Body):
    """``metadata.palimpsest``: what Qdrant's bodies have no field for."""

    encoding: Literal["float32", "8", "4", "2", "1"] | None = None
    originals: Literal["float32", "float16", "int8", "none"] | None = None
    order: Literal["shuffle", "lid_desc"] | None = None
    seal_rows: int | None = None
    quiet_rows: int | None = None
    quiet_seconds: float | None = None
    tier_factor: int | None = None
    dead_ratio: float | None = None
