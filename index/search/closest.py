"""The closest points of one dense column: search every part, merge, cut."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import NamedTuple
from uuid import UUID

import numpy as np
from pyroaring import BitMap

from palimpsest.index.encoding.normalise import check_query
from palimpsest.index.errors import InvalidInput
from palimpsest.index.search.dense import Walked, search_parts, walked_ahead
from palimpsest.index.search.merge import Merged, merge
from palimpsest.index.search.plan import Page, SearchPlan, SearchRequest, resolve
from palimpsest.index.search.zero_query import first_by_id, is_alike
from palimpsest.index.segments.searcher import SearchThreads
from palimpsest.index.types import SearchStats, Vector, VersionedQuery
from palimpsest.index.view.dense import DenseView


class Closest(NamedTuple):
    """The closest points, and what was done to find them."""

    merged: Merged
    stats: SearchStats


class Ahead(NamedTuple):
    """What of a search was done before it is run, together with others."""

    plan: SearchPlan
    query: Vector  # checked
    walked: Walked
    seconds: float  # its share of what the walks took


def closest(
    vectors: DenseView,
    request: SearchRequest,
    allowed: BitMap | None,
    *,
    without: int | None = None,
    ahead: Ahead | None = None,
) -> Closest:
    """Return the points closest to the request's vector.

    Args:
        vectors: the parts of the name.
        request: its query is a vector.
        allowed: numbers of the points that may be found, None for all.
        without: the number of a point that is left out.
        ahead: what was done of this search (``searched_ahead``); then all may be found.

    Raises:
        InvalidInput: one of its subclasses: the vector or a parameter is wrong.
    """
    started = perf_counter()
    config = vectors.config
    walked = None
    if ahead is None:
        plan = resolve(request, config, without=0 if without is None else 1)
        # the caller has read the vector of an id, and chosen one of several versions
        assert not isinstance(request.query, (int, UUID, VersionedQuery))
        query = check_query(request.query, config, averaged=request.averaged)
    else:
        plan, query, walked, _ = ahead
    planned = perf_counter()
    if is_alike(query, config):
        found, stats = first_by_id(vectors, allowed, plan.fetch), SearchStats()
    else:
        found, stats = search_parts(vectors, query, plan, allowed, walked=walked)
    if ahead is not None:
        stats.took("traverse", ahead.seconds)
    merging = perf_counter()
    merged = merge(found, plan.fetch).clamped(config.distance)
    merged = page_of(merged, plan, without)
    seconds = stats.seconds
    seconds["plan"], seconds["merge"] = planned - started, perf_counter() - merging
    return Closest(merged, stats)


def searched_ahead(
    vectors: DenseView, requests: Sequence[SearchRequest], threads: SearchThreads
) -> list[Ahead | None]:
    """Return what can be done of several searches at once, None for those that are run alone.

    These are searches with a filter, by an id, and those that are refused when they are run.
    """
    found: list[Ahead | None] = [None] * len(requests)
    alike: dict[SearchPlan, list[tuple[int, Vector]]] = {}
    for place, request in enumerate(requests):
        query = request.query
        if not isinstance(query, np.ndarray) or request.filter is not None:
            continue
        try:
            plan = resolve(request, vectors.config)
            checked = check_query(query, vectors.config, averaged=request.averaged)
        except InvalidInput:
            continue
        if not is_alike(checked, vectors.config):
            alike.setdefault(plan, []).append((place, checked))
    for plan, members in alike.items():
        # One alone gains nothing by being made ahead.
        if len(members) > 1:
            queries = np.stack([query for _, query in members])
            started = perf_counter()
            every = walked_ahead(vectors, queries, plan, threads)
            seconds = (perf_counter() - started) / len(members)
            for (place, query), walked in zip(members, every, strict=True):
                found[place] = Ahead(plan, query, walked, seconds)
    return found


def page_of(merged: Merged, plan: Page | SearchPlan, without: int | None) -> Merged:
    """Return what of a list is the answer, but for the point ``without`` of it."""
    if without is not None:
        merged = merged.without(without)
    return merged.upto(plan.max_distance).cut(plan.offset, plan.offset + plan.k)
