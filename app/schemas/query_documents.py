"""JSON schemas of queries, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

import msgspec

from palimpsest.app.schemas import formulas, kinds, searches, versioned
from palimpsest.app.schemas.documents import REFERENCE, Schema, array, one_of, record, ref

_NUMBER: Schema = {"type": "number"}
_TEXT: Schema = {"type": "string"}
_EXPRESSIONS = array(ref("Expression"))
_KINDS = (
    kinds.NearestBody,
    kinds.RecommendBody,
    kinds.DiscoverBody,
    kinds.ContextBody,
    kinds.OrderByBody,
    kinds.FusionBody,
    kinds.RrfBody,
    kinds.FormulaBody,
    kinds.SampleBody,
    kinds.FeedbackBody,
    versioned.VersionsBody,
)
_OPERANDS = (formulas.DivBody, formulas.PowBody, formulas.GeoDistanceBody, formulas.DecayBody)


def _any(kind: type) -> dict[str, Any]:
    return {}


_, _COMPONENTS = msgspec.json.schema_components(
    (*_KINDS, *_OPERANDS, searches.LevelBody), schema_hook=_any, ref_template=REFERENCE
)


def _function(name: str, operands: Schema) -> Schema:
    return record((name,), **{name: operands})


QUERY_SCHEMAS: dict[str, Schema] = {
    **_COMPONENTS,
    "Target": {
        "description": "a dense vector (numbers, or base64 of float32), a sparse one, a "
        "multi-vector, a text to embed, or an id",
        **one_of(
            array(_NUMBER, minItems=1),
            _TEXT,
            ref("SparseVector"),
            ref("MultiVector"),
            ref("InferenceObject"),
            ref("PointId"),
        ),
    },
    "Query": {
        "description": "a target, or an object of one kind",
        **one_of(ref("Target"), *(ref(kind.__name__) for kind in _KINDS)),
    },
    "Expression": {
        "description": "a number, a payload path or `$score[i]`, one function, or a condition",
        **one_of(
            _NUMBER,
            _TEXT,
            *(_function(name, _EXPRESSIONS) for name in formulas.MANY),
            *(_function(name, ref("Expression")) for name in formulas.ONE),
            *(_function(name, ref("DecayBody")) for name in formulas.DECAYS),
            _function("div", ref("DivBody")),
            _function("pow", ref("PowBody")),
            _function("geo_distance", ref("GeoDistanceBody")),
            _function("datetime", {"type": "string", "format": "date-time"}),
            _function("datetime_key", _TEXT),
            ref("Condition"),
        ),
    },
}
