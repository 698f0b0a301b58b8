"""One query vector over the parts of a view.

With a filter the rows it allows in a part are scanned, or the graph is walked, as ``plan.walk_of``
decides. A walk that gives up is followed by a scan: whatever the filter, as many results come back
as there are, up to the limit.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np
from pyroaring import BitMap

from index import _native
from index.search.allowed import Allowed
from index.search.merge import PartHits
from index.search.plan import SAMPLED_ROWS, SearchPlan, is_few, walk_of
from index.segments.growing import Growing
from index.segments.sealed import Sealed
from index.segments.searcher import Hits, Scaling, Searcher
from index.types import SearchStats, Vector
from index.view import SealedPart, VectorView

_SCAN_RESCORED = (
    4  # per result; a scan's candidates differ from the best by their codes' error only
)
_NOTHING = Hits(np.empty(0, np.uint32), np.empty(0, np.float32), 0, 0, 0)


def search_parts(
    vectors: VectorView,
    query: Vector,
    plan: SearchPlan,
    stats: SearchStats,
    points: BitMap | None = None,
    scaling_of: Callable[[SealedPart | Growing], Scaling | None] | None = None,
) -> list[PartHits]:
    """Return each part's closest rows; at most ``plan.fetch`` of each.

    Args:
        vectors: of a dense vector name.
        query: (d,) as the part's rows are, normalised under cosine.
        plan: how to search.
        stats: what was done is added to it.
        points: numbers of the points that may be found, None for all.
        scaling_of: gives what turns the distances of a part's rows into others, None for nothing;
            not asked about parts without live rows.
    """
    found: list[PartHits] = []
    started = perf_counter()
    allowed = None if points is None else Allowed(points)
    for part in vectors.sealed:
        if part.live:
            assert isinstance(part.segment, Sealed)
            scaling = None if scaling_of is None else scaling_of(part)
            hits = _search_sealed(part, query, plan, allowed, scaling)
            found.append(PartHits(part.segment, hits))
    traversed = perf_counter()
    for growing in vectors.growing:
        if growing.live:
            assert isinstance(growing, Growing)
            scaling = None if scaling_of is None else scaling_of(growing)
            hits = _search_growing(growing, query, plan, allowed, scaling)
            found.append(PartHits(growing.columns, hits))
    stats.segments = len(vectors.sealed)
    stats.seconds["traverse"] = traversed - started
    stats.seconds["scan"] = perf_counter() - traversed
    for one in found:
        _, _, visited, scored, rescored = one.hits
        stats.visited += visited
        stats.scored += scored
        stats.rescored += rescored
    return found


def _search_sealed(
    part: SealedPart,
    query: Vector,
    plan: SearchPlan,
    allowed: Allowed | None,
    scaling: Scaling | None,
) -> Hits:
    segment, live = part.segment, part.dead.allowed
    assert isinstance(segment, Sealed)
    if allowed is not None:
        return _search_allowed(part, segment.searcher, query, plan, allowed, scaling)
    searcher, n = segment.searcher, segment.n
    k = min(plan.fetch, part.live)
    rescored = min(plan.rescored, n)
    if plan.exact and segment.kept is not None:
        return searcher.by_exact(query, n, k, live, scaling)
    if _is_walked(searcher, n, plan):
        return searcher.by_graph(query, k, min(plan.ef, n), rescored, live, scaling)
    if searcher.has_codes:
        return searcher.by_scan(query, n, k, rescored, live, scaling)
    return searcher.by_exact(query, n, k, live, scaling)


def _is_walked(searcher: Searcher, rows: int, plan: SearchPlan) -> bool:
    if not searcher.has_graph or plan.exact:
        return False
    return rows > plan.scanned or not searcher.has_codes


def _search_allowed(
    part: SealedPart,
    searcher: Searcher,
    query: Vector,
    plan: SearchPlan,
    allowed: Allowed,
    scaling: Scaling | None,
) -> Hits:
    most = min(part.live, allowed.count)
    k = min(plan.fetch, most)
    if k == 0:
        return _NOTHING
    among = allowed.in_sealed(part)
    if plan.exact and searcher.has_kept:
        return searcher.exact_among(query, k, among, scaling)
    visited = scored = 0
    if _is_walked(searcher, most, plan) and not is_few(most, plan.ef):
        hits = _walk(searcher, part.n, query, k, plan, among, scaling)
        if len(hits.rows) == k:
            return hits
        visited, scored = hits.visited, hits.scored
    hits = _scan(searcher, query, k, plan, among, scaling)
    return hits._replace(visited=visited, scored=scored + hits.scored)


def _walk(
    searcher: Searcher,
    n: int,
    query: Vector,
    k: int,
    plan: SearchPlan,
    among: _native.Among,
    scaling: Scaling | None,
) -> Hits:
    """Walk the graph; without hits where a scan is quicker, or the walk gave up."""
    walk = walk_of(n, among.estimate(SAMPLED_ROWS), plan.ef)
    if walk is None:
        return _NOTHING
    return searcher.walk_among(query, k, plan.rescored, among, walk, scaling)


def _scan(
    searcher: Searcher,
    query: Vector,
    k: int,
    plan: SearchPlan,
    among: _native.Among,
    scaling: Scaling | None,
) -> Hits:
    if not searcher.has_codes:
        return searcher.exact_among(query, k, among, scaling)
    rescored = max(plan.rescored, _SCAN_RESCORED * k) if plan.rescored else 0
    return searcher.scan_among(query, k, rescored, among, scaling)


def _search_growing(
    part: Growing,
    query: Vector,
    plan: SearchPlan,
    allowed: Allowed | None,
    scaling: Scaling | None,
) -> Hits:
    searcher, live, k = part.searcher, part.dead.allowed, min(plan.fetch, part.live)
    exact = plan.exact or part.encoder is None
    rescored = min(max(plan.rescored, _SCAN_RESCORED * k), part.n)
    if allowed is not None:
        k = min(k, allowed.count)
        if k == 0:
            return _NOTHING
        among = allowed.in_growing(part)
        if exact:
            return searcher.exact_among(query, k, among, scaling)
        return searcher.scan_among(query, k, rescored, among, scaling)
    if exact:
        return searcher.by_exact(query, part.n, k, live, scaling)
    return searcher.by_scan(query, part.n, k, rescored, live, scaling)
