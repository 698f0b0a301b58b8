"""The closest points of one dense column: search every part, merge, cut."""

from __future__ import annotations

from time import perf_counter
from typing import NamedTuple
from uuid import UUID

from pyroaring import BitMap

from palimpsest.index.encoding.normalise import check_query
from palimpsest.index.search.dense import search_parts
from palimpsest.index.search.merge import Merged, merge
from palimpsest.index.search.plan import Page, SearchPlan, SearchRequest, resolve
from palimpsest.index.search.zero_query import first_by_id, is_alike
from palimpsest.index.types import SearchStats, VersionedQuery
from palimpsest.index.view.dense import DenseView


class Closest(NamedTuple):
    """The closest points, and what was done to find them."""

    merged: Merged
    stats: SearchStats


def closest(
    vectors: DenseView,
    request: SearchRequest,
    allowed: BitMap | None,
    *,
    without: int | None = None,
) -> Closest:
    """Return the points closest to the request's vector.

    Args:
        vectors: the parts of the name.
        request: its query is a vector.
        allowed: numbers of the points that may be found, None for all.
        without: the number of a point that is left out.

    Raises:
        InvalidInput: one of its subclasses: the vector or a parameter is wrong.
    """
    started = perf_counter()
    config = vectors.config
    plan = resolve(request, config, without=0 if without is None else 1)
    # the caller has read the vector of an id, and chosen one of several versions
    assert not isinstance(request.query, (int, UUID, VersionedQuery))
    query = check_query(request.query, config, averaged=request.averaged)
    planned = perf_counter()
    if is_alike(query, config):
        found, stats = first_by_id(vectors, allowed, plan.fetch), SearchStats()
    else:
        found, stats = search_parts(vectors, query, plan, allowed)
    merging = perf_counter()
    merged = merge(found, plan.fetch).clamped(config.distance)
    merged = page_of(merged, plan, without)
    seconds = stats.seconds
    seconds["plan"], seconds["merge"] = planned - started, perf_counter() - merging
    return Closest(merged, stats)


def page_of(merged: Merged, plan: Page | SearchPlan, without: int | None) -> Merged:
    """Return what of a list is the answer, but for the point ``without`` of it."""
    if without is not None:
        merged = merged.without(without)
    return merged.upto(plan.max_distance).cut(plan.offset, plan.offset + plan.k)
