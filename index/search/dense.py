"""One query vector over the parts of a view.

With a filter the rows it allows in a part are scanned, or the graph is walked, as ``scan_or_walk``
decides. A walk that gives up is followed by a scan: whatever the filter, as many results come back
as there are, up to the limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from time import perf_counter
from typing import TypeAlias

import numpy as np
from pyroaring import BitMap

from palimpsest.index import _native
from palimpsest.index.config.vectors import MAX_POINTS
from palimpsest.index.search.allowed import Allowed
from palimpsest.index.search.merge import PartHits
from palimpsest.index.search.plan import SearchPlan
from palimpsest.index.search.scan_or_walk import SAMPLED_ROWS, is_few, walk_of
from palimpsest.index.segments.growing import Growing
from palimpsest.index.segments.sealed import Sealed
from palimpsest.index.segments.searcher import (
    Hits,
    Rescoring,
    Scaling,
    Searcher,
    SearchThreads,
    Walk,
)
from palimpsest.index.types import SearchStats, Vector, Vectors
from palimpsest.index.view.dense import DensePart, DenseView
from palimpsest.index.view.view import SealedPart

_SCAN_RESCORED = (
    4  # per result; a scan's candidates differ from the best by their codes' error only
)
_MORE = 4  # times as many rows are asked for while copies of the last are left out
_MOST = 2  # rows in order are read as quickly as one out of order
_CROWDED, _MOST_CROWDED = 2, 16  # copies of a row, from which and up to which a walk is widened
_USUAL_BYTES = 200  # of a row that is scanned: of 4-bit codes of 384 dimensions
_LEAST_BYTES = 40  # shorter ones take as long
Walked: TypeAlias = dict[int, Hits]  # by the places of sealed parts

_NOTHING = Hits(np.empty(0, np.uint32), np.empty(0, np.float32), 0, 0, 0)


def search_parts(
    vectors: DenseView,
    query: Vector,
    plan: SearchPlan,
    points: BitMap | None = None,
    scaling_of: Callable[[DensePart], Scaling | None] | None = None,
    stats: SearchStats | None = None,
    walked: Walked | None = None,
) -> tuple[list[PartHits], SearchStats]:
    """Return each part's closest rows, and what was done to find them.

    They are ``plan.fetch`` of each part, one more at times, or all copies.

    Args:
        vectors: of a dense vector name.
        query: (d,) as the part's rows are, normalised under cosine.
        plan: how to search.
        points: numbers of the points that may be found, None for all.
        scaling_of: gives what turns the distances of a part's rows into others, None for nothing;
            not asked about parts without live rows.
        stats: what is done is added to, None for new ones.
        walked: what first walks of sealed parts have found already (``walked_ahead``).
    """
    found: list[PartHits] = []
    stats = SearchStats() if stats is None else stats
    started = perf_counter()
    if scaling_of is None and plan.noted:
        vectors.recent.note(query)
    allowed = None if points is None else Allowed(points)
    for place, part in enumerate(vectors.sealed):
        if part.segment.lacking:
            stats.lacking += 1
        if part.live:
            scaling = None if scaling_of is None else scaling_of(part)
            tried = plan.at(part.segment.effort, part.segment.n)
            stats.note(part.segment.decision)
            stats.unheeded += plan.falls_short(part.segment.effort)
            stats.scanned += tried.exact and not plan.exact
            first = None if walked is None else walked.get(place)
            hits = _search_sealed(part, query, tried, allowed, scaling, first)
            if hits.visited and tried.ef > stats.ef:
                stats.ef = tried.ef
            found.append(PartHits(part.segment, hits))
    traversed = perf_counter()
    for growing in vectors.growing:
        if growing.live:
            scaling = None if scaling_of is None else scaling_of(growing)
            hits = _search_growing(growing, query, plan, allowed, scaling)
            found.append(PartHits(growing.columns, hits))
    stats.segments += len(vectors.sealed)
    stats.took("traverse", traversed - started)
    stats.took("scan", perf_counter() - traversed)
    for one in found:
        hits = one.hits
        stats.visited += hits.visited
        stats.scored += hits.scored
        stats.rescored += hits.rescored
        stats.extended += hits.extended
        stats.scanned += hits.scanned
    return found, stats


def _search_sealed(
    part: SealedPart[Sealed],
    query: Vector,
    plan: SearchPlan,
    allowed: Allowed | None,
    scaling: Scaling | None,
    first: Hits | None = None,
) -> Hits:
    """Search a sealed part; ``first`` is what the first walk finds, where it was made already."""
    segment, live = part.segment, part.dead.allowed
    if allowed is not None:
        return _search_allowed(part, segment.searcher, query, plan, allowed, scaling)
    searcher, n, most = segment.searcher, segment.n, part.live
    among = searcher.first(n, live)
    k = min(plan.fetch, most)
    reads_all = is_most(searcher, k, most, plan)

    def every_row() -> Hits:
        if (plan.exact and searcher.has_kept) or reads_all or not searcher.has_codes:
            return whole(lambda k: searcher.exact(query, k, among, scaling), k, most)
        return whole(lambda k: searcher.scan(query, k, _scanned(plan, k), among, scaling), k, most)

    if reads_all or not is_walked(searcher, n, plan):
        return every_row()
    ef = min(plan.ef, n)

    def walk(k: int) -> Hits:
        usual = segment.usual if scaling is None else -math.inf
        return searcher.walk(query, k, Walk(ef), rescoring_of_walk(plan), among, scaling, usual)

    hits = walk(min(k + 1, ef, most)) if first is None else first
    distances = hits.distances
    if len(distances) > k and distances[k] != distances[k - 1]:
        if plan.surely or distances[0] != distances[1]:
            return hits  # as nearly always
    else:
        hits = whole(walk, k, min(ef, most), every_row)
    if len(hits.rows) < k:  # the graph falls into parts
        return every_row()
    return _beyond_copies(
        searcher, hits, plan, lambda plan: _search_sealed(part, query, plan, allowed, scaling)
    )


def walked_ahead(
    vectors: DenseView, queries: Vectors, plan: SearchPlan, threads: SearchThreads
) -> list[Walked]:
    """Return for each query (m, d) the first walks that ``search_parts`` makes without a filter.

    Each is what it would be alone; together they take one native call a part.
    """
    found: list[Walked] = [{} for _ in queries]
    for place, part in enumerate(vectors.sealed):
        segment, searcher, most = part.segment, part.segment.searcher, part.live
        tried = plan.at(segment.effort, segment.n)
        k = min(tried.fetch, most)
        if not most or is_most(searcher, k, most, tried) or not is_walked(searcher, part.n, tried):
            continue
        ef = min(tried.ef, part.n)
        fetched, among = min(k + 1, ef, most), searcher.first(part.n, part.dead.allowed)
        how, rescoring = Walk(ef), rescoring_of_walk(tried)
        every = searcher.walk_each(queries, fetched, how, rescoring, among, segment.usual, threads)
        for one, hits in zip(found, every, strict=True):
            one[place] = hits
    return found


def _beyond_copies(
    searcher: Searcher, hits: Hits, plan: SearchPlan, again: Callable[[SearchPlan], Hits]
) -> Hits:
    """Return what a walk found, or what a wider one does where copies took the place of others.

    A walk among copies keeps few that differ, so that it passes by whole sets of them.
    """
    if searcher.folds_copies:
        return hits
    copies = len(hits.distances) / max(len(np.unique(hits.distances)), 1)
    if plan.surely or copies < _CROWDED:
        return hits
    wider = again(plan.wider(min(copies, _MOST_CROWDED)))
    return wider._replace(visited=hits.visited + wider.visited, scored=hits.scored + wider.scored)


def is_walked(searcher: Searcher, rows: int, plan: SearchPlan) -> bool:
    """Tell whether a graph is walked to find the closest of so many rows, not all looked at."""
    if not searcher.has_graph or plan.exact or plan.scanned == MAX_POINTS:
        return False
    return rows > plan.scanned * _USUAL_BYTES // max(searcher.row_bytes, _LEAST_BYTES)


def is_most(searcher: Searcher, k: int, rows: int, plan: SearchPlan) -> bool:
    """Tell whether so many rows are to be rescored that reading all in order is quicker."""
    if not searcher.has_kept or not plan.rescored:
        return False
    return rows <= (_MOST * plan.kept if plan.surely else _SCAN_RESCORED * k)


def rescoring_of_walk(plan: SearchPlan) -> Rescoring:
    """Return what of a walk's candidates is rescored."""
    rescored = plan.ef if plan.surely and plan.rescored else plan.rescored
    return Rescoring(rescored, plan.surely, plan.sure)


