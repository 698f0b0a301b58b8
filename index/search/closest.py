"""The closest points of one vector name: search every part, merge, cut."""

from __future__ import annotations

from time import perf_counter
from typing import NamedTuple
from uuid import UUID

from pyroaring import BitMap

from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.encoding.normalise import check_query
from palimpsest.index.errors import InvalidVector
from palimpsest.index.search.dense import search_parts
from palimpsest.index.search.merge import Merged, merge
from palimpsest.index.search.plan import SearchPlan, SearchRequest, resolve
from palimpsest.index.search.sparse import search_sparse
from palimpsest.index.search.zero_query import first_by_id, is_alike
from palimpsest.index.segments.sparse.rows import check_sparse
from palimpsest.index.types import SearchStats, SparseVector, VersionedQuery
from palimpsest.index.view.view import VectorView


class Closest(NamedTuple):
    """The closest points, and what was done to find them."""

    merged: Merged
    stats: SearchStats


def closest(
    vectors: VectorView,
    request: SearchRequest,
    allowed: BitMap | None,
    *,
    without: int | None = None,
    corpus: BitMap | None = None,
) -> Closest:
    """Return the points closest to the request's vector.

    Args:
        vectors: the parts of the name.
        request: its query is a vector, dense or sparse as the name is.
        allowed: numbers of the points that may be found, None for all.
        without: the number of a point that is left out.
        corpus: numbers of the points that idf counts, None for all.

    Raises:
        InvalidInput: one of its subclasses: the vector or a parameter is wrong.
    """
    started = perf_counter()
    config = vectors.config
    plan = resolve(request, config, without=0 if without is None else 1)
    if isinstance(config, VectorConfig):
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
    else:
        if not isinstance(request.query, SparseVector):
            raise InvalidVector("The query vector is dense, expected a sparse one for this name")
        planned = perf_counter()
        sparse = check_sparse(request.query.indices, request.query.values)
        found, stats = search_sparse(vectors, sparse, plan.fetch, allowed, corpus=corpus)
        merging = perf_counter()
        merged = merge(found, plan.fetch)
    merged = page_of(merged, plan, without)
    seconds = stats.seconds
    seconds["plan"], seconds["merge"] = planned - started, perf_counter() - merging
    return Closest(merged, stats)


def page_of(merged: Merged, plan: SearchPlan, without: int | None) -> Merged:
    """Return what of a list is the answer, but for the point ``without`` of it."""
    if without is not None:
        merged = merged.without(without)
    return merged.upto(plan.max_distance).cut(plan.offset, plan.offset + plan.k)
