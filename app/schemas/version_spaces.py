"""The space of a version that a body declares: what it leaves out is as in another version.

Under one name versions may be of either kind, one vector a point or sets of them. Between two of a
kind how rows are kept is left out, too; a version of the other kind has the defaults of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, NamedTuple, TypeAlias

from pydantic import Field

from palimpsest.app.errors import wrong_input
from palimpsest.app.schemas.changes import is_one
from palimpsest.app.schemas.collections import FdeBody, SpaceBody, TokensBody
from palimpsest.app.schemas.column_configs import MULTI_ONLY, Described, encoding_of
from palimpsest.app.schemas.declarations import to_space
from palimpsest.app.schemas.spaces import (
    Body,
    Distances,
    HnswBody,
    MultivectorBody,
    Quantization,
    VectorBody,
)
from palimpsest.index import (
    MAX_SIZE,
    CollectionConfig,
    MultiConfig,
    VectorConfig,
    VersionConflict,
)

EncodingName: TypeAlias = Literal["float32", "8", "4", "2", "1", 8, 4, 2, 1]
MAX_MODEL = 1_000  # characters

_SPACE = {
    *("size", "distance", "hnsw_config", "quantization_config", "on_disk"),
    "multivector_config",
}


class VersionBody(Body):
    """Body of ``PUT versions/{version}``; what is not given is as in the active version.

    ``multivector_config`` makes it a version of sets, null one of single vectors. The last five are
    about sets alone, as in ``metadata.palimpsest``.
    """

    vector: str = ""
    size: int = Field(ge=1, le=MAX_SIZE)
    distance: Distances | None = None
    model: str | None = Field(default=None, max_length=MAX_MODEL)
    encoding: EncodingName | None = None
    hnsw_config: HnswBody | None = None
    quantization_config: Quantization | None = None
    on_disk: bool | None = None
    multivector_config: MultivectorBody | None = None
    originals: Literal["float32", "float16", "none"] | None = None
    fde: FdeBody | None = None
    tokens: TokensBody | None = None
    pool: int | None = None
    max_vectors: int | None = None


class Declaration(NamedTuple):
    """A version to declare: its space, the model's name, and how the caller described it."""

    space: Described
    model: str | None
    described: dict[str, Any]


def to_version(body: VersionBody, config: CollectionConfig, version: str) -> Declaration:
    """Return the version that a body declares.

    What the body leaves out is as in the same version where it is declared already, so that to ask
    again for less is to ask for the same; otherwise as in the active version.

    Raises:
        Refusal: a clause is unsupported, contradicts another, or is out of range.
        VersionConflict: the version is declared already, and encoded differently.
        UnknownVectorName: there is no vector of that name that an embedding model makes.
    """
    declared = config.find(body.vector)
    if declared is not None and not isinstance(declared, VectorConfig | MultiConfig):
        raise wrong_input(
            f"Vector {body.vector!r} is declared {declared.kind}: versions are of dense vectors "
            "and of multi-vectors"
        )
    if body.encoding is not None and body.quantization_config is not None:
        raise wrong_input(
            "`encoding` and `quantization_config` both say how vectors are encoded: give one"
        )
    held, model, like = _like(body.vector, config, version)
    is_declared = version in {one.version for one in config.versions_of(body.vector)}
    described = _described(body, like)
    if described.get("multivector_config") is None:
        _refuse_settings_of_sets(body)
        space = _single(body, described, held, config, is_declared=is_declared)
    else:
        space = _sets(body, described, held, config)
    if is_declared and space.kind == held.kind:
        _require_same(version, body.vector, space, held)
    return Declaration(space, model if body.model is None else body.model, described)


def _described(body: VersionBody, like: Mapping[str, Any]) -> dict[str, Any]:
    given = body.model_dump(include=_SPACE, exclude_none=True)
    described = {**{name: one for name, one in like.items() if name != "size"}, **given}
    # A null that is sent is an answer: of two kinds the active one is not meant.
    if body.multivector_config is None and "multivector_config" in body.model_fields_set:
        described.pop("multivector_config", None)
    return described


