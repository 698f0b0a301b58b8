"""What a described vector name means to the engine: how its rows are coded, kept and linked.

Qdrant's quantization settings map onto codes of the same size or the next smaller one, but product
x64 onto 1 bit, the smallest there is (x32), and for the vectors of a set whatever is smaller than 2
bits onto these. What ``metadata.palimpsest`` says of a name overrides all.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from palimpsest.app.errors import Refusal, out_of_range
from palimpsest.app.schemas.collections import CollectionBody, EngineBody, FdeBody, SpaceBody
from palimpsest.app.schemas.spaces import HnswBody, Quantization, VectorBody
from palimpsest.index import (
    FDE_PRESETS,
    MAX_EF_CONSTRUCTION,
    MAX_M,
    MIN_EF_CONSTRUCTION,
    MIN_M,
    NO_GRAPH,
    Distance,
    FdeConfig,
    MultiConfig,
    VectorConfig,
)

Described: TypeAlias = VectorConfig | MultiConfig

DEFAULT_PRESET = "quality"
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
MULTI_DATATYPES: dict[str, dict[str, Any]] = {
    **DATATYPES,
    "turbo8": {"originals": "none", "token_bits": 8},
    "turbo4": {"originals": "none", "token_bits": 4},
}
MULTI_ONLY = ("fde", "tokens", "pool", "max_vectors")  # of SpaceBody
ROW_SETTINGS = {"encoding", "originals", "order", "recall"}  # of SpaceBody, as are these
MULTI_SETTINGS = {"encoding", "originals", "pool", "max_vectors"}
FEWEST_TOKEN_BITS = 2


def config_of(name: str, vector: VectorBody, body: CollectionBody, engine: EngineBody) -> Described:
    """Return the configuration of a described vector name.

    Args:
        name: of the vector.
        vector: as it is described.
        body: the collection, whose own defaults hold for what is not described.
        engine: its ``metadata.palimpsest``.

    Raises:
        Refusal: 422 for a setting that vectors of the kind do not have.
        InvalidConfig: the engine cannot have it.
    """
    if vector.multivector_config is not None:
        return _multi_config(name, vector, body, engine)
    own = (engine.vectors or {}).get(name) or SpaceBody()
    for setting in MULTI_ONLY:
        if getattr(own, setting) is not None:
            raise _misplaced(name, setting, "about multi-vectors, and this name has one vector")
    chosen: dict[str, Any] = {}
    chosen.update(_encoding(vector.quantization_config or body.quantization_config))
    chosen.update(_datatype(vector))
    chosen.update(_graph(body.hnsw_config))
    chosen.update(_graph(vector.hnsw_config))
    for settings in (engine, own):
        chosen.update(settings.model_dump(include=ROW_SETTINGS, exclude_none=True))
    named = "encoding" in chosen
    distance = Distance(vector.distance.lower())
    return VectorConfig(vector.size, distance, **chosen, fixed_encoding=named)


def encoding_of(quantization: Quantization) -> str:
    """Return the engine's encoding that Qdrant's settings map onto."""
    return _encoding(quantization)["encoding"]


def _multi_config(
    name: str, vector: VectorBody, body: CollectionBody, engine: EngineBody
) -> MultiConfig:
    own = (engine.vectors or {}).get(name) or SpaceBody()
    for setting in ("order", "recall"):
        if getattr(own, setting) is not None:
            raise _misplaced(name, setting, "about vectors that are rows of a graph themselves")
    chosen: dict[str, Any] = {}
    coded = _encoding(vector.quantization_config or body.quantization_config)
    if coded:
        chosen["token_bits"] = max(int(coded["encoding"]), FEWEST_TOKEN_BITS)
    chosen.update(_multi_datatype(vector))
    chosen.update(_graph(body.hnsw_config))
    chosen.update(_graph(vector.hnsw_config))
    for settings in (engine, own):
        chosen.update(_own_multi(settings))
    if chosen.get("originals") == "int8":
        place = _place(name, "originals")
        raise out_of_range(
            place if own.originals else "metadata.palimpsest.originals",
            f"the multi-vectors {name!r} are kept as float32, float16 or none, got 'int8': say "
            f"which by `{place}`",
        )
    return MultiConfig(vector.size, Distance(vector.distance.lower()), **chosen)


def _own_multi(settings: SpaceBody) -> dict[str, Any]:
    """Return what settings of ours say of a multi-vector."""
    chosen = settings.model_dump(include=MULTI_SETTINGS, exclude_none=True)
    if settings.fde is not None:
        chosen["fde"] = _fde(settings.fde)
    if settings.tokens is not None and settings.tokens.bits is not None:
        chosen["token_bits"] = settings.tokens.bits
    return chosen


def _fde(body: FdeBody) -> FdeConfig:
    """Return the construction that a preset and what differs from it make."""
    preset = FDE_PRESETS[body.preset or DEFAULT_PRESET].to_json()
    return FdeConfig(**{**preset, **body.model_dump(exclude={"preset"}, exclude_none=True)})


def _misplaced(name: str, setting: str, why: str) -> Refusal:
    return out_of_range(_place(name, setting), f"it is {why}: leave it out")


def _place(name: str, setting: str) -> str:
    """Return where a setting of a vector name stands; the unnamed one is told by quotes."""
    quoted = name or '""'
    return f"metadata.palimpsest.vectors.{quoted}.{setting}"


def _datatype(vector: VectorBody) -> dict[str, Any]:
    chosen = dict(DATATYPES[vector.datatype or "float32"])
    if vector.distance == "Manhattan" and chosen.get("originals") == "none":
        chosen["originals"] = "int8"  # it is searched by originals
    if vector.distance == "Cosine" and vector.datatype == "uint8":
        del chosen["originals"]  # unit vectors of bytes are no bytes
    return chosen


def _multi_datatype(vector: VectorBody) -> dict[str, Any]:
    chosen = dict(MULTI_DATATYPES[vector.datatype or "float32"])
    if vector.distance in ("Euclid", "Manhattan") and chosen.get("originals") == "none":
        chosen["originals"] = "float16"  # they are searched by originals
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
