"""Searches by one query given in several versions: each row is scored in its own.

The list is in the space of one of the versions, the leading one: that of ``rescore_version``, else
the one named by the vector name or the virtual collection, else the one declared last. Rows of
another version are scored by their own query and, where an adapter leads to them, by the leading
one too: the two together find more than either (algorithms 8.2). Their scores, too, are estimates
in the metric of the leading version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index.adapters.comparable import placed
from palimpsest.index.adapters.estimating import Metric, best_score, converted, length, usual_length
from palimpsest.index.adapters.joint_score import WEIGHT, fuse
from palimpsest.index.errors import InvalidConfig
from palimpsest.index.search.across import Across, across
from palimpsest.index.search.closest import Closest, page_of
from palimpsest.index.search.every_point import Scalings, distances_to, exact_distances
from palimpsest.index.search.leading_version import by_column, checked, leading_version
from palimpsest.index.search.mapped_query import (
    BRIDGED,
    alike,
    by_bridge,
    factors_of,
    native_list,
    note,
    plan_of,
    together,
)
from palimpsest.index.search.plan import SearchPlan, SearchRequest, plan_of_list, resolve
from palimpsest.index.search.ranked import RankedRows, joined
from palimpsest.index.search.zero_query import is_alike
from palimpsest.index.types import (
    Distance,
    Numbers,
    PointId,
    PointVector,
    SearchStats,
    Vector,
    Vectors,
    VersionedQuery,
)
from palimpsest.index.view.dense import dense_of, vectors_of
from palimpsest.index.view.view import View

MAX_RESCORED = 10_000


@dataclass(frozen=True, slots=True)
class Scene:
    """The state that is searched; ``numbers_of`` gives the numbers of ids that exist."""

    view: View
    numbers_of: Callable[[Sequence[PointId]], Sequence[int | None]]


class Leading(NamedTuple):
    """The version whose scores are wanted: its column, and what these are of."""

    column: int
    distance: Distance


def closest_by_versions(
    scene: Scene,
    request: SearchRequest,
    query: VersionedQuery,
    allowed: BitMap | None,
) -> Closest:
    """Return the points closest to a query given in several versions.

    Raises:
        InvalidInput: one of its subclasses: a version, a vector or a parameter is wrong.
        MissingAdapter: all points are required, some hold only versions the query is not given
            in, and no adapter leads to them.
        VersionNotFound: a version of the query is not declared.
    """
    leading = leading_version(scene.view.config, request.vector_name, query)
    versions = by_column(scene.view.config, leading.vector, query)
    column = scene.view.config.column_of(leading)
    vectors = dense_of(scene.view.vectors[column])
    started = perf_counter()
    plan = resolve(request, vectors.config)  # as it was asked
    count = count_of(plan, query)
    ways = across(scene.view, column, request.bridge, allowed, versions.keys())
    bridges = ways.bridges
    spaces = scene.view.config.dense_spaces
    if all(is_alike(one, spaces[each]) for each, one in versions.items()):
        merged = alike(vectors, allowed, bridges, plan.fetch)
        return Closest(page_of(merged, plan, None), SearchStats(out_of_reach=[*ways.missed]))
    depth = max(count, plan.depth, BRIDGED) if bridges else count
    of_list = plan_of_list(request, vectors.config, depth)
    planned = perf_counter()
    stats = SearchStats(out_of_reach=[*ways.missed])
    native = native_list(vectors, versions[column], of_list, allowed, stats)
    wanted = Leading(column, vectors.config.distance)
    lists = [found_across(one, versions, wanted, request, depth, stats) for one in bridges]
    merging = perf_counter()
    rows = native
    if bridges:
        rows = together(native, vectors, allowed, lists, bridges, count)
        note(stats, scene.view, column, native, lists, bridges)
    if query.rescore_version is not None:
        by_rank = any(one.merge.method == "rank" for one in bridges)
        rows = rows.taken(slice(0, count))
        rows, exact = rescored(scene, rows, column, versions[column], query, by_rank=by_rank)
        stats.estimated[:] = [rows.numbers[~exact]]
    merged = rows.taken(slice(0, plan.fetch)).merged()
    merged = merged.clamped(vectors.config.distance, bridged=bool(bridges))
    merged = page_of(merged, plan, None)
    seconds = stats.seconds
    seconds["plan"], seconds["merge"] = planned - started, perf_counter() - merging
    return Closest(merged, stats)


def count_of(plan: SearchPlan, query: VersionedQuery) -> int:
    """Return how many points are to be found, to be scored again where that is asked for."""
    if query.rescore_version is None:
        return plan.fetch
    if not 1 <= query.rescore_limit <= MAX_RESCORED:
        raise InvalidConfig(
            f"query.rescore_limit: expected 1 to {MAX_RESCORED}, got {query.rescore_limit}"
        )
    return max(plan.fetch, query.rescore_limit)


def found_across(
    one: Across,
    versions: Mapping[int, Vector],
    leading: Leading,
    request: SearchRequest,
    count: int,
    stats: SearchStats,
) -> RankedRows:
    """Return the closest rows of another version, best first: by both queries where it has one.

    Args:
        one: leads to them.
        versions: the query's vectors by column.
        leading: the version whose scores are wanted.
        request: gives the parameters of the search.
        count: how many rows.
        stats: what is done is added to.
    """
    own, wanted = versions.get(one.bridge.column), versions.get(leading.column)
    if own is None:
        return by_bridge(one, versions[leading.column], request, count, stats)
    natively = native_list(one.dense, own, plan_of(request, one, count), one.rest, stats)
    if one.bridge.fitted is None:
        if wanted is None:  # its scores are not compared with others
            return natively
        return _as_if(natively, own, one, wanted, leading.distance)
    bridged = by_bridge(one, versions[leading.column], request, count, stats)
    new = np.flatnonzero(~np.isin(bridged.numbers, natively.numbers))
    both = joined([natively, bridged.taken(new)])
    typical = np.isin(both.numbers, bridged.numbers[:BRIDGED])
    typical[:BRIDGED] = True  # of the rows found natively, which come first
    return _fused(one, versions[leading.column], own, both, typical)


def _as_if(
    rows: RankedRows, own: Vector, one: Across, leading: Vector, distance: Distance
) -> RankedRows:
    """Return rows scored by a query of their own with distances as of the leading one.

    Nothing tells how the spaces compare, so rows of the leading version are taken to be as long as
    its query, and to reach as far along it as these do, by their own length.
    """
    vectors, complete = vectors_of(one.dense, rows.taken(slice(0, BRIDGED)).slots)
    assert complete  # they were found in these very parts
    if not rows.length:
        return rows
    new, usual = length(leading), usual_length(vectors)
    theirs = Metric(one.dense.config.distance, len(own), length(own), usual)
    wanted = Metric(distance, len(leading), new, new)
    return rows.scored(-converted(-rows.distances, theirs, wanted))


def _fused(
    one: Across, leading: Vector, own: Vector, both: RankedRows, typical: NDArray[np.bool_]
) -> RankedRows:
    """Order rows by their scores under both queries, each recomputed from their vectors.

    What is usual of a score is told by the ``typical`` rows (m,), whatever the answer's length.
    """
    assert one.bridge.fitted is not None
    fitted = one.bridge.fitted
    mapped, shift = fitted.adapter.map_query(leading)
    scales = fitted.adapter.scales_rows
    scalings = Scalings(
        np.array([shift], dtype=np.float32),
        lambda part: factors_of(fitted.factors, part) if scales else None,
    )
    bridged = -exact_distances(one.dense, mapped[None, :], both.numbers, scalings)[0]
    natively = -exact_distances(one.dense, own[None, :], both.numbers)[0]
    bridged = fitted.estimated(bridged, one.dense.config.distance, leading, mapped)
    fused = fuse(bridged, natively, WEIGHT, typical)
    return both.by(-np.minimum(fused, np.float32(best_score(fitted.adapter.queries_distance))))


def rescored(
    scene: Scene,
    rows: RankedRows,
    column: int,
    query: Vector,
    asked: VersionedQuery,
    *,
    by_rank: bool,
) -> tuple[RankedRows, NDArray[np.bool_]]:
    """Score points again by their vectors in the query's version, stored or supplied.

    Returns:
        The points in their new order, and which of them are scored by such a vector.
    """
    distances = rows.distances.copy()
    own = dense_of(scene.view.vectors[column])
    stored = exact_distances(own, query[None, :], rows.numbers)[0]
    has = np.isfinite(stored)
    distances[has] = stored[has]
    places, vectors = _supplied(scene, rows.numbers, column, asked.supplied)
    if len(places):
        distance = scene.view.config.dense_spaces[column].distance
        distances[places] = distances_to(query, vectors, distance)
        has[places] = True
    if by_rank:
        distances = -placed(-rows.distances, has, -distances)
    order = np.argsort(distances, kind="stable")
    return rows.scored(distances).taken(order), has[order]


def _supplied(
    scene: Scene, numbers: Numbers, column: int, supplied: Mapping[PointId, PointVector]
) -> tuple[NDArray[np.intp], Vectors]:
    """Return the places of points whose vectors were supplied, and those, checked."""
    given = [
        checked(vector, column, scene.view.config, f"query.vectors.{one}")
        for one, vector in supplied.items()
    ]
    place_of = {number: place for place, number in enumerate(numbers.tolist())}
    found = scene.numbers_of(list(supplied)) if supplied else []
    pairs = [
        (place_of[number], vector)
        for number, vector in zip(found, given, strict=True)
        if number in place_of
    ]
    places = np.array([place for place, _ in pairs], dtype=np.intp)
    vectors = [vector for _, vector in pairs] or [np.empty(0, dtype=np.float32)]
    return places, np.stack(vectors)
