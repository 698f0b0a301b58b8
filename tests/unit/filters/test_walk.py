"""Names of vectors in filters, replaced by the columns that they mean."""

from __future__ import annotations

from palimpsest.index import Filter, HasId, HasVector, IsNull, MinShould, Nested
from palimpsest.index.filters.walk import with_columns

NUMBERS = {"": 0, "@v1": 0, "@v2": 3}


def filter_of(*vectors: str | int) -> Filter:
    """Return a filter that names the vectors in all places where it can."""
    first, second, third, fourth = map(HasVector, vectors)
    return Filter(
        must=(first, HasId(frozenset({1})), Nested(("a",), Filter(must_not=(second,)))),
        should=(Filter(should=(third,)),),
        min_should=MinShould((IsNull(("b",)), fourth), 1),
    )


def test_names_are_replaced_wherever_they_stand() -> None:
    assert with_columns(filter_of("", "@v2", "@v1", ""), NUMBERS) == filter_of(0, 3, 0, 0)


def test_names_that_mean_nothing_and_columns_stay() -> None:
    named = filter_of("@v3", 7, "@", "more")
    assert with_columns(named, NUMBERS) == named


def test_a_filter_without_names_is_itself() -> None:
    plain = Filter(must=(HasId(frozenset({1})),))
    assert with_columns(plain, NUMBERS) is plain
