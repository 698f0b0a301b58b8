"""How changes merge into what a collection was declared as.

The declaration is the caller's own description, kept beside the engine's settings and changed in
the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeAlias, cast

from palimpsest.app.errors import wrong_input
from palimpsest.app.schemas.collections import CollectionChange, Declaration
from palimpsest.app.schemas.declarations import to_json
from palimpsest.app.schemas.spaces import STORED, Body, DenseName, SparseName
from palimpsest.index import CollectionConfig, ColumnConfig, UnknownVectorName

Declared: TypeAlias = dict[str, Any]


def with_name(declared: Mapping[str, Any], name: str, body: DenseName | SparseName) -> Declared:
    """Return a declaration with one more vector name; vectors then stand by name."""
    if isinstance(body, SparseName):
        sparse = {**(declared.get("sparse_vectors") or {}), name: _given(body.sparse)}
        return {**declared, "sparse_vectors": sparse}
    return {**declared, "vectors": {**_dense_of(declared), name: _given(body.dense)}}


def without_name(declared: Mapping[str, Any], name: str) -> Declared:
    """Return a declaration without a vector name."""
    sparse = declared.get("sparse_vectors") or {}
    if name in sparse:
        kept = {other: one for other, one in sparse.items() if other != name}
        return {**declared, "sparse_vectors": kept}
    dense = _dense_of(declared)
    return {**declared, "vectors": {other: one for other, one in dense.items() if other != name}}


def is_one(vectors: Mapping[str, Any]) -> bool:
    """Tell whether ``vectors`` describes the unnamed vector, and not vectors by name."""
    return "distance" in vectors and not isinstance(vectors["distance"], dict)


def merge(declared: Mapping[str, Any], change: CollectionChange) -> Declaration:
    """Return a declaration with the given parts of ``change`` in place of the old ones.

    Nulls leave what is there, but in ``metadata`` a null deletes its key.

    Raises:
        UnknownVectorName: a changed dense vector is not declared.
        Refusal: a changed sparse vector is not declared.
    """
    asked = to_json(change)
    params = asked.pop("params", {})
    metadata = asked.pop("metadata", {})
    vectors = asked.pop("vectors", {})
    sparse = asked.pop("sparse_vectors", {})
    merged = _overlay(declared, asked)
    merged = _overlay(merged, params)
    if metadata:
        kept = {**declared.get("metadata", {}), **metadata}
        merged["metadata"] = {key: value for key, value in kept.items() if value is not None}
    if vectors:
        merged["vectors"] = _merge_vectors(declared.get("vectors") or {}, vectors)
    if sparse:
        merged["sparse_vectors"] = _merge_sparse(declared.get("sparse_vectors") or {}, sparse)
    # As something stored: what an earlier release took must not stand in the way of an unrelated
    # change.
    return Declaration.model_validate(merged, context=STORED)


def carried(
    held: CollectionConfig, before: CollectionConfig, after: CollectionConfig
) -> CollectionConfig:
    """Return the settings after a change, with all that it does not change as it is held.

    Descriptions leave out what a version was declared with beyond them, such as its encoding.

    Args:
        held: the settings in force.
        before: what the description meant before the change.
        after: what it means now.
    """
    vectors = {
        name: _carried(held.vectors[name], before.vectors[name], one)
        for name, one in after.vectors.items()
    }
    return replace(after, vectors=vectors)


def _carried(held: Any, before: ColumnConfig, after: Any) -> ColumnConfig:
    if held.kind != after.kind:
        return cast(ColumnConfig, after)
    changed = {
        each.name: getattr(after, each.name)
        for each in fields(after)
        if getattr(after, each.name) != getattr(before, each.name)
    }
    return cast(ColumnConfig, replace(held, **changed))


def _dense_of(declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the declared dense vectors by name."""
    vectors = declared.get("vectors") or {}
    return {"": vectors} if is_one(vectors) else dict(vectors)


def _given(body: Body) -> dict[str, Any]:
    return body.model_dump(exclude_none=True)


def _merge_vectors(declared: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    one = is_one(declared)
    named: dict[str, Any] = {"": declared} if one else dict(declared)
    for name, change in changes.items():
        if name not in named:
            raise UnknownVectorName(name, list(named))
        named[name] = _overlay(named[name], change)
    merged: dict[str, Any] = named[""] if one else named
    return merged


def _merge_sparse(declared: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    for name in changes:
        if name not in declared:
            raise wrong_input(
                f"Vector {name!r} does not exist in the collection; add it with "
                f"PUT /collections/{{collection_name}}/vectors/{name}"
            )
    return _overlay(declared, changes)


def _overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``below`` with the values of ``above``, objects merged; nulls change nothing."""
    merged = dict(below)
    for key, value in above.items():
        if value == "Disabled":
            merged.pop(key, None)
        # One kind of quantization takes the place of another as a whole; merged they would be two.
        elif isinstance(value, dict) and key != "quantization_config":
            merged[key] = _overlay(merged.get(key) or {}, value)
        elif value is not None:
            merged[key] = value
    return merged
