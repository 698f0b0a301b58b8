"""Levels that find the points nearest to one vector, and those of them unlike each other (mmr)."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.errors import InvalidConfig
from palimpsest.index.kinds.registry import kind_of
from palimpsest.index.query.diversity import diverse
from palimpsest.index.query.examples import similarities
from palimpsest.index.query.request import MAX_MMR_CANDIDATES, Mmr, Nearest, Prefetch
from palimpsest.index.query.scope import Scope
from palimpsest.index.query.scored import Scored, farthest, is_similarity, nothing
from palimpsest.index.query.source import Source
from palimpsest.index.read.by_id import Point
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.types import Distance, Numbers, Vector, Vectors, VersionedQuery


def nearest(
    source: Source,
    node: Prefetch,
    point: Point | VersionedQuery,
    scope: Scope,
    count: int,
    *,
    averaged: bool = False,
) -> Scored:
    """Return the ``count`` points closest to a vector, or to one in several versions.

    One ``averaged`` of several may be longer than a vector that is given.
    """
    if isinstance(point, VersionedQuery):
        similarity = is_similarity(source.leading(node.using, point))
    else:
        similarity = is_similarity(source.vector_names[node.using])
    allowed, skipped = scope.allowed(source), scope.without
    if allowed is not None:
        allowed, skipped = allowed - skipped, BitMap()
    k = min(count, len(source.live if allowed is None else allowed))
    if not k:
        return nothing()
    params = node.params
    request = SearchRequest(
        point,
        node.using,
        k + len(skipped),  # cheaper than a bitmap of all other points
        ef=params.ef,
        exact=params.exact,
        rescore=params.rescore,
        oversampling=params.oversampling,
        ignore_codes=params.ignore_codes,
        max_distance=farthest(node.threshold, similarity),
        paged=count > node.limit,
        averaged=averaged,
    )
    ranked = source.nearest(request, allowed, source.allowed(params.idf_corpus))
    scores = (0 - ranked.distances if similarity else ranked.distances).astype(np.float64)
    found = Scored(ranked.numbers, scores)
    if skipped:
        kept = [at for at, number in enumerate(found.numbers.tolist()) if number not in skipped]
        found = Scored(found.numbers[kept], scores[kept])
    return found.cut(0, count)


def diverse_nearest(
    source: Source, node: Prefetch, query: Nearest, scope: Scope, offset: int
) -> Scored:
    """Return nearest points unlike each other, after the first ``offset`` of them."""
    mmr, point = cast(Mmr, query.mmr), cast(Point, query.target)
    candidates = node.limit if mmr.candidates is None else mmr.candidates
    candidates = min(candidates, len(source.live))
    if candidates > MAX_MMR_CANDIDATES:
        raise InvalidConfig(
            f"mmr: expected at most {MAX_MMR_CANDIDATES} candidates, which are as many as the "
            f"limit unless candidates_limit is given, got {candidates}"
        )
    found = nearest(source, node, point, scope, candidates)
    if not len(found):
        return found
    relevance, similar_to, there = _closeness(source, node.using, point, found.numbers)
    places = there[diverse(relevance, similar_to, mmr.diversity, node.limit + offset)]
    return Scored(found.numbers[places], found.scores[places]).cut(offset)


def _closeness(
    source: Source, name: str, point: Point, numbers: Numbers
) -> tuple[NDArray[np.float64], Callable[[int], NDArray[np.float64]], NDArray[np.intp]]:
    """Return the similarity (m,) of points to the query, to the one at a place, and the points.

    The points are places in ``numbers``; those deleted meanwhile are left out.
    """
    config = source.vector_names[name]
    if not isinstance(config, VectorConfig):
        read = source.examples(name, numbers)
        rows = [row for row in read if row is not None]
        there = np.flatnonzero([row is not None for row in read])
        likeness = kind_of(config).likeness(rows, config)
        return likeness.of(point), likeness.to, there
    dense, has = source.vectors(name, numbers)
    vectors, there = dense[has], np.flatnonzero(has)
    to_query = source.rescore(name, cast(Vector, point)[None, :], numbers[there])[0]
    relevance = similarities(to_query, config.distance).astype(np.float64)
    return relevance, lambda at: _similar(vectors, vectors[at], config.distance), there


def _similar(vectors: Vectors, one: Vector, distance: Distance) -> NDArray[np.float64]:
    """Return the similarity (m,) of stored vectors to one of them."""
    found: NDArray[np.float64]
    if distance is Distance.EUCLID:
        found = -np.square(vectors - one).sum(axis=1, dtype=np.float64)
    elif distance is Distance.MANHATTAN:
        found = -np.abs(vectors - one).sum(axis=1, dtype=np.float64)
    else:
        found = (vectors @ one).astype(np.float64)
    return found
