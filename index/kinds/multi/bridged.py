"""Searches by a set over all versions of a vector name: one list, each point once.

A point that has a set of the query's version is found by MaxSim. One that has a vector, or a set,
of another version alone is found by an adapter: single vectors by the mean of the query's, mapped;
sets of another model by each vector of the query mapped, and MaxSim. What these score is an
estimate of MaxSim per vector of the query (``adapters.set_scores.per_token``), by which lists are
made comparable as those of single vectors are (``search.mapped_query``), and multiplied again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import cast

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index.adapters.comparable import Listed, comparable
from palimpsest.index.adapters.estimating import best_score
from palimpsest.index.adapters.set_scores import mapped_set, per_token
from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.encoding.means import mean_of
from palimpsest.index.kinds.multi.plan import resolve_multi
from palimpsest.index.kinds.multi.search import MultiView, score_multi, search_multi
from palimpsest.index.search.across import Across
from palimpsest.index.search.closest import Closest, page_of
from palimpsest.index.search.mapped_query import BRIDGED, by_bridge, note, searched
from palimpsest.index.search.mapped_scores import estimated_blocks
from palimpsest.index.search.merge import PartHits, merge
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.search.ranked import RankedRows, interleaved, ranked
from palimpsest.index.search.zero_query import first_by_id
from palimpsest.index.types import Distance, Numbers, SearchStats, Vector, Vectors
from palimpsest.index.view.view import View


def closest_over(
    view: View,
    column: int,
    request: SearchRequest,
    query: Vectors,
    allowed: BitMap | None,
    bridges: Sequence[Across],
    without: int | None = None,
) -> Closest:
    """Return the points closest to a set, whichever versions they hold.

    Args:
        view: what is searched.
        column: of the query, whose points have sets.
        request: what is asked.
        query: (t, d), checked.
        allowed: numbers of the points that may be found, None for all.
        bridges: to points of other versions, at least one.
        without: the number of a point that is left out.
    """
    started = perf_counter()
    vectors = cast(MultiView, view.vectors[column])
    plan = resolve_multi(request, vectors.config, without=0 if without is None else 1)
    stats = SearchStats()
    stats.seconds["plan"] = perf_counter() - started
    if vectors.config.is_coded and not query.any():
        found = alike_sets(vectors, request, query, allowed, bridges, plan.page.fetch)
        return Closest(page_of(merge(found, plan.page.fetch), plan.page, without), stats)
    depth = max(plan.page.fetch, BRIDGED)
    native = native_sets(vectors, query, request, depth, allowed, stats)
    lists = [by_set(one, vectors.config, query, request, depth, stats) for one in bridges]
    merging = perf_counter()
    scale = per_token(vectors.config.distance, len(query))
    live = searched(vectors, allowed)
    rows = sets_together(native, live, vectors.config, lists, bridges, plan.page.fetch, scale)
    note(stats, view, column, native, lists, bridges)
    merged = page_of(rows.merged(), plan.page, without)
    stats.took("merge", perf_counter() - merging)
    return Closest(merged, stats)


def alike_sets(
    vectors: MultiView,
    request: SearchRequest,
    query: Vectors,
    allowed: BitMap | None,
    bridges: Sequence[Across],
    count: int,
) -> list[PartHits]:
    """Return rows at distance 0, those of the lowest ids first, for a query of zeros."""
    found = _parts(vectors, query, request, count, allowed, SearchStats())
    for one in bridges:
        if isinstance(one.vectors.config, MultiConfig):
            own = cast(MultiView, one.vectors)
            zeros = np.zeros((len(query), own.config.size), dtype=np.float32)
            found += _parts(own, zeros, request, count, one.rest, SearchStats())
        else:
            found += first_by_id(one.dense, one.rest, count)
    return found


def native_sets(
    vectors: MultiView,
    query: Vectors,
    request: SearchRequest,
    count: int,
    points: BitMap | None,
    stats: SearchStats,
) -> RankedRows:
    """Return the ``count`` sets closest to a query of their own version (t, d), closest first."""
    return ranked(_parts(vectors, query, request, count, points, stats), count)


def _parts(
    vectors: MultiView,
    query: Vectors,
    request: SearchRequest,
    count: int,
    points: BitMap | None,
    stats: SearchStats,
) -> list[PartHits]:
    asked = request._replace(k=count, offset=0, max_distance=None, paged=False)
    found, own = search_multi(vectors, query, resolve_multi(asked, vectors.config), points)
    stats.add(own)
    return found


def by_set(
    one: Across,
    config: MultiConfig,
    query: Vectors,
    request: SearchRequest,
    count: int,
    stats: SearchStats,
) -> RankedRows:
    """Return the ``count`` rows closest to a set over a bridge.

    Args:
        one: leads to single vectors, or to sets.
        config: of the query's version.
        query: (t, d) as it is searched.
        request: gives the parameters of the search.
        count: how many rows.
        stats: what is done is added to.

    Returns:
        Rows in the adapter's order, with distances estimated per vector of the query.
    """
    mean = mean_of_query(query, config)
    if one.fitted.over != "tokens":
        return by_bridge(one, mean, request, count, stats)
    started = perf_counter()
    adapter, vectors = one.fitted.adapter, cast(MultiView, one.vectors)
    mapped = mapped_set(adapter, query)
    stats.took("bridge", perf_counter() - started)
    rows = native_sets(vectors, mapped, request, count, one.rest, stats)
    return rows.scored(_estimated(one, rows.distances, query, mean))


def mean_of_query(query: Vectors, config: MultiConfig) -> Vector:
    """Return the mean (d,) of a query (t, d) as single vectors of its version are compared."""
    return mean_of(query, unit=config.distance is Distance.COSINE)


def _estimated(
    one: Across, distances: NDArray[np.float32], query: Vectors, mean: Vector
) -> NDArray[np.float32]:
    """Return distances of mapped sets as those per token in the metric of the query's version."""
    distance = one.vectors.config.distance
    scores = -distances / np.float32(per_token(distance, len(query)))
    mapped = one.fitted.adapter.map_query(mean).vector
    return -one.fitted.estimated(scores, distance, mean, mapped)


