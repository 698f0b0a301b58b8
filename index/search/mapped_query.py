"""Searches of several versions of a vector together: one list, each point once.

Rows of the query's version are searched as they are. A point without one is found among the rows
of another version, by the query mapped to them (``across``); what those score is estimated in the
metric of the query's version (``versions.estimating``) and made comparable by the adapter's merge,
and the list is in the order of those scores. Where no point has to be found so, the search is just
that of one version, distance for distance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from time import perf_counter
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index.adapters.comparable import Listed, comparable
from palimpsest.index.adapters.estimating import best_score
from palimpsest.index.adapters.factors import Factors
from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.config.collection import describe_sizes
from palimpsest.index.config.kinds import ColumnConfig
from palimpsest.index.config.vectors import MAX_EF, VectorConfig
from palimpsest.index.encoding.normalise import check_query
from palimpsest.index.errors import DimensionMismatch
from palimpsest.index.search.across import SCANNED, Across, across
from palimpsest.index.search.closest import Ahead, Closest, closest, page_of
from palimpsest.index.search.dense import search_parts
from palimpsest.index.search.merge import Merged, merge
from palimpsest.index.search.plan import SearchPlan, SearchRequest, plan_of_list, resolve
from palimpsest.index.search.ranked import RankedRows, interleaved, ranked
from palimpsest.index.search.zero_query import first_by_id, is_alike
from palimpsest.index.segments.searcher import Scaling
from palimpsest.index.types import SearchStats, Vector, VersionedQuery, VersionStats
from palimpsest.index.view.dense import DensePart, DenseView, dense_of, vectors_of
from palimpsest.index.view.view import AnyVectors, View

_EF_TIMES = 4  # of larger parts
BRIDGED = 64  # points taken from each bridge, at least: its order is the roughest near the top


def closest_of_all(
    view: View,
    column: int,
    vectors: DenseView,
    request: SearchRequest,
    allowed: BitMap | None,
    *,
    without: int | None = None,
    ahead: Ahead | None = None,
) -> Closest:
    """Return the points closest to the request's vector, whichever versions they hold.

    Arguments and errors are those of ``closest``; ``vectors`` are those of a ``column``.

    Raises:
        MissingAdapter: all points are required, and no adapter leads to some.
    """
    if not view.bridges:
        return closest(vectors, request, allowed, without=without, ahead=ahead)
    check_size(request.query, request.vector_name, vectors.config, view.config.every_name)
    ways = across(view, column, request.bridge, allowed)
    if ways.bridges:
        found = _closest_over(view, column, request, allowed, ways.bridges, without)
    else:
        found = closest(vectors, request, allowed, without=without)
    found.stats.out_of_reach.extend(ways.missed)
    return found


def _closest_over(
    view: View,
    column: int,
    request: SearchRequest,
    allowed: BitMap | None,
    bridges: Sequence[Across],
    without: int | None,
) -> Closest:
    vectors = dense_of(view.vectors[column])
    # the caller has read the vector of an id, and chosen one of several versions
    assert not isinstance(request.query, (int, UUID, VersionedQuery))
    started = perf_counter()
    plan = resolve(request, vectors.config, without=0 if without is None else 1)
    query = check_query(request.query, vectors.config, averaged=request.averaged)
    if is_alike(query, vectors.config):
        merged = alike(vectors, allowed, bridges, plan.fetch)
        return Closest(page_of(merged, plan, without), SearchStats())
    depth = max(plan.depth, BRIDGED)
    of_list = plan_of_list(request, vectors.config, depth)
    planned = perf_counter()
    stats = SearchStats()
    native = native_list(vectors, query, of_list, allowed, stats)
    lists = [by_bridge(one, query, request, depth, stats) for one in bridges]
    merging = perf_counter()
    rows = together(native, vectors, allowed, lists, bridges, plan.fetch)
    note(stats, view, column, native, lists, bridges)
    merged = rows.merged().clamped(vectors.config.distance, bridged=True)
    merged = page_of(merged, plan, without)
    seconds = stats.seconds
    seconds["plan"], seconds["merge"] = planned - started, perf_counter() - merging
    return Closest(merged, stats)


def check_size(
    query: Any, name: str, config: VectorConfig, declared: Mapping[str, ColumnConfig]
) -> None:
    """Raise DimensionMismatch that tells of the versions, where there are several."""
    if isinstance(query, np.ndarray) and query.shape != (config.size,):
        raise DimensionMismatch(config.size, query.size, describe_sizes(name, declared))


def alike(
    vectors: DenseView, allowed: BitMap | None, bridges: Sequence[Across], count: int
) -> Merged:
    """Return the ``count`` points of the lowest ids, of all versions, for a query that is zero."""
    found = first_by_id(vectors, allowed, count)
    for one in bridges:
        found += first_by_id(one.dense, one.rest, count)
    return merge(found, count)


def native_list(
    vectors: DenseView,
    query: Vector,
    plan: SearchPlan,
    allowed: BitMap | None,
    stats: SearchStats,
) -> RankedRows:
    """Return the ``plan.fetch`` rows of the query's own version closest to it.

    Callers take at least ``BRIDGED``, however few are asked for: how lists are merged depends on
    what stands at their tops, and the pages of one answer must agree.
    """
    found, _ = search_parts(vectors, query, plan, allowed, stats=stats)
    return ranked(found, plan.fetch)


def by_bridge(
    one: Across, query: Vector, request: SearchRequest, count: int, stats: SearchStats
) -> RankedRows:
    """Return the ``count`` rows closest to a query over a bridge.

    They are in the adapter's order, with distances estimated in the metric of the query's version.
    """
    started = perf_counter()
    adapter = one.fitted.adapter
    mapped, shift = adapter.map_query(query)
    plan = plan_of(request, one, count)
    scaling_of = _scaling_of(one.fitted, shift) if adapter.scales_rows else None
    stats.took("bridge", perf_counter() - started)
    found, _ = search_parts(one.dense, mapped, plan, one.rest, scaling_of, stats)
    rows = ranked(found, count)
    if shift and scaling_of is None:
        rows = rows.scored(rows.distances - np.float32(shift))
    if adapter.rescores and rows.length:
        rescoring = perf_counter()
        rows = _rescored(one, query, rows)
        stats.took("rescore", perf_counter() - rescoring)
    return rows if one.fitted.in_metric else _estimated(one, query, mapped, rows)


def _estimated(one: Across, query: Vector, mapped: Vector, rows: RankedRows) -> RankedRows:
    rows_distance = one.dense.config.distance
    return rows.scored(-one.fitted.estimated(-rows.distances, rows_distance, query, mapped))


def plan_of(request: SearchRequest, one: Across, count: int) -> SearchPlan:
    """Return how the ``count`` closest rows of a version are found.

    A mapped query lies off the rows, and factors pull its answers away from each other, so a walk
    misses more than usual: on the text data it needs an ef of 768 where a scan of all codes is as
    quick up to about ``SCANNED`` rows, and misses nothing. A caller's own ef is kept.
    """
    return bridged_plan(request, one.dense.config, count)


def bridged_plan(request: SearchRequest, config: VectorConfig, count: int) -> SearchPlan:
    """Return how the ``count`` closest rows of a version are found, whichever those are."""
    plan = plan_of_list(request, config, count)
    return plan if request.ef is not None or plan.exact else _widened(plan)


@lru_cache(maxsize=256)  # plans are cached themselves
def _widened(plan: SearchPlan) -> SearchPlan:
    ef = min(_EF_TIMES * plan.ef, MAX_EF)
    return plan._replace(ef=ef, scanned=max(plan.scanned, SCANNED))


def _scaling_of(fitted: Fitted, shift: float) -> Callable[[DensePart], Scaling | None]:
    return lambda part: Scaling(factors_of(fitted.factors, part), shift)


def factors_of(factors: Factors, part: DensePart) -> NDArray[np.float32]:
    """Return the factors of the rows of a part, (n,) or more; computed where they are not there."""
    return factors.of(part.key, part.source, part.n)


def _rescored(one: Across, query: Vector, rows: RankedRows) -> RankedRows:
    """Order rows anew by the adapter's non-linear map of their vectors."""
    vectors, complete = vectors_of(one.dense, rows.slots)
    assert complete  # they were found in these very parts
    factors = _known_factors(one.fitted.rescoring, one.dense, rows)
    return rows.by(-one.fitted.adapter.rescore(query, vectors, factors))


