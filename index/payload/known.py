"""What is known of single conditions without reading payloads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from pyroaring import BitMap

from palimpsest.index.filters.expression import (
    Condition,
    DatetimeRange,
    Filter,
    GeoBox,
    GeoPolygon,
    GeoRadius,
    HasId,
    HasVector,
    Match,
    MatchExcept,
    MatchText,
    Nested,
    Range,
    Slice,
)
from palimpsest.index.filters.expression import Field as FieldCondition
from palimpsest.index.filters.values import elements_of
from palimpsest.index.filters.walk import clauses_of
from palimpsest.index.payload.candidates import Candidates
from palimpsest.index.payload.indexes import PayloadIndexes
from palimpsest.index.types import PointId

# Conditions that hold of a value on its own; moved to a longer path they keep their meaning.
_OF_VALUES = (
    Match,
    MatchExcept,
    MatchText,
    Range,
    DatetimeRange,
    GeoBox,
    GeoRadius,
    GeoPolygon,
)


class FilterSource(Protocol):
    """What filters are evaluated over: the points of one view."""

    @property
    def live(self) -> BitMap:
        """The numbers of all points; not to be changed."""

    @property
    def indexes(self) -> PayloadIndexes:
        """The payload indexes."""

    def payloads(self, numbers: BitMap) -> Iterator[tuple[int, bytes | None]]:
        """Yield numbers and payloads, of points that are still there."""

    def numbers_of(self, ids: Iterable[PointId]) -> BitMap:
        """Return the numbers of the ids that exist."""

    def having(self, vector: str | int) -> BitMap:
        """Return the points with a vector of the name or column; not to be changed."""

    def ids(self, numbers: BitMap) -> Iterator[tuple[int, PointId]]:
        """Yield numbers and ids, of points that are still there."""


def known_of(condition: Condition, source: FilterSource) -> Candidates | None:
    """Return which points match; None when their payloads have to tell, and for filters.

    The sets may hold points that are not live, and are not to be changed.
    """
    if isinstance(condition, Filter):
        return None
    if isinstance(condition, HasId):
        return Candidates(source.numbers_of(condition.ids), BitMap())
    if isinstance(condition, HasVector):
        return Candidates(source.having(condition.vector), BitMap())
    if isinstance(condition, Slice):
        return Candidates(BitMap(), source.live)
    if isinstance(condition, Nested):
        return _nested(condition, source)
    return source.indexes.candidates(condition, source.live)


def is_known(condition: Condition, indexes: PayloadIndexes) -> bool:
    """Tell whether anything but payloads may help with a condition, or with one inside of it."""
    if isinstance(condition, Filter):
        return any(is_known(each, indexes) for each in clauses_of(condition))
    if isinstance(condition, HasId | HasVector | Slice):
        return True
    if isinstance(condition, Nested):
        return any(indexes.has(each.path) for each in _moved(condition))
    return indexes.has(condition.path)


def _nested(condition: Nested, source: FilterSource) -> Candidates | None:
    """Return the points that have the values asked for, in one and the same element or not."""
    found: BitMap | None = None
    for each in _moved(condition):
        known = source.indexes.candidates(each, source.live)
        if known is not None:
            either = known.sure | known.maybe
            found = either if found is None else found & either
    return None if found is None else Candidates(BitMap(), found)


def _moved(nested: Nested) -> list[FieldCondition]:
    """Return the conditions on values that an element must pass, with their whole paths."""
    base = elements_of(nested.path)
    return [
        replace(each, path=(*base, *each.path))
        for each in nested.filter.must or ()
        if isinstance(each, _OF_VALUES)
    ]
