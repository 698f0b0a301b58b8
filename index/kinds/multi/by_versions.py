"""Searches by one query given in several versions, where some of these have sets of vectors.

As in ``search.query_per_version`` the list is in the space of the leading version. Single vectors
are found by a query of their own and, over an adapter, by the leading one, both together. Sets that
have a query of their own are found by it alone, by MaxSim: what a mapped query adds to that is
little. Their scores are of another model, so they take the places of those as far down the list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter
from typing import NamedTuple, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index.adapters.comparable import placed
from palimpsest.index.adapters.set_scores import per_token
from palimpsest.index.config.collection import SpaceConfig
from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.encoding.tokens import ExactMaxSim
from palimpsest.index.filters.bitmaps import from_numbers
from palimpsest.index.kinds.multi.bridged import (
    alike_sets,
    by_set,
    mean_of_query,
    native_sets,
    sets_together,
)
from palimpsest.index.kinds.multi.rows import checked_query
from palimpsest.index.kinds.multi.search import MultiView, score_multi
from palimpsest.index.search.across import Across, across
from palimpsest.index.search.closest import Closest, page_of
from palimpsest.index.search.leading_version import checked, leading_version, vectors_of_versions
from palimpsest.index.search.mapped_query import (
    BRIDGED,
    by_bridge,
    native_list,
    note,
    searched,
    together,
)
from palimpsest.index.search.merge import merge
from palimpsest.index.search.plan import SearchRequest, plan_of_list, resolve
from palimpsest.index.search.query_per_version import (
    Leading,
    Scene,
    closest_by_versions,
    count_of,
    found_across,
    rescored,
)
from palimpsest.index.search.ranked import RankedRows
from palimpsest.index.types import (
    Distances,
    Numbers,
    PointVector,
    SearchStats,
    Vector,
    Vectors,
    VersionedQuery,
)
from palimpsest.index.view.dense import dense_of
from palimpsest.index.view.view import AnyVectors, View

Query: TypeAlias = Vector | Vectors  # (d,), or (t, d) of a version of sets


class Lead(NamedTuple):
    """The version whose scores are wanted: its column, how it is kept, and its query."""

    column: int
    config: SpaceConfig
    query: Query

    @property
    def scale(self) -> float:
        """What a score per vector of the query is multiplied by."""
        if isinstance(self.config, MultiConfig):
            return per_token(self.config.distance, len(self.query))
        return 1.0

    @property
    def whole(self) -> Vector:
        """The query as one vector."""
        if isinstance(self.config, MultiConfig):
            return mean_of_query(self.query, self.config)
        return self.query


def closest_by_all(
    scene: Scene, request: SearchRequest, query: VersionedQuery, allowed: BitMap | None
) -> Closest:
    """Return the points closest to a query given in several versions, of either kind.

    Arguments and errors are those of ``closest_by_versions``.
    """
    config = scene.view.config
    leading = leading_version(config, request.vector_name, query)
    spaces = config.embedded_spaces
    others = [spaces[config.column_of(one)] for one in config.versions_of(leading.vector)]
    if not any(isinstance(one, MultiConfig) for one in others):
        return closest_by_versions(scene, request, query, allowed)
    versions = {
        column: checked_in(one, column, scene, f"query.versions.{version}")
        for version, column, one in vectors_of_versions(config, leading.vector, query)
    }
    column = config.column_of(leading)
    lead = Lead(column, spaces[column], versions[column])
    return _closest(scene, request, query, allowed, versions, lead)


def checked_in(one: PointVector, column: int, scene: Scene, where: str) -> Query:
    """Return a query of a column ready for search; ``where`` names it in errors."""
    return checked(one, column, scene.view.config, where, checked_query)


def _closest(
    scene: Scene,
    request: SearchRequest,
    query: VersionedQuery,
    allowed: BitMap | None,
    versions: Mapping[int, Query],
    lead: Lead,
) -> Closest:
    started = perf_counter()
    view = scene.view
    vectors = view.vectors[lead.column]
    plan = resolve(request, _one_of(lead.config))  # as it was asked
    count = count_of(plan, query)
    ways = across(view, lead.column, request.bridge, allowed, versions.keys())
    bridges = [by_own(view, one, versions) for one in ways.bridges]
    stats = SearchStats(out_of_reach=[*ways.missed])
    depth = max(count, plan.depth, BRIDGED)
    stats.seconds["plan"] = perf_counter() - started
    if isinstance(lead.config, MultiConfig) and lead.config.is_coded and not lead.query.any():
        own = cast(MultiView, vectors)
        found = alike_sets(own, request, lead.query, allowed, ways.bridges, plan.fetch)
        return Closest(page_of(merge(found, plan.fetch), plan, None), stats)
    native = natively(vectors, lead.query, request, depth, allowed, stats)
    lists = [found_in(one, versions, lead, request, depth, stats) for one in bridges]
    merging = perf_counter()
    rows = native.taken(slice(0, count))
    if bridges:
        rows = _together(native, vectors, allowed, lists, bridges, count, lead)
        note(stats, view, lead.column, native, lists, bridges)
    if query.rescore_version is not None:
        by_rank = any(one.merge.method == "rank" for one in bridges)
        if isinstance(lead.config, MultiConfig):
            rows, exact = _rescored(scene, rows, lead, query, by_rank=by_rank)
        else:
            rows, exact = rescored(scene, rows, lead.column, lead.query, query, by_rank=by_rank)
        stats.estimated[:] = [rows.numbers[~exact]]
    merged = page_of(rows.taken(slice(0, plan.fetch)).merged(), plan, None)
    stats.took("merge", perf_counter() - merging)
    return Closest(merged, stats)


def _one_of(config: SpaceConfig) -> VectorConfig:
    return config.mean if isinstance(config, MultiConfig) else config


def by_own(view: View, one: Across, versions: Mapping[int, Query]) -> Across:
    """Return the way to sets that have a query of their own as one without an adapter."""
    own = versions.get(one.bridge.column)
    if own is None or own.ndim == 1:
        return one
    points = one.points  # of an adapter they may be means, and only those that are looked for
    bridge = replace(one.bridge, fitted=None)
    return Across(bridge, view.vectors[bridge.column], points, len(points))


def natively(
    vectors: AnyVectors,
    query: Query,
    request: SearchRequest,
    count: int,
    points: BitMap | None,
    stats: SearchStats,
) -> RankedRows:
    """Return the rows, or sets, closest to a query of their own version."""
    if isinstance(vectors.config, MultiConfig):
        return native_sets(cast(MultiView, vectors), query, request, count, points, stats)
    dense = dense_of(vectors)
    return native_list(dense, query, plan_of_list(request, dense.config, count), points, stats)


def found_in(
    one: Across,
    versions: Mapping[int, Query],
    lead: Lead,
    request: SearchRequest,
    count: int,
    stats: SearchStats,
) -> RankedRows:
    """Return the closest rows of another version, scored per vector of the leading query.

    Arguments are those of ``query_per_version.found_across``.
    """
    own = versions.get(one.bridge.column)
    if own is not None and own.ndim == 2:
        sets = cast(MultiView, one.vectors)
        rows = native_sets(sets, own, request, count, one.rest, stats)
        distance = sets.config.distance
        return rows.scored(rows.distances / np.float32(per_token(distance, len(own))))
    if own is not None:
        wanted = Leading(lead.column, lead.config.distance)
        both = {one.bridge.column: own, lead.column: lead.whole}
        return found_across(one, both, wanted, request, count, stats)
    if isinstance(lead.config, MultiConfig):
        return by_set(one, lead.config, lead.query, request, count, stats)
    return by_bridge(one, lead.query, request, count, stats)


def _together(
    native: RankedRows,
    vectors: AnyVectors,
    allowed: BitMap | None,
    lists: list[RankedRows],
    bridges: list[Across],
    count: int,
    lead: Lead,
) -> RankedRows:
    if isinstance(lead.config, MultiConfig):
        live = searched(vectors, allowed)
        return sets_together(native, live, lead.config, lists, bridges, count, lead.scale)
    return together(native, dense_of(vectors), allowed, lists, bridges, count)


def _rescored(
    scene: Scene, rows: RankedRows, lead: Lead, asked: VersionedQuery, *, by_rank: bool
) -> tuple[RankedRows, NDArray[np.bool_]]:
    """Score points again by what they hold of the leading version, or what is supplied.

    Returns:
        The points in their new order, and which of them are scored so.
    """
    distances, has = rows.distances.copy(), np.zeros(rows.length, dtype=bool)
    place_of = {number: place for place, number in enumerate(rows.numbers.tolist())}

    def settle(numbers: list[int], found: Distances) -> None:
        for number, distance in zip(numbers, found.tolist(), strict=True):
            if (place := place_of.get(number)) is not None:
                distances[place], has[place] = distance, True

    for numbers, found in _held(scene, rows.numbers, lead):
        settle(numbers.tolist(), found)
    given = {
        one: checked_in(vector, lead.column, scene, f"query.vectors.{one}")
        for one, vector in asked.supplied.items()
    }
    known = scene.numbers_of(list(given)) if given else []
    for number, vector in zip(known, given.values(), strict=True):
        if number is not None:
            settle([number], _compared(lead, vector))
    if by_rank:
        distances = -placed(-rows.distances, has, -distances)
    order = np.argsort(distances, kind="stable")
    return rows.scored(distances).taken(order), has[order]


def _held(scene: Scene, numbers: Numbers, lead: Lead) -> list[tuple[Numbers, Distances]]:
    """Return blocks of points that hold the leading version, and their exact distances."""
    vectors, points = scene.view.vectors[lead.column], from_numbers(numbers)
    blocks = score_multi(cast(MultiView, vectors), [lead.query], points, exact=True)
    return [(own, distances[0]) for own, distances, _ in blocks]


def _compared(lead: Lead, given: Vectors) -> Distances:
    """Return the distance (1,) of the leading query to a set that no part holds."""
    exact = ExactMaxSim(lead.config.distance)
    starts, rows = np.array([0, len(given)], dtype=np.int64), np.zeros(1, dtype=np.uint32)
    return exact.distances(lead.query, given, starts, rows)
