"""Embedding versions on the wire: bodies, query strings and replies of ``.../versions``.

What the caller says of a version's space is kept beside the engine's settings, in the form of
Qdrant's ``VectorParams``: it is what ``GET /collections/{name}`` shows once the version is active.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple, TypeAlias, TypedDict, cast

from pydantic import ConfigDict, Field

from palimpsest.app.errors import wrong_input
from palimpsest.app.schemas.changes import is_one
from palimpsest.app.schemas.column_configs import encoding_of
from palimpsest.app.schemas.declarations import to_space
from palimpsest.app.schemas.spaces import Body, Distances, HnswBody, Quantization, VectorBody
from palimpsest.index import (
    MAX_SIZE,
    CollectionConfig,
    FitRequest,
    VectorConfig,
    VersionConflict,
    VersionInfo,
)

State: TypeAlias = Literal["shadow", "active", "serving", "retired"]
EncodingName: TypeAlias = Literal["float32", "8", "4", "2", "1", 8, 4, 2, 1]
MAX_MODEL = 1_000  # characters

_SPACE = {"size", "distance", "hnsw_config", "quantization_config", "on_disk"}


class VersionBody(Body):
    """Body of ``PUT versions/{version}``; what is not given is as in the active version."""

    vector: str = ""
    size: int = Field(ge=1, le=MAX_SIZE)
    distance: Distances | None = None
    model: str | None = Field(default=None, max_length=MAX_MODEL)
    encoding: EncodingName | None = None
    hnsw_config: HnswBody | None = None
    quantization_config: Quantization | None = None
    on_disk: bool | None = None
    multivector_config: Any = None
    fde: Any = None


class ActivationBody(Body):
    """Body of ``POST versions/{version}/activate``.

    It is refused when the share of points that hold the version is below ``coverage_floor`` and
    the quality of its answers, as its adapters promise it, below ``quality_floor``, and when no
    adapter leads to some points; not with ``force``.
    """

    vector: str = ""
    force: bool = False
    coverage_floor: float | None = Field(default=None, ge=0, le=1)
    quality_floor: float | None = Field(default=None, ge=0, le=1)


class RetirementBody(Body):
    """Body of ``POST versions/{version}/retire``."""

    vector: str = ""
    force: bool = False


class ConsolidationBody(Body):
    """Body of ``POST versions/{version}/consolidate``: whose rows are mapped into the version."""

    vector: str = ""
    rows: str


class VectorParameters(Body):
    """Query string of ``DELETE adapters/{rows}/{queries}``."""

    model_config = ConfigDict(strict=False)  # everything in a query string is text

    vector: str = ""


class DropParameters(VectorParameters):
    """Query string of ``DELETE versions/{version}``."""

    force: bool = False


class VersionReply(TypedDict):
    """One version of a vector name.

    ``points`` hold a vector of it, which is ``coverage`` of those that hold any version;
    ``mapped_from`` is the version whose rows its own were made from by an adapter, null for rows
    that a model made.
    """

    vector: str
    version: str
    model: str | None
    size: int
    distance: str
    encoding: str
    state: State
    points: int
    coverage: float
    bytes_per_vector: float
    mapped_from: str | None


class VersionsReply(TypedDict):
    """All versions of all dense vector names, in the order they were declared."""

    versions: list[VersionReply]


class ConsolidationReply(TypedDict):
    """How many rows were mapped."""

    points: int


class Declaration(NamedTuple):
    """A version to declare: its space, the model's name, and how the caller described it."""

    space: VectorConfig
    model: str | None
    described: dict[str, Any]


def to_version(body: VersionBody, config: CollectionConfig, version: str) -> Declaration:
    """Return the version that a body declares.

    What the body leaves out is as in the same version where it is declared already, so that to ask
    again for less is to ask for the same; otherwise as in the active version.

    Raises:
        Refusal: a clause is unsupported, contradicts another, or is out of range.
        VersionConflict: the version is declared already, and encoded differently.
        UnknownVectorName: there is no dense vector of that name.
    """
    for clause in ("multivector_config", "fde"):
        if getattr(body, clause) is not None:
            raise wrong_input(
                f"`{clause}` is not supported of a version, which is of a dense vector: declare "
                "multi-vectors under a name of their own"
            )
    declared = config.find(body.vector)
    if declared is not None and not isinstance(declared, VectorConfig):
        raise wrong_input(
            f"Vector {body.vector!r} is declared {declared.kind}: versions are of dense vectors"
        )
    if body.encoding is not None and body.quantization_config is not None:
        raise wrong_input(
            "`encoding` and `quantization_config` both say how vectors are encoded: give one"
        )
    held, model, like = _like(body.vector, config, version)
    is_declared = version in {one.version for one in config.versions_of(body.vector)}
    given = body.model_dump(include=_SPACE, exclude_none=True)
    described = {**{name: one for name, one in like.items() if name != "size"}, **given}
    encoding: str = held.encoding
    if body.encoding is not None:
        encoding = str(body.encoding)
    elif body.quantization_config is not None:
        encoding = encoding_of(body.quantization_config)
    named = body.encoding is not None or body.quantization_config is not None
    fixed = held.fixed_encoding or (named and not is_declared)
    space = to_space(
        VectorBody.model_validate(described), body.vector, config, encoding, fixed=fixed
    )
    if is_declared and replace(space, size=held.size, distance=held.distance) != held:
        raise VersionConflict(
            f"Version {version!r} of vector {body.vector!r} is declared already, encoded as "
            f"{held.encoding!r} with M {held.M} and ef_construction {held.ef_construction}: choose "
            "another name, or drop it first"
        )
    return Declaration(space, model if body.model is None else body.model, described)


def _like(
    vector: str, config: CollectionConfig, version: str
) -> tuple[VectorConfig, str | None, Mapping[str, Any]]:
    """Return space, model and description that hold for what a body leaves out."""
    known = {one.version: one for one in config.versions_of(vector)}
    same = known.get(version)
    if same is None:
        return config.dense[vector], None, declared_space(config.declared, vector)
    if same.state == "active":
        return config.dense[vector], same.model, declared_space(config.declared, vector)
    return config.dense_spaces[config.column_of(same)], same.model, same.declared


def declared_space(declared: Mapping[str, Any], vector: str) -> Mapping[str, Any]:
    """Return how a dense vector name is described by a collection."""
    vectors: Mapping[str, Any] = declared.get("vectors") or {}
    found: Mapping[str, Any] = vectors if is_one(vectors) else vectors[vector]
    return found


def describe_reverse(back: FitRequest, there: int, needed: int) -> str:
    """Return a text that says why an adapter back is not fitted, and when it will be."""
    return (
        f"queries of version {back.queries!r} will not find points that hold version "
        f"{back.rows!r} alone: an adapter is fitted for them by itself once {needed} points hold "
        f"both versions, {there} do now"
    )


def to_versions_reply(versions: Sequence[VersionInfo]) -> VersionsReply:
    """Return versions as they are sent."""
    return {"versions": [_reply(one) for one in versions]}


def _reply(one: VersionInfo) -> VersionReply:
    return {
        "vector": one.vector,
        "version": one.version,
        "model": one.model,
        "size": one.size,
        "distance": one.distance.capitalize(),
        "encoding": one.encoding,
        "state": cast(State, one.state),
        "points": one.points,
        "coverage": one.coverage,
        "bytes_per_vector": one.bytes_per_vector,
        "mapped_from": one.mapped_from,
    }
