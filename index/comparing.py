"""Compares two versions of a vector on given queries, by exact searches of a live collection.

Both are searched among the points that hold both, so that they have the same to find; what is
made of the lists stands in ``index.versions.comparison``. All searches read one view.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyroaring import BitMap

from index.bridging import Across, by_bridge, closest_of_all
from index.collection_config import CollectionConfig
from index.config import VectorConfig
from index.errors import InvalidConfig, InvalidPairs, MissingAdapter
from index.intake import check_query
from index.search.closest import closest
from index.search.plan import SearchRequest
from index.types import Numbers, PointId, SearchStats, Vector, Vectors
from index.versions.bridge import Bridge
from index.versions.comparison import Answers, comparison, list_length
from index.versions.measures import Places
from index.versions.registry import FittedByColumns, is_newer, version_of
from index.view import VectorView, View

MAX_QUERIES, MAX_K = 2_000, 100
NumbersOf = Callable[[Sequence[PointId]], list[int | None]]


@dataclass(frozen=True, slots=True, eq=False)
class CompareRequest:
    """Which versions of a vector are compared, and on what.

    ``queries`` are, by version, the same texts (q, d), row by row; ``relevant`` are, for each of
    them, the ids of the points that answer it, None without judgements.
    """

    vector: str
    old: str
    new: str
    queries: Mapping[str, Vectors]
    k: int = 10
    relevant: Sequence[Sequence[PointId]] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Sides:
    """What is searched: the rows of both versions, and the ways across."""

    view: View
    old_column: str
    new_column: str
    both: BitMap
    over: Bridge
    back: Bridge | None

    def vectors(self, column: str) -> VectorView:
        return self.view.vectors[column]


def compare(
    view: View,
    config: CollectionConfig,
    fitted: FittedByColumns,
    numbers_of: NumbersOf,
    request: CompareRequest,
) -> dict[str, Any]:
    """Return overlap@k, the cross-version matrix, AC, AM, ARR, gain and a verdict, as JSON.

    Every number has its 95 % interval. It takes a scan of all points that hold both versions, three
    or four times per query: run it in a thread.

    Args:
        view: what is searched.
        config: goes with the view.
        fitted: all adapters of the collection.
        numbers_of: gives the numbers of points by id.
        request: what is compared.

    Raises:
        UnknownVectorName, VersionNotFound: a name is not declared.
        InvalidConfig: k, the queries or the judgements do not fit together.
        InvalidVector, DimensionMismatch: a query is wrong.
        InvalidPairs: too few points hold both versions, or none that is relevant does.
        MissingAdapter: none leads from queries of the new version to rows of the old one.
    """
    sides = _sides(view, config, fitted, request)
    _check(request, sides)
    asked, relevant = _judged(request, sides, numbers_of)
    old = _checked(request.queries[request.old][asked], sides.vectors(sides.old_column))
    new = _checked(request.queries[request.new][asked], sides.vectors(sides.new_column))
    answers = _answers(sides, old, new, request.k)
    newer = is_newer(config, request.vector, request.new, request.old)
    found = comparison(answers, k=request.k, relevant=relevant, newer=newer)
    return {
        "vector": request.vector,
        "old": request.old,
        "new": request.new,
        "judged": None if request.relevant is None else len(asked),
        **found,
    }


def _sides(
    view: View, config: CollectionConfig, fitted: FittedByColumns, request: CompareRequest
) -> _Sides:
    old, new = (
        config.column_of(version_of(config, request.vector, version))
        for version in (request.old, request.new)
    )
    if old == new:
        raise InvalidConfig(f"old and new: expected two versions, got {request.old!r} twice")

    def bridge(rows: str, queries: str, names: tuple[str, str]) -> Bridge | None:
        known = fitted.get((config.number(rows), config.number(queries)))
        if known is None:
            return None
        return Bridge(rows, request.vector, *names, needed=False, fitted=known)

    over = bridge(old, new, (request.old, request.new))
    if over is None:
        raise MissingAdapter(request.vector, request.old, request.new)
    both = view.vectors[old].held & view.vectors[new].held
    return _Sides(view, old, new, both, over, bridge(new, old, (request.new, request.old)))


def _check(request: CompareRequest, sides: _Sides) -> None:
    if not 1 <= request.k <= MAX_K:
        raise InvalidConfig(f"k: expected 1 to {MAX_K}, got {request.k}")
    if set(request.queries) != {request.old, request.new}:
        raise InvalidConfig(
            f"queries: expected those of versions {request.old!r} and {request.new!r}, "
            f"got {sorted(request.queries)}"
        )
    counts = [len(request.queries[version]) for version in (request.old, request.new)]
    if counts[0] != counts[1] or not 1 <= counts[0] <= MAX_QUERIES:
        raise InvalidConfig(
            f"queries: expected 1 to {MAX_QUERIES}, as many in both versions, got "
            f"{counts[0]} of {request.old!r} and {counts[1]} of {request.new!r}"
        )
    if request.relevant is not None and len(request.relevant) != counts[0]:
        raise InvalidConfig(
            f"relevant: expected one list for each of {counts[0]} queries, "
            f"got {len(request.relevant)}"
        )
    if len(sides.both) <= request.k:
        raise InvalidPairs(
            f"{len(sides.both)} points hold both versions {request.old!r} and {request.new!r}: "
            f"more than k = {request.k} are needed to compare them; give more points vectors of "
            "both"
        )


def _judged(
    request: CompareRequest, sides: _Sides, numbers_of: NumbersOf
) -> tuple[list[int], list[list[int]] | None]:
    """Return which queries are asked, and the numbers of what is relevant to each.

    With judgements those queries are left out of which no relevant point holds both versions.
    """
    if request.relevant is None:
        return list(range(len(request.queries[request.new]))), None
    known: list[list[int]] = []
    for ids in request.relevant:
        numbers = numbers_of(ids) if len(ids) else []
        known.append([one for one in numbers if one is not None and one in sides.both])
    asked = [place for place, wanted in enumerate(known) if wanted]
    if not asked:
        raise InvalidPairs(
            f"relevant: none of the points holds both versions {request.old!r} and "
            f"{request.new!r}; judge points that do, or give those vectors of both"
        )
    return asked, [known[place] for place in asked]


def _checked(queries: Vectors, vectors: VectorView) -> list[Vector]:
    assert isinstance(vectors.config, VectorConfig)
    return [check_query(query, vectors.config) for query in queries]


def _answers(sides: _Sides, old: list[Vector], new: list[Vector], k: int) -> Answers:
    count = min(list_length(k), len(sides.both))
    old_rows, new_rows = (sides.vectors(one) for one in (sides.old_column, sides.new_column))
    back = sides.back
    return Answers(
        old=_lists([_native(old_rows, query, count, sides.both) for query in old], count),
        bridged=_lists([_over(sides, sides.over, query, count) for query in new], count),
        new=_lists([_native(new_rows, query, count, sides.both) for query in new], count),
        back=None if back is None else _lists([_over(sides, back, q, k) for q in old], k),
        mixed=_mixed(sides, new, k),
        points=len(sides.both),
        collection=len(old_rows.held | new_rows.held),
    )


def _native(vectors: VectorView, query: Vector, count: int, among: BitMap) -> Numbers:
    request = SearchRequest(query, k=count, exact=True)
    return closest(vectors, request, among, SearchStats()).numbers


def _over(sides: _Sides, bridge: Bridge, query: Vector, count: int) -> Numbers:
    across = Across(bridge, sides.vectors(bridge.column), sides.both, len(sides.both))
    request = SearchRequest(query, k=count, exact=True)
    return by_bridge(across, query, request, count, SearchStats()).numbers


def _mixed(sides: _Sides, queries: list[Vector], k: int) -> Places | None:
    """Return what searches find now among all points; None where one needs an adapter more."""
    lists = []
    for query in queries:
        request = SearchRequest(query, sides.new_column, k=k, exact=True)
        try:
            lists.append(closest_of_all(sides.view, request, None, SearchStats()).numbers)
        except MissingAdapter:
            return None
    return _lists(lists, k)


def _lists(found: Sequence[Numbers], count: int) -> Places:
    lists = np.full((len(found), count), -1, dtype=np.int64)
    for row, numbers in zip(lists, found, strict=True):
        row[: len(numbers)] = numbers
    return lists
