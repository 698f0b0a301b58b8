"""The versions of vector names as values: what a declaration or a change makes of a config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from palimpsest.index.config.collection import (
    AT,
    CollectionConfig,
    SpaceConfig,
    State,
    VersionConfig,
)
from palimpsest.index.errors import InvalidConfig, VersionConflict, VersionNotFound

MAX_VERSION_NAME = 64  # bytes
_BANNED = frozenset('<>:"/\\|?*@\0\x1f\ufffd')  # the last stands for what was not UTF-8


def check_version_name(version: str) -> None:
    """Raise InvalidConfig for a name that no version can have."""
    banned = sorted(_BANNED & set(version))
    plain = version.isprintable() and version == version.strip()
    if version in ("", ".", "..") or banned or not plain:
        expected = "expected visible text other than '.' and '..'"
        why = f"the character {banned[0]!r} is not allowed" if banned else expected
        raise InvalidConfig(f"version name {version!r}: {why}")
    if len(version.encode(errors="replace")) > MAX_VERSION_NAME:
        size = len(version.encode(errors="replace"))
        raise InvalidConfig(f"version name: expected at most {MAX_VERSION_NAME} bytes, got {size}")


def version_of(config: CollectionConfig, vector: str, version: str) -> VersionConfig:
    """Return a declared version. Raises UnknownVectorName or VersionNotFound."""
    versions = config.versions_of(vector)
    for one in versions:
        if one.version == version:
            return one
    raise VersionNotFound(version, [one.version for one in versions])


def check_embedded(config: CollectionConfig, vector: str, *versions: str) -> None:
    """Raise InvalidConfig for a version whose rows were mapped: it is not an embedding model's."""
    for version in versions:
        mapped = version_of(config, vector, version).mapped
        if mapped is not None:
            raise InvalidConfig(
                f"Version {version!r} holds rows mapped from version {mapped[0]!r} for queries of "
                f"{mapped[1]!r}, and serves nothing else: name one of these"
            )


def space_of(config: CollectionConfig, one: VersionConfig) -> SpaceConfig:
    """Return how the vectors, or sets, of a version are kept."""
    return config.embedded_spaces[config.column_of(one)]


def is_newer(config: CollectionConfig, vector: str, new: str, old: str) -> bool:
    """Tell whether a version of a vector name was declared after another."""
    order = [one.version for one in config.versions_of(vector)]
    return order.index(new) > order.index(old)


def declared(
    config: CollectionConfig, new: VersionConfig, space: SpaceConfig
) -> CollectionConfig | None:
    """Return the config with a version more, None when the same one was declared before.

    A version that has no model stamp yet takes the one given.

    Raises:
        UnknownVectorName: the vector name is not declared, or sparse.
        InvalidConfig: the version's name cannot be used.
        VersionConflict: another version of that name was declared.
    """
    check_version_name(new.version)
    versions = config.versions_of(new.vector)
    held = next((one for one in versions if one.version == new.version), None)
    if held is None:
        check_columns(config, new.vector, [*(one.version for one in versions), new.version])
        known = tuple(one for one in config.versions if one.vector != new.vector)
        added = config.with_column(f"{new.vector}{AT}{new.version}", space)
        return replace(added, versions=(*known, *versions, new))
    was = space_of(config, held)
    same = was.fixed == space.fixed
    if not same or (held.model is not None and new.model is not None and held.model != new.model):
        raise VersionConflict(
            f"Version {new.version!r} of vector {new.vector!r} is declared already as {was.kind} "
            f"with size {was.size}, distance {was.distance} and model {held.model!r}, got "
            f"{space.kind}, {space.size}, {space.distance} and {new.model!r}: choose another name, "
            "or drop it first"
        )
    if held.model is None and new.model is not None:
        return with_version(config, replace(held, model=new.model))
    return None


def check_columns(config: CollectionConfig, vector: str, versions: Sequence[str]) -> None:
    """Raise VersionConflict where ``name@version`` is the name of a vector, as it once could be."""
    for version in versions:
        column = f"{vector}{AT}{version}"
        if column in config.names:
            raise VersionConflict(
                f"Version {version!r} of vector {vector!r} would be called {column!r}, as another "
                "vector is: choose another name for it, or delete that vector first"
            )


def with_version(config: CollectionConfig, changed: VersionConfig) -> CollectionConfig:
    """Return the config with a version changed; one that was implicit is written down."""
    versions = tuple(
        changed if one.version == changed.version else one
        for one in config.versions_of(changed.vector)
    )
    others = tuple(one for one in config.versions if one.vector != changed.vector)
    return replace(config, versions=(*others, *versions))


def activated(config: CollectionConfig, new: VersionConfig) -> CollectionConfig:
    """Return the config in which the bare name means another version.

    The caller's description of the collection changes with it, so that what was described under the
    name is kept with the version it described.
    """
    old = config.shown_version(new.vector)
    description = _description(config.declared, new.vector)
    kept = replace(old, state=_once_active(old.state), declared=description)
    changed = with_version(config, kept)
    changed = with_version(changed, replace(new, state="active"))
    changed = replace(changed, declared=_described(config.declared, new.vector, new.declared))
    return changed.renamed(config.names_showing(new))


def _once_active(state: State) -> State:
    return "serving" if state == "active" else state


def without_version(config: CollectionConfig, gone: VersionConfig) -> CollectionConfig:
    """Return the config without a version that is not shown."""
    kept = tuple(one for one in config.versions if one != gone)
    return replace(config.without_columns([config.column_of(gone)]), versions=kept)


def shown(config: CollectionConfig, version: str) -> CollectionConfig:
    """Return the config as the virtual collection of a version has it.

    Raises:
        VersionNotFound: no vector name has the version.
    """
    having = names_with(config, version)
    if not having:
        known = {
            one.version
            for name in config.names
            if name in config.embedded
            for one in config.versions_of(name)
        }
        raise VersionNotFound(version, known)
    described, names = config.declared, dict[int, str]()
    for name in having:
        one = version_of(config, name, version)
        names |= config.names_showing(one)
        if one != config.shown_version(name):
            described = _described(described, name, one.declared)
    return replace(config.renamed(names), shown=version, declared=described)


def names_with(config: CollectionConfig, version: str) -> list[str]:
    """Return the vector names that have a version; sparse ones have none."""
    embedded = [name for name in config.names if name in config.embedded]
    return [n for n in embedded if any(one.version == version for one in config.versions_of(n))]


def _description(declared: Mapping[str, Any], vector: str) -> Mapping[str, Any]:
    """Return the part of a collection's description that is about a vector name."""
    vectors = declared.get("vectors") or {}
    one = vectors.get(vector)
    return one if isinstance(one, Mapping) else vectors


def _described(
    declared: Mapping[str, Any], vector: str, one: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return a collection's description with another one of a vector name."""
    vectors = declared.get("vectors") or {}
    if isinstance(vectors.get(vector), Mapping):
        return {**declared, "vectors": {**vectors, vector: dict(one)}}
    return {**declared, "vectors": dict(one)}
