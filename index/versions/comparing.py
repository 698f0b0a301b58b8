"""Compares two versions of a vector on given queries, by searches of a live collection.

On judged queries the old version, the bridge and both together are searched where users search
them, among all points; what needs vectors of both versions, and all that is measured without
judgements, is searched among the points that hold both. Points that the adapter was fitted on are
left out wherever it is measured. What is made of the lists stands in
``index.adapters.compare_unjudged`` and ``index.adapters.compare_judged``. All searches read one
view.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pyroaring import BitMap

from palimpsest.index.adapters.compare_judged import Served, Shared, judgement
from palimpsest.index.adapters.compare_unjudged import Answers, comparison, list_length
from palimpsest.index.adapters.fit_request import DEFAULT_HOLDOUT
from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.adapters.gains import Gains
from palimpsest.index.adapters.measures import Places
from palimpsest.index.config.collection import CollectionConfig, SpaceConfig
from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.config.versions import is_newer, version_of
from palimpsest.index.encoding.normalise import check_query
from palimpsest.index.errors import InvalidConfig, InvalidPairs, MissingAdapter
from palimpsest.index.filters.bitmaps import from_numbers, to_numbers
from palimpsest.index.kinds.multi.by_versions import Query
from palimpsest.index.kinds.multi.rows import checked_query
from palimpsest.index.search.query_per_version import Scene
from palimpsest.index.types import Numbers, PointVector, Vectors
from palimpsest.index.versions.compared_lists import (
    CompareRequest,
    Sides,
    as_lists,
    find_by_both,
    find_native,
    find_now,
    find_old,
    find_over,
    find_together,
)
from palimpsest.index.versions.drawn_pairs import is_held_out
from palimpsest.index.versions.relevance import Judgements, NumbersOf, Searched, judgements_of
from palimpsest.index.view.bridge import Bridge, FittedByColumns
from palimpsest.index.view.view import View

MAX_QUERIES, MAX_K = 2_000, 100
RANKED = 1_024  # places of a list whose candidates are told apart


def compare(
    view: View,
    config: CollectionConfig,
    fitted: FittedByColumns,
    numbers_of: NumbersOf,
    request: CompareRequest,
) -> dict[str, Any]:
    """Return what each way of asking is worth, the cross-version matrix and a verdict, as JSON.

    Every number has its 95 % interval. It takes up to six searches per query, most of them scans:
    run it in a thread.

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
        InvalidPairs: too few points hold both versions, or no judged query counts.
    """
    sides = _sides(view, config, fitted, numbers_of, request)
    _check(request)
    asked = {
        version: checked_queries(request.queries[version], config.embedded_spaces[column])
        for version, column in (
            (request.old, sides.old_column),
            (request.new, sides.new_column),
        )
    }
    old, new = asked[request.old], asked[request.new]
    known = _fitted(sides)
    told = None if known is None else known.report.get("judged")
    if request.relevant is None:
        newer = is_newer(config, request.vector, request.new, request.old)
        k = _measurable(sides)
        found = comparison(_answers(sides, old, new, k), k=k, newer=newer, known=told)
        counted = None
    else:
        judged = judgements_of(request.relevant, sides.points, numbers_of, request.old)
        found = _judged(sides, judged, old, new)
        counted = judged.to_json()
    if _fitted_points(known, sides) is None:
        found["reasons"].append(
            "the adapter was fitted on pairs given with the call: where they are among these "
            "points, it is measured on what it knows"
        )
    return {
        "vector": request.vector,
        "old": request.old,
        "new": request.new,
        "judged": None if counted is None else counted["all_rows"],
        "counted": counted,
        "fitted_points": _fitted_points(known, sides),
        **found,
    }


def _fitted(sides: Sides) -> Fitted | None:
    return None if sides.over is None else sides.over.fitted


def _fitted_points(known: Fitted | None, sides: Sides) -> int | None:
    """Return how many points were left out, for the adapter was fitted on them; None if unknown."""
    given = known is not None and known.points is None and not known.from_points
    return None if given else len(sides.points.fitted)


def _sides(
    view: View,
    config: CollectionConfig,
    fitted: FittedByColumns,
    numbers_of: NumbersOf,
    request: CompareRequest,
) -> Sides:
    old, new = (
        config.column_of(version_of(config, request.vector, version))
        for version in (request.old, request.new)
    )
    if old == new:
        raise InvalidConfig(f"old and new: expected two versions, got {request.old!r} twice")

    def bridge(rows: int, queries: int, names: tuple[str, str]) -> Bridge | None:
        known = fitted.get((rows, queries))
        if known is None:
            return None
        return Bridge(rows, request.vector, *names, needed=False, fitted=known)

    over = bridge(old, new, (request.old, request.new))
    held = view.vectors[old].held, view.vectors[new].held
    both = held[0] & held[1]
    points = Searched(held[0], both, fitted_on(None if over is None else over.fitted, both))
    back = bridge(new, old, (request.new, request.old))
    return Sides(Scene(view, numbers_of), request, old, new, points, over, back)


def fitted_on(fitted: Fitted | None, both: BitMap) -> BitMap:
    """Return the points an adapter was fitted on, none for None.

    Of one that was fitted before they were kept, all are taken that may have been.
    """
    if fitted is None:
        return BitMap()
    if fitted.points is not None:
        return from_numbers(fitted.points)
    if not fitted.from_points:
        return BitMap()
    numbers = to_numbers(both)
    return from_numbers(numbers[~is_held_out(numbers, DEFAULT_HOLDOUT)])


def _check(request: CompareRequest) -> None:
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
            f"relevant: expected one list, or one object of grades, for each of {counts[0]} "
            f"queries, got {len(request.relevant)}"
        )


def checked_queries(queries: Vectors | Sequence[PointVector], config: SpaceConfig) -> list[Query]:
    """Return queries, vectors or sets, as they are searched by.

    Raises:
        InvalidVector, DimensionMismatch: one is none of the space.
    """
    if isinstance(config, MultiConfig):
        return [checked_query(query, config) for query in queries]
    return [check_query(query, config) for query in queries]


# Without judgements.


def _measurable(sides: Sides) -> int:
    """Return how long answers are compared: half of the points not fitted on, where those are few.

    Raises:
        InvalidPairs: too few points hold both versions.
    """
    request, both, unseen = sides.request, len(sides.points.both), len(sides.unseen)
    if both <= request.k or unseen < 2:
        raise InvalidPairs(
            f"{both} points hold both versions {request.old!r} and {request.new!r}, {unseen} of "
            f"which were not fitted on: more than k = {request.k} and 2 are needed to compare "
            "them; give more points vectors of both, or judge the queries"
        )
    return min(request.k, max(1, unseen // 2))


def _answers(sides: Sides, old: list[Query], new: list[Query], k: int) -> Answers:
    among = sides.unseen
    count = min(list_length(k), len(among))
    bridged, both, backwards = None, None, None
    if (over := sides.over) is not None:
        bridged = as_lists([find_over(sides, over, one, count, among) for one in new], count)
        both = as_lists(
            [find_together(sides, over, *each, k) for each in zip(old, new, strict=True)], k
        )
    if (back := sides.back) is not None:
        backwards = as_lists([find_over(sides, back, one, k, among) for one in old], k)
    return Answers(
        old=as_lists(
            [find_native(sides, sides.old_column, one, count, among) for one in old], count
        ),
        bridged=bridged,
        both=both,
        new=as_lists(
            [find_native(sides, sides.new_column, one, count, among) for one in new], count
        ),
        back=backwards,
        points=len(among),
        collection=sides.collection,
    )


# With judgements.


def _judged(sides: Sides, judged: Judgements, old: list[Query], new: list[Query]) -> dict[str, Any]:
    k, unseen = sides.request.k, None
    shared = _shared(sides, judged.shared, None, sides.points.both, old, new)
    if sides.over is not None:
        unseen = _shared(sides, judged.unseen, sides.over, sides.unseen, old, new)
    served = _served(sides, judged.served, old, new)
    return judgement(served, shared, unseen, k=k, collection=sides.collection)


def _served(sides: Sides, gains: list[Gains], old: list[Query], new: list[Query]) -> Served:
    """Return what users get of the queries that count."""
    k, among, over = sides.request.k, sides.corpus, sides.over
    asked = [place for place, one in enumerate(gains) if one]

    def lists(search: Callable[[int], Numbers]) -> Places:
        return as_lists([search(place) for place in asked], k, asked, len(gains))

    bridged, mixed = None, None
    if over is not None:
        bridged = lists(lambda place: find_over(sides, over, new[place], k, among))
        mixed = _or_none(lambda: lists(lambda place: find_now(sides, new[place], k)))
    return Served(
        old=lists(lambda place: find_old(sides, old[place], k)),
        bridged=bridged,
        both=_or_none(lambda: lists(lambda place: find_by_both(sides, old[place], new[place], k))),
        mixed=mixed,
        alone=_alone(sides),
        gains=gains,
        points=len(among),
    )


def _alone(sides: Sides) -> bool:
    """Tell whether no third embedding model has a part in what searches find now."""
    versions = sides.scene.view.config.versions_of(sides.request.vector)
    return sum(one.state != "retired" and one.mapped is None for one in versions) == 2


def _or_none(search: Callable[[], Places]) -> Places | None:
    """Return lists, None where points can only be found by an adapter more."""
    try:
        return search()
    except MissingAdapter:
        return None


def _shared(
    sides: Sides,
    gains: list[Gains],
    over: Bridge | None,
    among: BitMap,
    old: list[Query],
    new: list[Query],
) -> Shared | None:
    """Return what is found where both versions are held; None where too few points do."""
    k = sides.request.k
    asked = [place for place, one in enumerate(gains) if one]
    if len(among) <= k or not asked:
        return None
    count = min(max(list_length(k), RANKED), len(among))

    def lists(search: Callable[[int], Numbers]) -> Places:
        return as_lists([search(place) for place in asked], count, asked, len(gains))

    olds = lists(lambda place: find_native(sides, sides.old_column, old[place], count, among))
    candidates = olds
    if over is not None:
        candidates = lists(lambda place: find_over(sides, over, new[place], count, among))
    return Shared(
        old=olds,
        candidates=candidates,
        new=lists(lambda place: find_native(sides, sides.new_column, new[place], count, among)),
        gains=gains,
        points=len(among),
    )