def sets_together(
    native: RankedRows,
    live: int,
    config: MultiConfig,
    lists: Sequence[RankedRows],
    bridges: Sequence[Across],
    count: int,
    scale: float,
) -> RankedRows:
    """Return one list of sets by MaxSim and of rows over bridges by estimates of it.

    Args:
        native: sets of the query's version.
        live: how many points they were chosen from.
        config: of the query's version.
        lists: rows over each bridge, scored per token.
        bridges: which they were found over.
        count: how many rows.
        scale: what a score per token is multiplied by.
    """
    every, best = [native], best_score(config.distance)
    own = -native.distances / np.float32(scale)
    for rows, bridge in zip(lists, bridges, strict=True):
        listed = Listed(-rows.distances, bridge.merge, bridge.live)
        _, (scores,) = comparable(own, live, [listed], best)
        every.append(rows.scored(-scores * np.float32(scale)))
    return interleaved(every, count)


def score_all_sets(
    vectors: MultiView,
    queries: Sequence[Vectors],
    allowed: BitMap | None,
    bridges: Sequence[Across],
    *,
    exact: bool,
) -> Iterator[tuple[Numbers, NDArray[np.float32], bool]]:
    """Yield blocks of points with the distances (E, m) of queries, of all versions.

    Those of points that bridges lead to are estimates, not made comparable any further: nothing
    closer can be computed of them.
    """
    yield from score_multi(vectors, queries, allowed, exact=exact)
    config = vectors.config
    means = np.stack([mean_of_query(query, config) for query in queries])
    scales = np.array([per_token(config.distance, len(one)) for one in queries], dtype=np.float32)
    for one in bridges:
        if one.fitted.over != "tokens":
            for numbers, distances, _ in estimated_blocks(one, means):
                yield numbers, distances * scales[:, None], True
            continue
        mapped = [mapped_set(one.fitted.adapter, query) for query in queries]
        own = cast(MultiView, one.vectors)
        for numbers, distances, _ in score_multi(own, mapped, one.rest, exact=True):
            lines = zip(distances, queries, means, strict=True)
            estimates = np.stack([_estimated(one, *line) for line in lines])
            yield numbers, estimates * scales[:, None], True
