"""Compares two versions of a vector on given queries, by searches of a live collection.

On judged queries the old version, the bridge and both together are searched where users search
them, among all points; what needs vectors of both versions, and all that is measured without
judgements, is searched among the points that hold both. Points that the adapter was fitted on are
left out wherever it is measured. What is made of the lists stands in ``index.versions.comparison``
and ``index.versions.judgement``. All searches read one view.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyroaring import BitMap

from index.bridging import by_bridge, closest_of_all
from index.by_versions import Scene, closest_by_versions, found_across
from index.collection_config import CollectionConfig
from index.config import VectorConfig
from index.crossing import Across
from index.errors import InvalidConfig, InvalidPairs, MissingAdapter
from index.filters.bitmaps import from_numbers, to_numbers
from index.intake import check_query
from index.judging import Judgements, NumbersOf, Relevant, Searched, judgements_of
from index.pairing import is_held_out
from index.search.closest import closest
from index.search.plan import SearchRequest
from index.types import Distance, Numbers, SearchStats, Vector, Vectors, VersionedQuery
from index.versions.bridge import Bridge
from index.versions.comparison import Answers, comparison, list_length
from index.versions.fit_request import DEFAULT_HOLDOUT
from index.versions.fitted import Fitted
from index.versions.gains import Gains
from index.versions.judgement import Served, Shared, judgement
from index.versions.measures import Places
from index.versions.registry import FittedByColumns, is_newer, version_of
from index.view import VectorView, View

MAX_QUERIES, MAX_K = 2_000, 100
_EXACTLY = 8_192  # points that are searched exactly; more are searched as users search them
_TOGETHER = 64  # rows of each list that both queries score, as in searches
_RANKED = 1_024  # places of a list whose candidates are told apart


@dataclass(frozen=True, slots=True, eq=False)
class CompareRequest:
    """Which versions of a vector are compared, and on what.

    ``queries`` are, by version, the same texts (q, d), row by row; ``relevant`` are, for each of
    them, the ids of the points that answer it, or ids with grades above 0, larger for what answers
    it better; None without judgements.
    """

    vector: str
    old: str
    new: str
    queries: Mapping[str, Vectors]
    k: int = 10
    relevant: Sequence[Relevant] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Sides:
    """What is searched: the rows of both versions, and the ways across, None without adapters."""

    scene: Scene
    request: CompareRequest
    old_column: str
    new_column: str
    points: Searched
    over: Bridge | None
    back: Bridge | None

    def vectors(self, column: str) -> VectorView:
        return self.scene.view.vectors[column]

    @property
    def corpus(self) -> BitMap:
        """The points that users' searches are measured among."""
        return self.points.old - self.points.fitted

    @property
    def unseen(self) -> BitMap:
        """The points that hold both versions and were not fitted on."""
        return self.points.both - self.points.fitted

    @property
    def collection(self) -> int:
        """How many points hold either version."""
        return len(self.points.old | self.vectors(self.new_column).held)


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
        version: _checked(request.queries[version], sides.vectors(column))
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


def _fitted(sides: _Sides) -> Fitted | None:
    return None if sides.over is None else sides.over.fitted


def _fitted_points(known: Fitted | None, sides: _Sides) -> int | None:
    """Return how many points were left out, for the adapter was fitted on them; None if unknown."""
    given = known is not None and known.points is None and not known.from_points
    return None if given else len(sides.points.fitted)


