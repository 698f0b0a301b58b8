"""One query vector over the parts of a view."""

from __future__ import annotations

from time import perf_counter

from index.search.merge import PartHits
from index.search.plan import SearchPlan
from index.segments.growing import Growing
from index.segments.searcher import Hits
from index.types import SearchStats, Vector
from index.view import SealedPart, VectorView

_GROWING_RESCORED = 4  # per result: growing rows are few, their codes have 4 bits


def search_parts(
    vectors: VectorView, query: Vector, plan: SearchPlan, stats: SearchStats
) -> list[PartHits]:
    """Return each part's closest rows; at most ``plan.fetch`` of each."""
    found: list[PartHits] = []
    started = perf_counter()
    for part in vectors.sealed:
        if part.live:
            hits = _search_sealed(part, query, plan)
            found.append(PartHits(part.segment.ids, part.segment.seqs, hits))
    traversed = perf_counter()
    for growing in vectors.growing:
        if growing.live:
            hits = _search_growing(growing, query, plan)
            found.append(PartHits(growing.columns.ids, growing.columns.seqs, hits))
    stats.segments = len(vectors.sealed)
    stats.seconds["traverse"] = traversed - started
    stats.seconds["scan"] = perf_counter() - traversed
    for one in found:
        _, _, visited, scored, rescored = one.hits
        stats.visited += visited
        stats.scored += scored
        stats.rescored += rescored
    return found


def _search_sealed(part: SealedPart, query: Vector, plan: SearchPlan) -> Hits:
    segment, allowed = part.segment, part.dead.allowed
    searcher, n = segment.searcher, segment.n
    k = min(plan.fetch, part.live)
    rescored = min(plan.rescored, n)
    if plan.exact and segment.kept is not None:
        return searcher.by_exact(query, n, k, allowed)
    if searcher.has_graph and not plan.exact:
        return searcher.by_graph(query, k, min(plan.ef, n), rescored, allowed)
    if searcher.has_codes:
        return searcher.by_scan(query, n, k, rescored, allowed)
    return searcher.by_exact(query, n, k, allowed)


def _search_growing(part: Growing, query: Vector, plan: SearchPlan) -> Hits:
    k, allowed = min(plan.fetch, part.live), part.dead.allowed
    if plan.exact or part.encoder is None:
        return part.searcher.by_exact(query, part.n, k, allowed)
    rescored = min(max(plan.rescored, _GROWING_RESCORED * k), part.n)
    return part.searcher.by_scan(query, part.n, k, rescored, allowed)
