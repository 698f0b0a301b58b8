"""Which index a condition needs, and how large it is."""

from __future__ import annotations

from typing import Any

import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.schemas.filters import decode_filter
from palimpsest.app.strict_filters import check_sizes, leaves, require_indexes
from palimpsest.index import FieldIndex

# A filter; indexes that answer it; indexes that do not.
ANSWERS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"key": "a", "match": {"value": "x"}}, {"a": "keyword"}, {"a": "integer"}),
    ({"key": "a", "match": {"any": [1, 2]}}, {"a": "integer"}, {"b": "integer"}),
    (
        {"key": "a", "match": {"value": 1}},
        {"a": {"type": "integer", "lookup": True, "range": False}},
        {"a": {"type": "integer", "lookup": False, "range": True}},
    ),
    (
        {"key": "a", "range": {"gt": 1}},
        {"a": "float"},
        {"a": {"type": "integer", "lookup": True, "range": False}},
    ),
    ({"key": "a", "match": {"value": True}}, {"a": "bool"}, {"a": "keyword"}),
    ({"key": "a", "match": {"text": "x"}}, {"a": "text"}, {"a": "keyword"}),
    (
        {"key": "a", "match": {"prefix": "x"}},
        {"a": {"type": "keyword", "prefix": True}},
        {"a": "keyword"},
    ),
    ({"key": "a", "match": {"text_any": "x"}}, {"a": "text"}, {"a": "keyword"}),
    (
        {"key": "a", "match": {"phrase": "x y"}},
        {"a": {"type": "text", "phrase_matching": True}},
        {"a": "text"},
    ),
    ({"key": "a", "range": {"gt": "2024-01-01"}}, {"a": "datetime"}, {"a": "integer"}),
    (
        {"key": "a", "geo_radius": {"center": {"lon": 0, "lat": 0}, "radius": 5}},
        {"a": "geo"},
        {"a": "float"},
    ),
    ({"key": "a", "match": {"value": "936da01f-9abd-4d9d-80c7-02af85c822a8"}}, {"a": "uuid"}, {}),
    ({"is_empty": {"key": "a"}}, {"a": "geo"}, {"a.b": "geo"}),
    (
        {"nested": {"key": "a", "filter": {"must": [{"key": "b", "match": {"value": 1}}]}}},
        {"a[].b": "integer"},
        {"a.b": "integer"},
    ),
]


@pytest.mark.parametrize(
    "condition",
    [
        {"key": "a", "match": {"any": []}},
        {"key": "a", "match": {"except": []}},
        {"has_id": [1]},
        {"has_vector": ""},
        {"slice": {"total": 2, "index": 0}},
    ],
)
def test_a_condition_that_no_index_could_help_needs_none(condition: dict[str, Any]) -> None:
    require_indexes([*leaves(decode_filter({"must": [condition]}))], {})


@pytest.mark.parametrize(
    "size",
    [
        {"key": "a", "match": {"any": ["x", "x", "y", "y"]}},
        {"has_id": [1, 1, 2, 2]},
        {
            "key": "a",
            "geo_polygon": {
                "exterior": {
                    "points": [
                        {"lon": 0, "lat": 0},
                        {"lon": 0, "lat": 1},
                        {"lon": 1, "lat": 1},
                        {"lon": 0, "lat": 0},
                    ]
                }
            },
        },
    ],
)
def test_the_size_of_a_condition_is_of_its_different_values(size: dict[str, Any]) -> None:
    check_sizes([*leaves(decode_filter({"must": [size]}))], None, 2)


@pytest.mark.parametrize(("condition", "right", "wrong"), ANSWERS)
def test_which_index_a_condition_needs(
    condition: dict[str, Any], right: dict[str, Any], wrong: dict[str, Any]
) -> None:
    held = list(leaves(decode_filter({"min_should": {"conditions": [condition], "min_count": 1}})))
    check_sizes(held, None, None)

    def indexes(declared: dict[str, Any]) -> dict[str, FieldIndex]:
        return {key: FieldIndex.from_declared(each) for key, each in declared.items()}

    require_indexes(held, indexes(right))
    with pytest.raises(Refusal, match="Index required but not found"):
        require_indexes(held, indexes(wrong))
