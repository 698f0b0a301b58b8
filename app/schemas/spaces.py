"""What bodies say of one vector name: size, distance, graph, codes, sets, sparse modifier.

Unknown fields are refused and types are strict, as in Qdrant's own models.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
)

from palimpsest.index import MAX_SIZE

MAX_COUNT = 2**64 - 1  # of what is counted in an unsigned number
Memory = Literal["cold", "cached", "pinned"]
Datatype = Literal["float32", "float16", "uint8", "turbo4", "turbo8", "turbo16"]
Distances = Literal["Cosine", "Dot", "Euclid", "Manhattan"]


# The context in which what was declared before is read: earlier releases refused less.
STORED: dict[str, Any] = {"stored": True}


def _of_sparse(datatype: Datatype, about: ValidationInfo) -> Datatype:
    if datatype.startswith("turbo") and about.context is not STORED:
        raise ValueError("sparse vectors are kept as float32, float16 or uint8")
    return datatype


SparseDatatype = Annotated[Datatype, AfterValidator(_of_sparse)]


class Body(BaseModel):
    """Base of all request bodies."""

    model_config = ConfigDict(extra="forbid", strict=True)


class HnswBody(Body):
    """Graph parameters; placement hints are kept and have no effect."""

    m: int | None = Field(default=None, ge=0, le=MAX_COUNT)
    ef_construct: int | None = Field(default=None, ge=4, le=MAX_COUNT)
    full_scan_threshold: int | None = Field(default=None, ge=0, le=MAX_COUNT)
    max_indexing_threads: int | None = Field(default=None, ge=0, le=MAX_COUNT)
    on_disk: bool | None = None
    memory: Memory | None = None
    payload_m: int | None = Field(default=None, ge=0, le=MAX_COUNT)
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


def _kind(value: Any, kinds: tuple[str, ...]) -> str | None:
    """Return the tag of the one kind that is given, None where it is not one."""
    given = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    found = [f"<{kind}>" for kind in kinds if given.get(kind) is not None]
    return found[0] if len(found) == 1 else None


def _quantization_kind(value: Any) -> str | None:
    return _kind(value, ("scalar", "product", "binary", "turbo"))


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


class MultivectorBody(Body):
    """Points have sets of vectors, compared by the sum of each query vector's best similarity."""

    comparator: Literal["max_sim"]


class VectorBody(Body):
    """One named vector."""

    size: int = Field(ge=1, le=MAX_SIZE)
    distance: Distances
    hnsw_config: HnswBody | None = None
    quantization_config: Quantization | None = None
    on_disk: bool | None = None
    memory: Memory | None = None
    datatype: Datatype | None = None
    multivector_config: MultivectorBody | None = None


class VectorChange(Body):
    """What may change of a named vector."""

    hnsw_config: HnswBody | None = None
    quantization_config: QuantizationChange | None = None
    on_disk: bool | None = None
    memory: Memory | None = None


class SparseIndexBody(Body):
    """Kept and given back; postings are held in memory as float32."""

    full_scan_threshold: int | None = Field(default=None, ge=0, le=MAX_COUNT)
    on_disk: bool | None = None
    memory: Memory | None = None
    datatype: SparseDatatype | None = None


class SparseBody(Body):
    """One sparse vector name."""

    index: SparseIndexBody | None = None
    modifier: Literal["none", "idf"] | None = None


class DenseNameBody(Body):
    """A dense vector name to add to a collection."""

    size: int = Field(ge=1, le=MAX_SIZE)
    distance: Distances
    multivector_config: MultivectorBody | None = None
    datatype: Datatype | None = None


class SparseNameBody(Body):
    """A sparse vector name to add to a collection."""

    modifier: Literal["none", "idf"] | None = None
    datatype: SparseDatatype | None = None


class DenseName(Body):
    """``{"dense": {...}}``."""

    dense: DenseNameBody


class SparseName(Body):
    """``{"sparse": {...}}``."""

    sparse: SparseNameBody


def _name_kind(value: Any) -> str | None:
    return _kind(value, ("dense", "sparse"))


VectorName = Annotated[
    Annotated[DenseName, Tag("<dense>")] | Annotated[SparseName, Tag("<sparse>")],
    Discriminator(
        _name_kind,
        custom_error_type="name_kind",
        custom_error_message="expected an object with `dense` or `sparse`",
    ),
]


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
