"""Expressions of formulas: read as they were meant, numbers exactly, what is wrong by its place."""

from __future__ import annotations

from typing import Any

import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.schemas.formulas import MAX_DEPTH, to_formula
from palimpsest.index import InvalidInput, Match, terms


def term(expression: Any) -> Any:
    return to_formula(expression, None).term


def shown(expression: Any) -> str:
    return repr(term(expression))  # terms are equal only to themselves


def test_texts_are_scores_or_paths() -> None:
    assert shown("$score") == shown("$score[0]") == repr(terms.Score(0))
    assert shown("$score[12]") == repr(terms.Score(12))
    assert shown("é.n[0]") == repr(terms.Value(("é", "n", 0)))
    for wrong in ("$score[-1]", "$score[ 1]", "$scores", "$score[\u0663]"):
        with pytest.raises(Refusal, match="Invalid score pattern"):
            term(wrong)


def test_numbers_are_kept_as_they_were_sent() -> None:
    assert term(2**53 + 1).value == 2**53 + 1
    with pytest.raises(Refusal, match="fits into a float64"):
        term(10**400)
    with pytest.raises(Refusal, match="fits into a float64"):
        term({"div": {"left": 1, "right": 0, "by_zero_default": -(10**400)}})


def test_what_is_no_function_is_a_condition() -> None:
    assert term({"key": "a", "match": {"value": True}}).condition == Match(("a",), (True,))
    with pytest.raises(Refusal):
        term({"made_up": 1})


def test_defaults_stand_for_scores_and_values() -> None:
    found = to_formula("$score", {"$score[1]": 0.5, "a.b": [1], "\u00e9": None})
    assert found.defaults == {1: 0.5, ("a", "b"): [1], ("é",): None}


def test_an_empty_sum_is_something_and_an_empty_maximum_is_not() -> None:
    assert shown({"sum": []}) == repr(terms.Many("sum", ()))
    for name in ("max", "min"):
        with pytest.raises(Refusal, match="at least one operand"):
            term({name: []})


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (True, "expected a number"),
        (None, "expected a number"),
        ({"gauss_decay": {"x": 1, "scale": 0}}, "Scale must be non-zero"),
        ({"gauss_decay": {"x": 1, "scale": float("nan")}}, "Scale must be non-zero"),
        ({"exp_decay": {"x": 1, "midpoint": 1}}, r"\(0.0, 1.0\)"),
        ({"lin_decay": {"x": 1, "midpoint": 1.5}}, r"\[0.0, 1.0\]"),
        ({"datetime": "yesterday"}, "Expected datetime"),
        ({"datetime": 5}, "Expected datetime"),
        ({"datetime_key": 5}, "expected a path"),
        ({"geo_distance": {"origin": {"lon": 181, "lat": 0}, "to": "a"}}, "lon in"),
        ({"pow": {"base": 1}}, "exponent"),
        ({"sum": 1}, "expected a list"),
    ],
)
def test_what_is_wrong_is_named(expression: Any, text: str) -> None:
    with pytest.raises(Refusal, match=text):
        term(expression)


def test_a_straight_decay_may_end_at_nothing() -> None:
    assert term({"lin_decay": {"x": 1, "midpoint": 0}}).midpoint == 0
    assert term({"lin_decay": {"x": 1, "midpoint": 1}}).midpoint == 1


def test_depth() -> None:
    expression: Any = 1
    for _ in range(MAX_DEPTH):
        expression = {"neg": expression}
    term(expression)
    with pytest.raises(Refusal, match="nested too deeply"):
        term({"neg": expression})


def test_a_path_that_is_none() -> None:
    with pytest.raises(InvalidInput):
        term("a..b")