def _known_factors(
    factors: Factors, vectors: DenseView, rows: RankedRows
) -> NDArray[np.float32] | None:
    """Return the factors of rows, None unless background work has computed all of them.

    Of all rows of a part they take long; of a few hundred, a few milliseconds.
    """
    found = np.empty(rows.length, dtype=np.float32)
    sealed = {id(part.columns): part.segment for part in vectors.sealed}
    for columns, places, own in rows.by_part():
        segment = sealed.get(id(columns))
        if segment is None or not factors.has(segment.name, segment.n):
            return None
        found[places] = factors.of(segment.name, segment, segment.n)[own]
    return found


def searched(vectors: AnyVectors, allowed: BitMap | None) -> int:
    """Return how many points with a vector may be found."""
    return vectors.live if allowed is None else vectors.held.intersection_cardinality(allowed)


def together(
    native: RankedRows,
    vectors: DenseView,
    allowed: BitMap | None,
    lists: Sequence[RankedRows],
    bridges: Sequence[Across],
    count: int,
) -> RankedRows:
    """Return the best ``count`` rows of lists: by comparable scores, ties by rank and list.

    Args:
        native: rows of the query's version.
        vectors: what they were found in.
        allowed: the points that could be found, None for all.
        lists: the rows found over each bridge, scored in the metric of the query's version.
        bridges: which those are.
        count: of rows, at most.
    """
    every = [native]
    for rows, bridge in zip(lists, bridges, strict=True):
        if bridge.merge.method != "raw":  # which it is nearly always
            listed = Listed(-rows.distances, bridge.merge, bridge.live)
            best = best_score(vectors.config.distance)
            live = searched(vectors, allowed)
            _, (scores,) = comparable(-native.distances, live, [listed], best)
            rows = rows.scored(-scores)
        every.append(rows)
    return interleaved(every, count)


def note(
    stats: SearchStats,
    view: View,
    column: int,
    native: RankedRows,
    lists: Sequence[RankedRows],
    bridges: Sequence[Across],
) -> None:
    """Say which versions were searched, and which points were found by adapters."""
    first = bridges[0].bridge
    stats.versions = [
        VersionStats(first.queries, None, None, len(view.vectors[column].held), native.length)
    ]
    for one, found in zip(bridges, lists, strict=True):
        kind = None if one.bridge.fitted is None else one.fitted.adapter.kind
        stats.versions.append(
            VersionStats(one.bridge.rows, kind, one.merge.method, one.live, found.length)
        )
        stats.bridged.append((column, found.numbers))
        stats.estimated.append(found.numbers)
