"""JSON schemas of what bodies hold undecoded, for the OpenAPI document.

A field annotated with one of the names below reaches its reader as bytes (``msgspec.Raw``) and is
described by the schema of the same name.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

import msgspec

Schema: TypeAlias = dict[str, Any]

REFERENCE = "#/components/schemas/{name}"
MAX_DEPTH = 32  # of filters in filters; deeper ones are refused


ParameterKind: TypeAlias = Literal["none", "timeout", "read", "search", "recall", "write"]


class Operation(NamedTuple):
    """What the document says of an operation: its result, and its kind of parameters."""

    reply: Any
    parameters: ParameterKind = "none"


def ref(name: str) -> Schema:
    """Return a reference to a schema of the document."""
    return {"$ref": REFERENCE.format(name=name)}


def one_of(*schemas: Schema) -> Schema:
    """Return a schema that any of the given ones satisfies."""
    return {"anyOf": list(schemas)}


def array(items: Schema, **more: Any) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items, **more}


def record(required: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    """Return the schema of an object with these fields and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


AnyDense: TypeAlias = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema=ref("DenseVector"))]
AnyEmbedded: TypeAlias = Annotated[
    msgspec.Raw,
    msgspec.Meta(extra_json_schema=one_of(ref("DenseVector"), ref("MultiVector"))),
]
AnyVector: TypeAlias = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema=ref("PointVectors"))]
AnyVectors: TypeAlias = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema=ref("VectorColumns"))]
AnyPayload: TypeAlias = Annotated[
    msgspec.Raw, msgspec.Meta(extra_json_schema=one_of(ref("Payload"), {"type": "null"}))
]
AnyFilter: TypeAlias = Annotated[
    msgspec.Raw, msgspec.Meta(extra_json_schema=one_of(ref("Filter"), {"type": "null"}))
]
AnyFieldSchema: TypeAlias = Annotated[
    msgspec.Raw, msgspec.Meta(extra_json_schema=ref("FieldSchema"))
]

_NULL: Schema = {"type": "null"}
_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "number"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_SCALAR = one_of({"type": "boolean"}, {"type": "integer"}, _TEXT)
_GEO = record(("lon", "lat"), lon=_NUMBER, lat=_NUMBER)
_RING = record(("points",), points=array(_GEO, minItems=4))
_CONDITIONS = one_of(ref("Condition"), array(ref("Condition")), _NULL)
_DENSE = array(_NUMBER, minItems=1)
_BASE64: Schema = {"type": "string", "description": "base64 of float32, little-endian"}
_ANY_VECTOR = one_of(
    _DENSE, _BASE64, ref("SparseVector"), ref("MultiVector"), ref("InferenceObject")
)
_KEY = record(("key",), key=_TEXT)


def _bounds(kind: Schema) -> Schema:
    return record(**dict.fromkeys(("gt", "gte", "lt", "lte"), one_of(kind, _NULL)))


_MATCH = one_of(
    record(("value",), value=_SCALAR),
    record(("any",), any=array(_SCALAR)),
    {
        "type": "object",
        "properties": {"except": array(_SCALAR)},
        "required": ["except"],
        "additionalProperties": False,
    },
    *(record((how,), **{how: _TEXT}) for how in ("text", "text_any", "phrase", "prefix")),
    record(("substring",), substring=_TEXT),
)
_FIELD = record(
    ("key",),
    key={"type": "string", "description": 'a path into the payload: a.b, list[].x, list[0], "a.b"'},
    match=one_of(_MATCH, _NULL),
    range=one_of(_bounds(_NUMBER), _bounds({"type": "string", "format": "date-time"}), _NULL),
    geo_bounding_box=one_of(
        record(("top_left", "bottom_right"), top_left=_GEO, bottom_right=_GEO), _NULL
    ),
    geo_radius=one_of(record(("center", "radius"), center=_GEO, radius=_NUMBER), _NULL),
    geo_polygon=one_of(
        record(("exterior",), exterior=_RING, interiors=one_of(array(_RING), _NULL)), _NULL
    ),
    values_count=one_of(_bounds(_COUNT), _NULL),
    is_empty=one_of({"type": "boolean"}, _NULL),
    is_null=one_of({"type": "boolean"}, _NULL),
)
_CONDITION = one_of(
    ref("FieldCondition"),
    record(("is_empty",), is_empty=_KEY),
    record(("is_null",), is_null=_KEY),
    record(("has_id",), has_id=array(ref("PointId"))),
    record(("has_vector",), has_vector=_TEXT),
    record(("slice",), slice=record(("total", "index"), total=_COUNT, index=_COUNT)),
    record(("nested",), nested=record(("key", "filter"), key=_TEXT, filter=ref("Filter"))),
    ref("Filter"),
)

SCHEMAS: dict[str, Schema] = {
    "PointId": one_of(
        {"type": "integer", "minimum": 0, "maximum": 2**64 - 1},
        {"type": "string", "format": "uuid"},
    ),
    "Payload": {"type": "object"},
    "DenseVector": one_of(_DENSE, _BASE64),
    "SparseVector": record(
        ("indices", "values"),
        indices=array({"type": "integer", "minimum": 0, "maximum": 2**32 - 1}, uniqueItems=True),
        values=array(_NUMBER),
    ),
    "MultiVector": {
        "description": "vectors of one length, compared by their best similarities",
        **array(_DENSE, minItems=1),
    },
    "NamedVector": record(
        ("name", "vector"),
        name=_TEXT,
        vector=one_of(ref("DenseVector"), ref("SparseVector"), ref("MultiVector")),
    ),
    "InferenceObject": record(
        ("text", "model"), text=_TEXT, model=_TEXT, options=one_of({"type": "object"}, _NULL)
    ),
    "PointVectors": {
        "description": "a dense vector, a multi-vector, a text to embed, or vectors by name",
        **one_of(
            _DENSE,
            _BASE64,
            ref("MultiVector"),
            ref("InferenceObject"),
            {
                "type": "object",
                "additionalProperties": _ANY_VECTOR,
            },
        ),
    },
    "VectorColumns": {
        "description": "one vector per point, or such columns by name",
        **one_of(
            array(one_of(_DENSE, _BASE64, ref("MultiVector"), ref("InferenceObject"))),
            {
                "type": "object",
                "additionalProperties": array(_ANY_VECTOR),
            },
        ),
    },
    "Filter": {
        "description": f"all clauses must hold; filters nest up to {MAX_DEPTH} deep",
        **record(
            must=_CONDITIONS,
            should=_CONDITIONS,
            must_not=_CONDITIONS,
            min_should=one_of(
                record(
                    ("conditions", "min_count"),
                    conditions=array(ref("Condition")),
                    min_count=_COUNT,
                ),
                _NULL,
            ),
        ),
    },
    "Condition": _CONDITION,
    "FieldCondition": _FIELD,
    "FieldSchema": {
        "description": "a type, or an object of a type and its parameters",
        **one_of(
            ref("FieldType"),
            {"type": "object", "properties": {"type": ref("FieldType")}, "required": ["type"]},
        ),
    },
    "FieldType": {
        "enum": ["keyword", "integer", "float", "bool", "datetime", "uuid", "geo", "text"]
    },
}
