"""Terms compiled to functions of a point: exact integers, refusals by name, defaults."""

from __future__ import annotations

import math
from typing import Any

import pytest

from palimpsest.index.errors import InvalidInput
from palimpsest.index.filters.expression import EACH, Match
from palimpsest.index.filters.matching import Facts
from palimpsest.index.query.compiled import FormulaKnowledge, Row, compile_term
from palimpsest.index.query.terms import (
    Constant,
    Decay,
    Holds,
    Many,
    Metres,
    One,
    Power,
    Quotient,
    Score,
    Term,
    Value,
)

KEY = ("ключ",)
BIG = 2**53 + 1


def value_of(
    term: Term, payload: Any = None, scores: tuple[float | None, ...] = (), **defaults: Any
) -> float:
    known = {(name,): one for name, one in defaults.items()}
    evaluate = compile_term(term, FormulaKnowledge(known, {}))
    return evaluate(Row(Facts(1, payload or {}, ()), scores))


def refused(term: Term, payload: Any = None, **defaults: Any) -> str:
    with pytest.raises(InvalidInput) as error:
        value_of(term, payload, **defaults)
    return str(error.value)


def test_integers_stay_exact() -> None:
    assert value_of(Many("sum", (Constant(BIG), Constant(-1)))) == 2**53
    assert value_of(Many("mult", (Value(KEY), Constant(3))), {"ключ": BIG}) == 3 * BIG
    assert value_of(Many("max", (Constant(BIG), Constant(2.0**53)))) == BIG
    assert value_of(One("neg", Value(KEY)), {"ключ": BIG}) == -BIG


def test_a_product_stops_at_a_zero_and_does_not_grow_without_end() -> None:
    assert value_of(Many("mult", (Constant(0.0), Value(KEY)))) == 0.0  # the key is not read
    huge = Many("mult", (Constant(2**1_000),) * 4)
    assert value_of(huge) == math.inf
    assert value_of(Many("mult", ())) == 1 and value_of(Many("sum", ())) == 0


@pytest.mark.parametrize(
    ("term", "said"),
    [
        (One("ln", Constant(0)), "ln(0)"),
        (One("sqrt", Constant(-1)), "sqrt(-1)"),
        (One("exp", Constant(10_000)), "exp(10000)"),
        (One("acosh", Constant(0.5)), "acosh(0.5)"),
        (Power(Constant(-8), Constant(0.5)), "pow(-8, 0.5)"),
        (Power(Constant(10), Constant(400)), "pow(10, 400)"),
        (Quotient(Constant(1), Constant(0)), "1/0"),
        (Quotient(Constant(10**400), Constant(0.5)), "div("),
        (Value(KEY), "No value found for "),
    ],
)
def test_what_has_no_finite_value_is_refused_by_name(term: Term, said: str) -> None:
    assert said in refused(term)


def test_quotients() -> None:
    assert value_of(Quotient(Constant(0), Constant(0))) == 0.0
    assert value_of(Quotient(Constant(3), Constant(0), by_zero=7)) == 7
    assert value_of(Quotient(Constant(3), Constant(2))) == 1.5


@pytest.mark.parametrize("empty", [{}, {"ключ": None}, {"ключ": []}, {"ключ": [[]]}])
def test_defaults_stand_for_what_is_as_good_as_missing(empty: Any) -> None:
    assert value_of(Value(KEY), empty, ключ=5) == 5
    assert value_of(Value((*KEY, EACH)), {"ключ": [3]}) == 3
    assert value_of(Value(KEY), {"ключ": [3]}) == 3


def test_values_of_other_kinds_are_refused() -> None:
    for value in ("1", True, [1, 2], {"a": 1}):
        assert "Expected number value for" in refused(Value(KEY), {"ключ": value})
    assert "as f64" in refused(Value(KEY), {"ключ": 10**400})
    assert "Expected datetime" in refused(Value(KEY, is_datetime=True), {"ключ": 0})
    assert "Expected geo point" in refused(Metres((0, 0), KEY), {"ключ": [1, 2]})
    assert len(refused(Value(KEY), {"ключ": "ж" * 10_000})) < 300


def test_moments_places_and_conditions() -> None:
    moment = {"ключ": "1970-01-01T00:00:01.5Z"}
    assert value_of(Value(KEY, is_datetime=True), moment) == 1.5
    assert value_of(Metres((0.0, 0.0), KEY), {"ключ": {"lon": 0.0, "lat": 0.0}}) == 0.0
    holds = Holds(Match(KEY, ("é",)))
    assert (value_of(holds, {"ключ": "é"}), value_of(holds, {"ключ": "e\u0301"})) == (1.0, 0.0)


def test_scores_of_prefetches_and_what_stands_for_them() -> None:
    assert value_of(Score(1), scores=(0.5, 0.25)) == 0.25
    assert value_of(Score(), scores=(None,)) == value_of(Score(4), scores=(1.0,)) == 0.0
    known = FormulaKnowledge({0: 2**60}, {})
    assert compile_term(Score(), known)(Row(Facts(1, {}, ()), (None,))) == 2.0**60
    for wrong in ("1", True, 10**400):
        with pytest.raises(InvalidInput):
            compile_term(Score(), FormulaKnowledge({0: wrong}, {}))


@pytest.mark.parametrize("kind", ["lin", "exp", "gauss"])
def test_a_decay_is_one_at_the_target_and_the_midpoint_at_its_scale(kind: Any) -> None:
    def at(x: float) -> float:
        return value_of(Decay(kind, Constant(x), Constant(10), scale=4.0, midpoint=0.25))

    assert at(10) == 1.0 and at(14) == pytest.approx(0.25) == at(6)
    assert at(10**400) == at(-1e300) == 0.0