def _scanned(plan: SearchPlan, k: int) -> Rescoring:
    """Return what of a scan's candidates is rescored."""
    if not plan.rescored:
        return Rescoring(0)
    if plan.surely:
        return Rescoring(max(plan.kept, k), True, plan.sure)
    return Rescoring(max(plan.rescored, _SCAN_RESCORED * k), sure=plan.sure)


def whole(
    search: Callable[[int], Hits],
    k: int,
    most: int,
    otherwise: Callable[[], Hits] | None = None,
) -> Hits:
    """Return the ``k`` closest rows, and with the last of them all that are just as far away.

    Rows that are copies of each other have an order, that of their points, which the search of a
    part does not know; nor which of them the other parts hold.

    Args:
        search: gives as many of the closest as asked for, of ``most`` at most.
        k: how many rows, at least.
        most: rows that can be found.
        otherwise: asked where copies fill what can be found up to its end, so that the search,
            a walk, may have missed some; None where there are no more rows.
    """
    hits = search(min(k + 1, most))
    distances = hits.distances
    if len(distances) <= k:
        ends_on_copies = k > 1 and len(distances) == k and distances[k - 2] == distances[k - 1]
        return otherwise() if ends_on_copies and otherwise is not None else hits
    kept, last = k, distances[k - 1]
    if distances[k] == last:
        asked = k + 1
        while asked < most and distances[-1] == last:
            asked = min(_MORE * asked, most)
            hits = search(asked)
            distances = hits.distances
        if distances[-1] == last and otherwise is not None:
            return otherwise()
        kept = int(np.searchsorted(distances, last, side="right"))
    return hits._replace(rows=hits.rows[:kept], distances=distances[:kept])


