"""Points scored anew by a formula: ranked, cut, and refused where a score means nothing."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.errors import InvalidInput
from palimpsest.index.filters.expression import HasVector
from palimpsest.index.query.formula import rank
from palimpsest.index.query.request import Formula
from palimpsest.index.query.scored import Scored, nothing
from palimpsest.index.query.terms import Constant, Holds, Many, One, Score, Term, Value
from palimpsest.index.types import Distance
from tests.unit.query.plain import Plain, Point

KEY = ("вес",)


@pytest.fixture
def source() -> Plain:
    weights = [1, 2**53 + 1, 5, 5]
    vectors = [{}, {"текст": [1.0]}, {}, {"текст": [1.0]}]
    points = [
        Point(n, own, {"вес": one})
        for n, (one, own) in enumerate(zip(weights, vectors, strict=True))
    ]
    return Plain(points, {"текст": VectorConfig(1, Distance.DOT)})


def scored(*pairs: tuple[int, float]) -> Scored:
    return Scored(
        np.array([n for n, _ in pairs], dtype=np.uint32), np.array([float(s) for _, s in pairs])
    )


def ranked(source: Plain, term: Term, found: list[Scored], count: int = 10, **rest: object) -> list:  # type: ignore[type-arg]
    result = rank(source, Formula(term, **rest), found, count)  # type: ignore[arg-type]
    return list(zip(result.numbers.tolist(), result.scores.tolist(), strict=True))


def test_a_point_of_several_prefetches_stands_once_with_a_score_of_each(source: Plain) -> None:
    found = [scored((0, 0.5), (2, 0.25)), scored((2, 4.0), (3, 2.0))]
    total = Many("sum", (Score(0), Score(1)))
    assert ranked(source, total, found) == [(2, 4.25), (3, 2.0), (0, 0.5)]
    assert ranked(source, total, found, defaults={0: 10.0}) == [(3, 12.0), (2, 4.25), (0, 0.5)]
    assert ranked(source, total, found, count=1) == [(2, 4.25)]


def test_equal_scores_keep_the_order_in_which_points_were_found(source: Plain) -> None:
    found = [scored((3, 1.0), (2, 0.5), (0, 0.1))]
    assert [n for n, _ in ranked(source, Value(KEY), found)] == [3, 2, 0]


def test_conditions_on_vectors_are_asked_of_the_collection(source: Plain) -> None:
    found = [scored((0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0))]
    assert ranked(source, Holds(HasVector("текст")), found) == [(1, 1), (3, 1), (0, 0), (2, 0)]


def test_what_no_score_can_hold_is_refused(source: Plain) -> None:
    for term in (Constant(1e39), Many("mult", (Value(KEY), Constant(10**400))), Constant(10**400)):
        with pytest.raises(InvalidInput, match="non-finite"):
            ranked(source, term, [scored((1, 1.0))])
    assert ranked(source, One("neg", Constant(1e38)), [scored((1, 1.0))])[0][1] < -9e37


def test_nothing_found_is_nothing_scored(source: Plain) -> None:
    assert ranked(source, One("ln", Constant(0)), [nothing(), nothing()]) == []
