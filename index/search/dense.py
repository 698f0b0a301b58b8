"""One query vector over the parts of a view.

With a filter the rows it allows in a part are scanned, or the graph is walked, as ``plan.walk_of``
decides. A walk that gives up is followed by a scan: whatever the filter, as many results come back
as there are, up to the limit.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np
from pyroaring import BitMap

from index import _native
from index.search.allowed import Allowed
from index.search.merge import PartHits
from index.search.plan import SAMPLED_ROWS, SearchPlan, is_few, walk_of
from index.segments.growing import Growing
from index.segments.sealed import Sealed
from index.segments.searcher import Hits, Searcher
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
) -> list[PartHits]:
    """Return each part's closest rows; at most ``plan.fetch`` of each.

    Args:
        vectors: of a dense vector name.
        query: (d,) as the part's rows are, normalised under cosine.
        plan: how to search.
        stats: what was done is added to it.
        points: numbers of the points that may be found, None for all.
    """
    found: list[PartHits] = []
    started = perf_counter()
    allowed = None if points is None else Allowed(points)
    for part in vectors.sealed:
        if part.live:
            assert isinstance(part.segment, Sealed)
            found.append(PartHits(part.segment, _search_sealed(part, query, plan, allowed)))
    traversed = perf_counter()
    for growing in vectors.growing:
        if growing.live:
            assert isinstance(growing, Growing)
            found.append(PartHits(growing.columns, _search_growing(growing, query, plan, allowed)))
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
    part: SealedPart, query: Vector, plan: SearchPlan, allowed: Allowed | None
) -> Hits:
    segment, live = part.segment, part.dead.allowed
    assert isinstance(segment, Sealed)
    if allowed is not None:
        return _search_allowed(part, segment.searcher, query, plan, allowed)
    searcher, n = segment.searcher, segment.n
    k = min(plan.fetch, part.live)
    rescored = min(plan.rescored, n)
    if plan.exact and segment.kept is not None:
        return searcher.by_exact(query, n, k, live)
    if searcher.has_graph and not plan.exact:
        return searcher.by_graph(query, k, min(plan.ef, n), rescored, live)
    if searcher.has_codes:
        return searcher.by_scan(query, n, k, rescored, live)
    return searcher.by_exact(query, n, k, live)


def _search_allowed(
    part: SealedPart, searcher: Searcher, query: Vector, plan: SearchPlan, allowed: Allowed
) -> Hits:
    most = min(part.live, allowed.count)
    k = min(plan.fetch, most)
    if k == 0:
        return _NOTHING
    among = allowed.in_sealed(part)
    if plan.exact and searcher.has_kept:
        return searcher.exact_among(query, k, among)
    visited = scored = 0
    if searcher.has_graph and not plan.exact and not is_few(most, plan.ef):
        hits = _walk(searcher, part.n, query, k, plan, among)
        if len(hits.rows) == k:
            return hits
        visited, scored = hits.visited, hits.scored
    hits = _scan(searcher, query, k, plan, among)
    return hits._replace(visited=visited, scored=scored + hits.scored)


def _walk(
    searcher: Searcher, n: int, query: Vector, k: int, plan: SearchPlan, among: _native.Among
) -> Hits:
    """Walk the graph; without hits where a scan is quicker, or the walk gave up."""
    walk = walk_of(n, among.estimate(SAMPLED_ROWS), plan.ef)
    if walk is None:
        return _NOTHING
    return searcher.walk_among(query, k, plan.rescored, among, walk)


def _scan(
    searcher: Searcher, query: Vector, k: int, plan: SearchPlan, among: _native.Among
) -> Hits:
    if not searcher.has_codes:
        return searcher.exact_among(query, k, among)
    rescored = max(plan.rescored, _SCAN_RESCORED * k) if plan.rescored else 0
    return searcher.scan_among(query, k, rescored, among)


def _search_growing(
    part: Growing, query: Vector, plan: SearchPlan, allowed: Allowed | None
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
            return searcher.exact_among(query, k, among)
        return searcher.scan_among(query, k, rescored, among)
    if exact:
        return searcher.by_exact(query, part.n, k, live)
    return searcher.by_scan(query, part.n, k, rescored, live)