def _search_allowed(
    part: SealedPart[Sealed],
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

    def exact(k: int) -> Hits:
        return searcher.exact(query, k, among, scaling)

    def scan(k: int) -> Hits:
        return searcher.scan(query, k, _scanned(plan, k), among, scaling)

    if (plan.exact and searcher.has_kept) or is_most(searcher, k, most, plan):
        return whole(exact, k, most)
    visited = scored = 0
    if is_walked(searcher, most, plan) and not is_few(most, plan.ef):
        hits = _walk(searcher, part.n, query, k, plan, among, scaling)
        if len(hits.rows) >= k:
            return _beyond_copies(
                searcher,
                hits,
                plan,
                lambda plan: _search_allowed(part, searcher, query, plan, allowed, scaling),
            )
        visited, scored = hits.visited, hits.scored
    hits = whole(scan if searcher.has_codes else exact, k, most)
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
    walk = walk_of(n, among.estimate(SAMPLED_ROWS), plan.ef, surely=plan.surely)
    if walk is None:
        return _NOTHING
    rescoring = rescoring_of_walk(plan)

    def search(k: int) -> Hits:
        return searcher.walk(query, k, walk, rescoring, among, scaling)

    return whole(search, k, max(walk.ef, k), lambda: _NOTHING)


def _search_growing(
    part: Growing,
    query: Vector,
    plan: SearchPlan,
    allowed: Allowed | None,
    scaling: Scaling | None,
) -> Hits:
    searcher, most = part.searcher, part.live
    if allowed is not None:
        most = min(most, allowed.count)
    k = min(plan.fetch, most)
    if k == 0:
        return _NOTHING
    among = (
        searcher.first(part.n, part.dead.allowed) if allowed is None else allowed.in_growing(part)
    )

    def exact(k: int) -> Hits:
        return searcher.exact(query, k, among, scaling)

    def scan(k: int) -> Hits:
        rescoring = _scanned(plan if plan.rescored else plan._replace(rescored=1), k)
        return searcher.scan(query, k, rescoring, among, scaling)

    is_exact = plan.exact or part.encoder is None or is_most(searcher, k, most, plan)
    return whole(exact if is_exact else scan, k, most)