def _refuse_settings_of_sets(body: VersionBody) -> None:
    for setting in ("originals", *MULTI_ONLY):
        if getattr(body, setting) is not None:
            raise wrong_input(
                f"`{setting}` is about multi-vectors, and this version has one vector a point: "
                'leave it out, or give `"multivector_config": {"comparator": "max_sim"}`'
            )


def _single(
    body: VersionBody,
    described: Mapping[str, Any],
    held: Described,
    config: CollectionConfig,
    *,
    is_declared: bool,
) -> Described:
    """Return the space of a version of single vectors."""
    named = body.encoding is not None or body.quantization_config is not None
    kept, fixed = SpaceBody(), named
    if isinstance(held, VectorConfig):
        kept = SpaceBody(encoding=held.encoding)
        fixed = held.fixed_encoding or (named and not is_declared)
    if body.encoding is not None:
        kept = _settings(encoding=str(body.encoding))
    elif body.quantization_config is not None:
        kept = _settings(encoding=encoding_of(body.quantization_config))
    space = to_space(VectorBody.model_validate(described), body.vector, config, kept)
    assert isinstance(space, VectorConfig)  # without multivector_config
    return replace(space, fixed_encoding=fixed)


def _sets(
    body: VersionBody, described: Mapping[str, Any], held: Described, config: CollectionConfig
) -> Described:
    """Return the space of a version of sets."""
    kept: dict[str, Any] = {}
    if isinstance(held, MultiConfig):
        kept = {
            "encoding": held.encoding,
            "originals": held.originals,
            "fde": held.fde.to_json(),
            "pool": held.pool,
            "max_vectors": held.max_vectors,
            "tokens": {"bits": held.token_bits},
        }
        if body.quantization_config is not None:
            del kept["tokens"]
    given = body.model_dump(include={*kept, "originals", *MULTI_ONLY}, exclude_none=True)
    if "preset" in given.get("fde", {}):
        kept.pop("fde", None)  # a preset is whole, what differs from one is not
    if "fde" in given:
        given["fde"] = {**kept.get("fde", {}), **given["fde"]}
    if body.encoding is not None:
        given["encoding"] = str(body.encoding)
    return to_space(
        VectorBody.model_validate(described), body.vector, config, _settings(**{**kept, **given})
    )


def _settings(**settings: Any) -> SpaceBody:
    return SpaceBody.model_validate(settings)


def _require_same(version: str, vector: str, space: Described, held: Described) -> None:
    if replace(space, size=held.size, distance=held.distance) != held:
        how = f"M {held.M} and ef_construction {held.ef_construction}"
        if isinstance(held, MultiConfig):
            how += f", fde {held.fde.to_json()}, {held.token_bits} bits a number, pool {held.pool}"
        raise VersionConflict(
            f"Version {version!r} of vector {vector!r} is declared already, encoded as "
            f"{held.encoding!r} with {how}: choose another name, or drop it first"
        )


def _like(
    vector: str, config: CollectionConfig, version: str
) -> tuple[Described, str | None, Mapping[str, Any]]:
    """Return space, model and description that hold for what a body leaves out."""
    known = {one.version: one for one in config.versions_of(vector)}
    same = known.get(version)
    if same is None:
        return config.embedded[vector], None, declared_space(config.declared, vector)
    if same.state == "active":
        return config.embedded[vector], same.model, declared_space(config.declared, vector)
    return config.embedded_spaces[config.column_of(same)], same.model, same.declared


def declared_space(declared: Mapping[str, Any], vector: str) -> Mapping[str, Any]:
    """Return how a vector name is described by a collection."""
    vectors: Mapping[str, Any] = declared.get("vectors") or {}
    found: Mapping[str, Any] = vectors if is_one(vectors) else vectors[vector]
    return found
