"""Bodies that hold more than they should: unknown fields, other names of fields, nulls.

Bodies are decoded strictly. One that is refused is pruned along its type and decoded again:

- a field that no document of Qdrant's knows is left out and warned of, where Qdrant leaves it out
  silently; a server that is set to refuse refuses it, and so do bodies of our own surface;
- an alias that Qdrant reads becomes the field's name; both at once are refused, as by Qdrant;
- a field that Qdrant knows and this server does not carry out is refused by name;
- null is as good as absent.

Filters, payloads and vectors are not looked into: filters refuse what they do not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from palimpsest.app.errors import Refusal
from palimpsest.app.schemas import (
    adapters,
    comparisons,
    formulas,
    kinds,
    legacy_bodies,
    points,
    records,
    searches,
    updates,
    version_spaces,
    versions,
)
from palimpsest.app.schemas.collections import CollectionBody, CollectionChange, OptimizersBody
from palimpsest.app.schemas.indexes import IndexBody
from palimpsest.app.schemas.pruning import LEAF, NULL, Fields, Known, Pruner, Shape, Types
from palimpsest.app.schemas.spaces import HnswBody
from palimpsest.app.schemas.vectors import SparseBody
from palimpsest.app.schemas.versioned import VersionsBody
from palimpsest.app.spelling import SPARSE
from palimpsest.app.warnings import Warnings
from palimpsest.index import FIELD_PARAMETERS, InvalidInput

T = TypeVar("T")

ALIASES: Mapping[type, Mapping[str, str]] = {
    **dict.fromkeys(
        (
            searches.QueryBody,
            searches.GroupsBody,
            records.ScrollBody,
            records.RetrieveBody,
            legacy_bodies.SearchGroupsBody,
            legacy_bodies.RecommendGroupsBody,
        ),
        {"with_vectors": "with_vector"},
    ),
    **dict.fromkeys(
        (
            legacy_bodies.SearchPointsBody,
            legacy_bodies.RecommendPointsBody,
            legacy_bodies.DiscoverPointsBody,
        ),
        {"with_vectors": "with_vector", "top": "limit"},
    ),
    searches.WithLookupBody: {"with_vector": "with_vectors"},
    **dict.fromkeys(
        (points.PointBody, points.PointVectorsBody, updates.DeleteVectorsBody),
        {"vectors": "vector"},
    ),
    **dict.fromkeys(
        (CollectionBody, CollectionChange),
        {"quantization": "quantization_config", "optimizer_config": "optimizers_config"},
    ),
    OptimizersBody: {
        f"{name}_kb": name
        for name in ("indexing_threshold", "memmap_threshold", "max_segment_size")
    },
    HnswBody: {"full_scan_threshold_kb": "full_scan_threshold"},
    IndexBody: {"field_type": "field_schema"},
}
REFUSED: Mapping[type, frozenset[str]] = {CollectionBody: frozenset({"init_from"})}
# Bodies of our own: a field that is not read is a mistake.
OWN: frozenset[type] = frozenset(
    {
        VersionsBody,
        adapters.AdapterBody,
        adapters.PairsBody,
        comparisons.CompareBody,
        version_spaces.VersionBody,
        versions.ActivationBody,
        versions.RetirementBody,
        versions.ConsolidationBody,
    }
)


def read(
    text: bytes, kind: Any, decode: Callable[[bytes], T], warnings: Warnings, strict: bool
) -> T:
    """Return what ``decode`` makes of a body, pruned if it cannot be decoded as it stands.

    Args:
        text: of the body.
        kind: the type that ``decode`` reads it as.
        decode: has no effect but its result.
        warnings: takes the names of what was left out.
        strict: whether unknown fields are refused everywhere.

    Raises:
        Refusal: the body has no such shape, or what ``decode`` raises.
    """
    try:
        return decode(text)
    # Only once it was refused: nearly all bodies are read as they stand, at no cost for what others
    # send.
    except (msgspec.ValidationError, Refusal, InvalidInput):
        pruned = prune(text, kind, warnings, strict)
        # Nothing was left out, so that it would be refused again: by the same words.
        if pruned is text:
            raise
    return decode(pruned)


def prune(text: bytes, kind: Any, warnings: Warnings, strict: bool) -> bytes:
    """Return a body as its decoder reads it: the very same object when nothing is to be done.

    Raises:
        Refusal: 400 for a field given under two names, or one that is not carried out.
    """
    try:
        return Pruner(TYPES, warnings, strict).prune(text, kind)
    except (msgspec.MsgspecError, RecursionError):
        return text  # its decoder words what is wrong


def _query(text: bytes) -> Shape:
    asked = [name for name in _given(text) if name in kinds.BODIES]
    if len(asked) > 1:
        return LEAF  # which of the kinds was meant is not ours to choose
    return Shape(record=kinds.BODIES[asked[0]]) if asked else _vector(text)


def _vector(text: bytes) -> Shape:
    return Shape(record=SparseBody) if _given(text) >= SPARSE else LEAF


def _vectors(text: bytes) -> Shape:
    return LEAF if _given(text) >= SPARSE else Shape(values=Shape(choose=_vector))


def _expression(text: bytes) -> Shape:
    """Return the shape of a function; any other object is a condition of the filter language."""
    return Shape(record=_FUNCTIONS) if _FUNCTIONS.known.keys() & _given(text) else LEAF


def _field_schema(text: bytes) -> Shape:
    kind = msgspec.json.decode(text).get("type")
    parameters = FIELD_PARAMETERS.get(kind) if isinstance(kind, str) else None
    if parameters is None:
        return LEAF
    return Shape(record=Fields({name: _PARTS.get(name, Known()) for name in parameters}))


def _given(text: bytes) -> set[str]:
    """Return the names of the fields that are not null."""
    fields = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    return {name for name, value in fields.items() if bytes(value) != NULL}


_PARTS = {  # of the parameters of a text index
    "stopwords": Known(Shape(record=Fields(dict.fromkeys(("languages", "custom"), Known())))),
    "stemmer": Known(Shape(record=Fields(dict.fromkeys(("type", "language"), Known())))),
}
_EXPRESSION = Shape(choose=_expression)
_FUNCTIONS = Fields(
    {
        **dict.fromkeys(formulas.MANY, Known(Shape(items=_EXPRESSION), False)),
        **dict.fromkeys(formulas.ONE, Known(_EXPRESSION, False)),
        **dict.fromkeys(formulas.DECAYS, Known(Shape(record=formulas.DecayBody), False)),
        "div": Known(Shape(record=formulas.DivBody), False),
        "pow": Known(Shape(record=formulas.PowBody), False),
        "geo_distance": Known(Shape(record=formulas.GeoDistanceBody), False),
        "datetime": Known(takes_null=False),
        "datetime_key": Known(takes_null=False),
    }
)
_LEVEL = Shape(record=searches.LevelBody)
TYPES = Types(
    undecoded={
        "Query": Shape(choose=_query),
        "LevelBody": _LEVEL._replace(items=_LEVEL),
        "Target": Shape(choose=_vector),
        "PointVectors": Shape(choose=_vectors),
        "VectorColumns": Shape(values=Shape(items=Shape(choose=_vector))),
        "Expression": _EXPRESSION,
        "FieldSchema": Shape(choose=_field_schema),
        "NamedVector": Shape(record=legacy_bodies.NamedBody),
    },
    aliases=ALIASES,
    refused=REFUSED,
    strict=OWN,
)
