"""Filters to functions that look at one point: its id, payload and vector names.

This is the plain meaning of every condition, and the way points are checked where no index helps.
A filter is compiled once and then asked per point, so all that does not depend on the point is
settled at compile time. ``payload_decoder`` reads of a stored payload only what a filter needs.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from palimpsest.index.filters.expression import (
    Condition,
    Filter,
    HasId,
    HasVector,
    IsEmpty,
    IsNull,
    MatchText,
    MinShould,
    Nested,
    Path,
    Slice,
    ValuesCount,
)
from palimpsest.index.filters.meaning import Test, ValueCondition, test_of, test_of_text, within
from palimpsest.index.filters.slices import slice_of
from palimpsest.index.filters.tokens import DEFAULT, Tokenizer
from palimpsest.index.filters.values import (
    are_empty,
    are_null,
    count_of,
    elements_at,
    elements_of,
    stored_at,
    values_at,
)
from palimpsest.index.types import PointId


class Facts(NamedTuple):
    """What a filter may ask of a point; inside a nested filter there is a payload only."""

    id: PointId | None
    payload: Mapping[str, Any]
    vectors: Container[str] = ()


Check: TypeAlias = Callable[[Facts], bool]
Tokenizers: TypeAlias = Mapping[Path, Tokenizer]

NO_TOKENIZERS: Tokenizers = {}


def compile_filter(filter: Filter, tokenizers: Tokenizers = NO_TOKENIZERS) -> Check:
    """Return the function that tells whether a point passes the filter.

    Args:
        filter: its clauses are AND-ed; without any, every point passes.
        tokenizers: of paths with a text index; other texts are read by the default tokenizer.
    """
    clauses: list[Check] = []
    if filter.must:
        clauses.extend(compile_condition(each, tokenizers) for each in filter.must)
    if filter.must_not:
        clauses.append(_none(_checks(filter.must_not, tokenizers)))
    if filter.should:
        clauses.append(_any(_checks(filter.should, tokenizers)))
    if filter.min_should is not None:
        clauses.append(_enough(filter.min_should, tokenizers))
    return _all(clauses)


def compile_condition(condition: Condition, tokenizers: Tokenizers = NO_TOKENIZERS) -> Check:
    """Return the function that tells whether a condition holds for a point."""
    if isinstance(condition, Filter):
        return compile_filter(condition, tokenizers)
    if isinstance(condition, Nested):
        return _nested(condition, tokenizers)
    if isinstance(condition, MatchText):
        tokenizer = tokenizers.get(condition.path, DEFAULT)
        return _field(condition.path, test_of_text(condition, tokenizer))
    if isinstance(condition, ValueCondition):
        return _field(condition.path, test_of(condition))
    return _CHECKS[type(condition)](condition)


def _checks(conditions: Sequence[Condition], tokenizers: Tokenizers) -> list[Check]:
    return [compile_condition(each, tokenizers) for each in conditions]


def _all(checks: list[Check]) -> Check:
    if len(checks) == 1:
        return checks[0]

    def check(facts: Facts) -> bool:
        for each in checks:  # twice as fast as `all` of a generator
            if not each(facts):
                return False
        return True

    return check


def _any(checks: list[Check]) -> Check:
    if len(checks) == 1:
        return checks[0]

    def check(facts: Facts) -> bool:
        for each in checks:
            if each(facts):
                return True
        return False

    return check


def _none(checks: list[Check]) -> Check:
    found = _any(checks)
    return lambda facts: not found(facts)


def _enough(clause: MinShould, tokenizers: Tokenizers) -> Check:
    checks, least = _checks(clause.conditions, tokenizers), clause.min_count
    return lambda facts: sum(each(facts) for each in checks) >= least


def _nested(condition: Nested, tokenizers: Tokenizers) -> Check:
    path = condition.path
    inner = compile_filter(condition.filter, _below(elements_of(path), tokenizers))
    return lambda facts: any(
        inner(Facts(None, element)) for element in elements_at(facts.payload, path)
    )


def _field(path: Path, test: Test) -> Check:
    """Return the check that ``test`` holds for any value at the path."""
    if len(path) > 1:
        return lambda facts: any(map(test, values_at(facts.payload, path)))
    key = str(path[0])

    def check(facts: Facts) -> bool:
        value = facts.payload.get(key)  # a missing value is as good as null: no test holds for it
        # `__class__` and not `isinstance`, here and below: payloads hold what JSON has and no
        # subclasses, and this is asked for every point that is scanned.
        if value.__class__ is list:
            return any(map(test, value))
        return test(value)

    return check


def _values_count(condition: ValuesCount) -> Check:
    path, inside = condition.path, within(condition)
    missing = inside(0)

    def check(facts: Facts) -> bool:
        stored = stored_at(facts.payload, path)
        return any(inside(count_of(each)) for each in stored) if stored else missing

    return check


def _is_empty(condition: IsEmpty) -> Check:
    path = condition.path
    return lambda facts: are_empty(stored_at(facts.payload, path))


def _is_null(condition: IsNull) -> Check:
    path = condition.path
    return lambda facts: are_null(stored_at(facts.payload, path))


def _has_id(condition: HasId) -> Check:
    ids = condition.ids
    return lambda facts: facts.id in ids


def _has_vector(condition: HasVector) -> Check:
    vector = condition.vector
    return lambda facts: vector in facts.vectors


def _slice(condition: Slice) -> Check:
    total, number = condition.total, condition.index
    return lambda facts: facts.id is not None and slice_of(facts.id, total) == number


def _below(path: Path, tokenizers: Tokenizers) -> Tokenizers:
    """Return the tokenizers of what lies below a path, by the rest of their paths."""
    steps = len(path)
    return {own[steps:]: one for own, one in tokenizers.items() if own[:steps] == path}


_CHECKS: Mapping[type, Callable[[Any], Check]] = {
    ValuesCount: _values_count,
    IsEmpty: _is_empty,
    IsNull: _is_null,
    HasId: _has_id,
    HasVector: _has_vector,
    Slice: _slice,
}
