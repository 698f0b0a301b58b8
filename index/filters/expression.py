"""Filters as immutable values: conditions on payload paths, ids and vector names; their clauses.

Semantics are those of Qdrant's filter language. All given clauses of a filter are AND-ed: every
``must``, at least one ``should``, none of ``must_not``, at least ``min_count`` of ``min_should``.
An absent clause is None; an empty filter matches everything. A condition on a value that is an
array holds when it holds for any of its elements.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal, TypeAlias

from palimpsest.index.types import PointId


class Each(Enum):
    """The step ``[]`` of a path: every element of an array."""

    EACH = "[]"


EACH = Each.EACH
Step: TypeAlias = str | int | Each
Path: TypeAlias = tuple[Step, ...]  # a.b[0].c[] is ("a", "b", 0, "c", EACH)
Scalar: TypeAlias = bool | int | str  # what a match compares; a stored float never equals
Geo: TypeAlias = tuple[float, float]  # longitude, latitude in degrees


@dataclass(frozen=True, slots=True)
class Match:
    """The value is one of ``values``: bool, int and str are distinct types."""

    path: Path
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class MatchExcept:
    """There is a value, it is not null, and it is none of ``values``."""

    path: Path
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class MatchText:
    """Tokens of ``text`` in a string: all of them, any of them, or in sequence.

    ``prefix`` and ``substring`` compare characters, case and all.
    """

    path: Path
    text: str
    how: Literal["all", "any", "phrase", "prefix", "substring"]


@dataclass(frozen=True, slots=True)
class Range:
    """A number (not a bool) within all given bounds; integers, too, are compared exactly."""

    path: Path
    gt: float | None = None
    gte: float | None = None
    lt: float | None = None
    lte: float | None = None


@dataclass(frozen=True, slots=True)
class DatetimeRange:
    """An RFC 3339 text within all given bounds, which are microseconds since 1970 in UTC."""

    path: Path
    gt: int | None = None
    gte: int | None = None
    lt: int | None = None
    lte: int | None = None


@dataclass(frozen=True, slots=True)
class GeoBox:
    """A point strictly inside the box; it crosses the antimeridian when left > right."""

    path: Path
    top_left: Geo
    bottom_right: Geo


@dataclass(frozen=True, slots=True)
class GeoRadius:
    """A point less than ``radius`` metres, which are 0 or more, from ``center``."""

    path: Path
    center: Geo
    radius: float


@dataclass(frozen=True, slots=True)
class GeoPolygon:
    """A point inside the exterior ring and outside every interior one. Rings are closed."""

    path: Path
    exterior: tuple[Geo, ...]
    interiors: tuple[tuple[Geo, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class ValuesCount:
    """The number of elements (scalar 1, null and missing 0) within all given bounds."""

    path: Path
    gt: int | None = None
    gte: int | None = None
    lt: int | None = None
    lte: int | None = None


@dataclass(frozen=True, slots=True)
class IsEmpty:
    """The value is missing, null or an empty array."""

    path: Path


@dataclass(frozen=True, slots=True)
class IsNull:
    """The value is null, or an array with a null in it."""

    path: Path


@dataclass(frozen=True, slots=True)
class HasId:
    """The point's id is one of ``ids``."""

    ids: frozenset[PointId]


@dataclass(frozen=True, slots=True)
class HasVector:
    """The point has a vector of the name, or of the column whose number is given instead."""

    vector: str | int


@dataclass(frozen=True, slots=True)
class Slice:
    """The point's id hashes to ``index`` of ``total`` (SipHash, modulo)."""

    total: int
    index: int


@dataclass(frozen=True, slots=True)
class Nested:
    """One and the same element of the array at ``path`` passes the filter."""

    path: Path
    filter: Filter


@dataclass(frozen=True, slots=True)
class MinShould:
    """At least ``min_count`` of the conditions hold."""

    conditions: tuple[Condition, ...]
    min_count: int


@dataclass(frozen=True, slots=True)
class Filter:
    """Clauses, AND-ed; also a condition itself."""

    must: tuple[Condition, ...] | None = None
    should: tuple[Condition, ...] | None = None
    must_not: tuple[Condition, ...] | None = None
    min_should: MinShould | None = None


Field: TypeAlias = (
    Match
    | MatchExcept
    | MatchText
    | Range
    | DatetimeRange
    | GeoBox
    | GeoRadius
    | GeoPolygon
    | ValuesCount
    | IsEmpty
    | IsNull
)
Condition: TypeAlias = Field | HasId | HasVector | Slice | Nested | Filter