def _sides(
    view: View,
    config: CollectionConfig,
    fitted: FittedByColumns,
    numbers_of: NumbersOf,
    request: CompareRequest,
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
    held = view.vectors[old].held, view.vectors[new].held
    both = held[0] & held[1]
    points = Searched(held[0], both, _seen(None if over is None else over.fitted, both))
    back = bridge(new, old, (request.new, request.old))
    return _Sides(Scene(view, numbers_of), request, old, new, points, over, back)


def _seen(fitted: Fitted | None, both: BitMap) -> BitMap:
    """Return the points an adapter was fitted on.

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


def _checked(queries: Vectors, vectors: VectorView) -> list[Vector]:
    assert isinstance(vectors.config, VectorConfig)
    return [check_query(query, vectors.config) for query in queries]


# Without judgements.


def _measurable(sides: _Sides) -> int:
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


def _answers(sides: _Sides, old: list[Vector], new: list[Vector], k: int) -> Answers:
    among = sides.unseen
    count = min(list_length(k), len(among))
    bridged, both, backwards = None, None, None
    if (over := sides.over) is not None:
        bridged = _lists([_over(sides, over, one, count, among) for one in new], count)
        both = _lists([_together(sides, over, *each, k) for each in zip(old, new, strict=True)], k)
    if (back := sides.back) is not None:
        backwards = _lists([_over(sides, back, one, k, among) for one in old], k)
    return Answers(
        old=_lists([_native(sides, sides.old_column, one, count, among) for one in old], count),
        bridged=bridged,
        both=both,
        new=_lists([_native(sides, sides.new_column, one, count, among) for one in new], count),
        back=backwards,
        points=len(among),
        collection=sides.collection,
    )


# With judgements.


def _judged(
    sides: _Sides, judged: Judgements, old: list[Vector], new: list[Vector]
) -> dict[str, Any]:
    k, unseen = sides.request.k, None
    shared = _shared(sides, judged.shared, None, sides.points.both, old, new)
    if sides.over is not None:
        unseen = _shared(sides, judged.unseen, sides.over, sides.unseen, old, new)
    served = _served(sides, judged.served, old, new)
    return judgement(served, shared, unseen, k=k, collection=sides.collection)


def _served(sides: _Sides, gains: list[Gains], old: list[Vector], new: list[Vector]) -> Served:
    """Return what users get of the queries that count."""
    k, among, over = sides.request.k, sides.corpus, sides.over
    asked = [place for place, one in enumerate(gains) if one]

    def lists(search: Callable[[int], Numbers]) -> Places:
        return _lists([search(place) for place in asked], k, asked, len(gains))

    bridged, mixed = None, None
    if over is not None:
        bridged = lists(lambda place: _over(sides, over, new[place], k, among))
        mixed = _or_none(lambda: lists(lambda place: _now(sides, new[place], k)))
    return Served(
        old=lists(lambda place: _old(sides, old[place], k)),
        bridged=bridged,
        both=_or_none(lambda: lists(lambda place: _by_both(sides, old[place], new[place], k))),
        mixed=mixed,
        alone=_alone(sides),
        gains=gains,
        points=len(among),
    )


def _alone(sides: _Sides) -> bool:
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
    sides: _Sides,
    gains: list[Gains],
    over: Bridge | None,
    among: BitMap,
    old: list[Vector],
    new: list[Vector],
) -> Shared | None:
    """Return what is found where both versions are held; None where too few points do."""
    k = sides.request.k
    asked = [place for place, one in enumerate(gains) if one]
    if len(among) <= k or not asked:
        return None
    count = min(max(list_length(k), _RANKED), len(among))

    def lists(search: Callable[[int], Numbers]) -> Places:
        return _lists([search(place) for place in asked], count, asked, len(gains))

    olds = lists(lambda place: _native(sides, sides.old_column, old[place], count, among))
    candidates = olds
    if over is not None:
        candidates = lists(lambda place: _over(sides, over, new[place], count, among))
    return Shared(
        old=olds,
        candidates=candidates,
        new=lists(lambda place: _native(sides, sides.new_column, new[place], count, among)),
        gains=gains,
        points=len(among),
    )


# Searches.


def _native(sides: _Sides, column: str, query: Vector, count: int, among: BitMap) -> Numbers:
    request = SearchRequest(query, k=count, exact=len(among) <= _EXACTLY)
    return closest(sides.vectors(column), request, among, SearchStats()).numbers


def _old(sides: _Sides, query: Vector, count: int) -> Numbers:
    """Return what an old query finds, with as much effort as bridged rows are searched.

    They are scanned where a query of their own would walk the graph, and a walk misses more the
    harder the vectors are: versions are compared, not that.
    """
    request, among = sides.request, sides.corpus
    if len(among) <= _EXACTLY:
        return _native(sides, sides.old_column, query, count, among)
    names = request.old, request.new
    itself = Bridge(sides.old_column, request.vector, *names, needed=False, fitted=None)
    across = Across(itself, sides.vectors(sides.old_column), among, len(among))
    versions, asked = {sides.old_column: query}, SearchRequest(query, k=count)
    depth = max(count, _TOGETHER)
    stats, distance = SearchStats(), _distance(sides)
    found = found_across(across, versions, sides.new_column, asked, depth, stats, distance)
    return found.numbers[:count]


def _over(sides: _Sides, bridge: Bridge, query: Vector, count: int, among: BitMap) -> Numbers:
    across = Across(bridge, sides.vectors(bridge.column), among, len(among))
    request = SearchRequest(query, k=count, exact=len(among) <= _EXACTLY)
    return by_bridge(across, query, request, count, SearchStats()).numbers


def _together(sides: _Sides, bridge: Bridge, old: Vector, new: Vector, count: int) -> Numbers:
    """Return what both queries find in old rows of the points that were not fitted on."""
    among = sides.unseen
    across = Across(bridge, sides.vectors(bridge.column), among, len(among))
    request = SearchRequest(new, k=count, exact=len(among) <= _EXACTLY)
    versions = {sides.old_column: old, sides.new_column: new}
    depth = max(count, _TOGETHER)
    stats, distance = SearchStats(), _distance(sides)
    found = found_across(across, versions, sides.new_column, request, depth, stats, distance)
    return found.numbers[:count]


def _by_both(sides: _Sides, old: Vector, new: Vector, k: int) -> Numbers:
    """Return what a query in both versions finds among the points as they are now."""
    request = sides.request
    query = VersionedQuery({request.old: old, request.new: new})
    asked = SearchRequest(query, request.vector, k=k, exact=len(sides.corpus) <= _EXACTLY)
    found = closest_by_versions(sides.scene, asked, query, sides.corpus, SearchStats())
    return found.numbers


def _now(sides: _Sides, query: Vector, k: int) -> Numbers:
    """Return what a query of the new version finds among the points as they are now."""
    asked = SearchRequest(query, sides.new_column, k=k, exact=len(sides.corpus) <= _EXACTLY)
    return closest_of_all(sides.scene.view, asked, sides.corpus, SearchStats()).numbers


def _lists(
    found: Sequence[Numbers],
    count: int,
    places: Sequence[int] | None = None,
    queries: int | None = None,
) -> Places:
    """Return lists (q, count) of numbers, at some places of as many queries, -1 elsewhere."""
    lists = np.full((len(found) if queries is None else queries, count), -1, dtype=np.int64)
    for place, numbers in zip(range(len(found)) if places is None else places, found, strict=True):
        lists[place, : len(numbers)] = numbers[:count]
    return lists


def _distance(sides: _Sides) -> Distance:
    """Return the metric of the new version."""
    config = sides.vectors(sides.new_column).config
    assert isinstance(config, VectorConfig)
    return config.distance
