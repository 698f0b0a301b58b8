"""What is known of conditions without payloads: what is certain, and that nothing is left out."""

from __future__ import annotations

from uuid import UUID

import pytest

from palimpsest.index.filters.expression import (
    Condition,
    Filter,
    HasId,
    HasVector,
    IsEmpty,
    Match,
    Nested,
    Slice,
)
from palimpsest.index.payload.known import is_known, known_of
from tests.unit.payload.points import Points

LONG = 2**53 + 1


@pytest.fixture
def points() -> Points:
    made = Points()
    made.put(0, {"вещи": [{"цвет": "a", "n": 1}, {"цвет": "b", "n": 2}]}, LONG, ("текст",))
    made.put(1, {"вещи": [{"цвет": "a", "n": 2}]}, UUID(int=LONG))
    made.put(2, {"вещи": {"цвет": "a"}}, LONG + 1, ("текст", ""))
    made.put(3, None, 3)
    made.index("вещи[].цвет", "keyword")
    made.index("вещи[].n", "integer")
    return made


def red(n: int, **clauses: tuple[Condition, ...]) -> Nested:
    return Nested(("вещи",), Filter((Match(("цвет",), ("a",)), Match(("n",), (n,))), **clauses))


def test_ids_and_names_of_vectors_are_certain(points: Points) -> None:
    ids = known_of(HasId(frozenset((LONG, UUID(int=LONG), 10**19))), points)
    assert ids is not None and (set(ids.sure), set(ids.maybe)) == ({0, 1}, set())
    having = known_of(HasVector("текст"), points)
    assert having is not None and (set(having.sure), set(having.maybe)) == ({0, 2}, set())
    assert points.read == 0


def test_slices_are_told_by_ids_of_any_point(points: Points) -> None:
    found = known_of(Slice(2, 0), points)
    assert found is not None and (set(found.sure), set(found.maybe)) == (set(), {0, 1, 2, 3})


def test_one_and_the_same_element_is_never_certain(points: Points) -> None:
    found = known_of(red(2), points)
    assert found is not None and not found.sure
    assert points.passing(Filter((red(2),))) == {1} <= set(found.maybe)
    assert 3 not in found.maybe and 2 not in found.maybe


def test_what_must_not_be_inside_an_element_leaves_nobody_out(points: Points) -> None:
    nested = Nested(("вещи",), Filter(must_not=(Match(("цвет",), ("a",)),)))
    assert known_of(nested, points) is None and not is_known(nested, points.indexes)
    both = red(1, should=(IsEmpty(("m",)),))
    found = known_of(both, points)
    assert found is not None and points.passing(Filter((both,))) == {0} <= set(found.maybe)


def test_filters_are_asked_clause_by_clause(points: Points) -> None:
    unknown = Match(("другое",), (1,))
    assert known_of(Filter((HasId(frozenset((3,))),)), points) is None
    assert is_known(Filter(should=(unknown, Filter(must_not=(Slice(2, 0),)))), points.indexes)
    assert not is_known(Filter(should=(unknown, Filter())), points.indexes)
    assert is_known(red(1), points.indexes)
    assert known_of(unknown, points) is None
