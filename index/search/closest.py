"""The closest points of one vector name: search every part, merge, cut."""

from __future__ import annotations

from time import perf_counter
from uuid import UUID

from pyroaring import BitMap

from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.encoding.normalise import check_query
from palimpsest.index.errors import InvalidVector
from palimpsest.index.search.dense import search_parts
from palimpsest.index.search.merge import Merged, merge
from palimpsest.index.search.plan import SearchRequest, resolve
from palimpsest.index.search.sparse import search_sparse
from palimpsest.index.search.zero_query import first_by_id, is_alike
from palimpsest.index.segments.sparse.rows import check_sparse
from palimpsest.index.types import SearchStats, SparseVector, VersionedQuery
from palimpsest.index.view.view import VectorView


def closest(
    vectors: VectorView,
    request: SearchRequest,
    allowed: BitMap | None,
    stats: SearchStats,
    *,
    without: int | None = None,
    corpus: BitMap | None = None,
) -> Merged:
    """Return the points closest to the request's vector.

    Args:
        vectors: the parts of the name.
        request: its query is a vector, dense or sparse as the name is.
        allowed: numbers of the points that may be found, None for all.
        stats: what was done is added to it.
        without: the number of a point that is left out.
        corpus: numbers of the points that idf counts, None for all.

    Raises:
        InvalidInput: one of its subclasses: the vector or a parameter is wrong.
    """
    started = perf_counter()
    plan = resolve(request, vectors.config, without=0 if without is None else 1)
    if isinstance(vectors.config, VectorConfig):
        # the caller has read the vector of an id, and chosen one of several versions
        assert not isinstance(request.query, (int, UUID, VersionedQuery))
        query = check_query(request.query, vectors.config, averaged=request.averaged)
        stats.seconds["plan"] = perf_counter() - started
        if is_alike(query, vectors.config):
            found = first_by_id(vectors, allowed, plan.fetch)
        else:
            found = search_parts(vectors, query, plan, stats, allowed)
    else:
        if not isinstance(request.query, SparseVector):
            raise InvalidVector("The query vector is dense, expected a sparse one for this name")
        stats.seconds["plan"] = perf_counter() - started
        sparse = check_sparse(request.query.indices, request.query.values)
        found = search_sparse(vectors, sparse, plan.fetch, allowed, stats, corpus=corpus)
    merging = perf_counter()
    merged = merge(found, plan.fetch)
    if isinstance(vectors.config, VectorConfig):
        merged = merged.clamped(vectors.config.distance)
    if without is not None:
        merged = merged.without(without)
    merged = merged.upto(plan.max_distance).cut(plan.offset, plan.offset + plan.k)
    stats.seconds["merge"] = perf_counter() - merging
    return merged
