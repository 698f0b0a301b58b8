"""Filters of two levels become one."""

from __future__ import annotations

from palimpsest.index.filters.expression import Filter, HasId, HasVector, MinShould
from palimpsest.index.query.scope import Scope, join

A, B, C = HasId(frozenset({1})), HasVector("a"), HasVector("b")


def test_filters_of_two_levels_are_joined_by_clause() -> None:
    outer = Filter(must=(A,), should=(B,), min_should=MinShould((A, B), 1))
    inner = Filter(should=(C,), must_not=(A,), min_should=MinShould((C,), 2))
    joined = Filter(must=(A,), should=(B, C), must_not=(A,), min_should=MinShould((A, B, C), 2))
    assert join(outer, inner) == joined
    assert join(None, inner) is inner and join(outer, None) is outer and join(None, None) is None
    assert Scope(outer).having("b").filter == join(outer, Filter(must=(C,)))
