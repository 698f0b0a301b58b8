"""What a filter asks about: its conditions and the payload paths they read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

from palimpsest.index.filters.expression import (
    Condition,
    Field,
    Filter,
    HasId,
    HasVector,
    Nested,
    Path,
    Slice,
)
from palimpsest.index.filters.values import elements_of

Single: TypeAlias = Field | HasId | HasVector | Slice | Nested  # whatever is no filter itself


def clauses_of(filter: Filter) -> Iterator[Condition]:
    """Yield the conditions directly in the clauses of a filter."""
    for clause in (filter.must, filter.should, filter.must_not):
        yield from clause or ()
    if filter.min_should is not None:
        yield from filter.min_should.conditions


def conditions_of(filter: Filter) -> Iterator[tuple[Path, Single]]:
    """Yield every condition that is no filter itself, with the path its own path starts from.

    The order is that of the clauses. The path is empty but inside nested filters, which are yielded
    before their conditions.
    """
    # A list and no recursion: filters come from requests, and are as deep as bodies may be.
    waiting: list[tuple[Path, Condition]] = [((), filter)]
    while waiting:
        base, condition = waiting.pop()
        if isinstance(condition, Filter):
            waiting.extend((base, each) for each in reversed([*clauses_of(condition)]))
            continue
        yield base, condition
        if isinstance(condition, Nested):
            waiting.append(((*base, *elements_of(condition.path)), condition.filter))


def paths_of(filter: Filter) -> set[Path]:
    """Return the whole paths that conditions on values read, those in nested filters included."""
    return {
        (*base, *condition.path)
        for base, condition in conditions_of(filter)
        if not isinstance(condition, Nested | HasId | HasVector | Slice)
    }


def keys_of(filter: Filter) -> set[str]:
    """Return the payload keys at the top that the filter reads."""
    return {
        str(condition.path[0])
        for base, condition in conditions_of(filter)
        if not base and not isinstance(condition, HasId | HasVector | Slice)
    }


def with_columns(filter: Filter, numbers: Mapping[str, int]) -> Filter:
    """Return the filter with the numbers of columns for the names that mean some now."""
    if not any(isinstance(condition, HasVector) for _, condition in conditions_of(filter)):
        return filter

    def renamed(condition: Condition) -> Condition:
        if isinstance(condition, HasVector):
            vector = condition.vector
            return HasVector(numbers.get(vector, vector) if isinstance(vector, str) else vector)
        if isinstance(condition, Nested):
            return replace(condition, filter=with_columns(condition.filter, numbers))
        return with_columns(condition, numbers) if isinstance(condition, Filter) else condition

    def all_of(clause: tuple[Condition, ...] | None) -> tuple[Condition, ...] | None:
        return None if clause is None else tuple(map(renamed, clause))

    some = filter.min_should
    return Filter(
        must=all_of(filter.must),
        should=all_of(filter.should),
        must_not=all_of(filter.must_not),
        min_should=some and replace(some, conditions=tuple(map(renamed, some.conditions))),
    )
