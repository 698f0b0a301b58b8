"""A strict collection's formulas read only fields with an index of the kind they read."""

from __future__ import annotations

from typing import Any

import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.schemas.formulas import to_formula
from palimpsest.app.strict_formulas import require_indexes_of
from palimpsest.index import FieldIndex

PLACE = {"lon": 0, "lat": 0}


@pytest.mark.parametrize(
    ("expression", "key", "right", "wrong"),
    [
        ("é.n", "é.n", "integer", "keyword"),
        ({"sum": [1, {"neg": "n"}]}, "n", "float", "geo"),
        ({"div": {"left": 1, "right": "n"}}, "n", "integer", "text"),
        ({"pow": {"base": "n", "exponent": 2}}, "n", "integer", "bool"),
        ({"exp_decay": {"x": 1, "target": "n"}}, "n", "integer", "keyword"),
        ({"datetime_key": "day"}, "day", "datetime", "integer"),
        ({"geo_distance": {"origin": PLACE, "to": "at"}}, "at", "geo", "float"),
        ({"mult": [{"key": "a", "match": {"value": "x"}}, 2]}, "a", "keyword", "integer"),
    ],
)
def test_which_index_a_term_needs(expression: Any, key: str, right: str, wrong: str) -> None:
    term = to_formula(expression, None).term
    require_indexes_of(term, {key: FieldIndex.from_declared(right)})
    for indexes in ({}, {key: FieldIndex.from_declared(wrong)}):
        with pytest.raises(Refusal, match="Index required but not found"):
            require_indexes_of(term, indexes)


def test_scores_and_constants_need_none() -> None:
    require_indexes_of(to_formula({"sum": ["$score[1]", 2**53 + 1]}, None).term, {})
