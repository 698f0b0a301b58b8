"""Which parts of the vectors of hits match a query: of sets, which of their vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeAlias, cast

import numpy as np

from palimpsest.index.config.kinds import ColumnConfig
from palimpsest.index.errors import InvalidVector, NotFound
from palimpsest.index.kinds.registry import kind_of
from palimpsest.index.query.likeness import average
from palimpsest.index.query.request import (
    Context,
    Discover,
    Feedback,
    GroupRequest,
    Nearest,
    Prefetch,
    Query,
    QueryRequest,
    Recommend,
    Target,
)
from palimpsest.index.query.source import Source
from palimpsest.index.query.targets import resolve
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.types import MatchedParts, PointId, PointVector, VersionedQuery

AnyRequest: TypeAlias = SearchRequest | QueryRequest | GroupRequest


class HasParts(Source, Protocol):
    """A state of a collection that tells what of a vector matched."""

    def matched(
        self, name: str, query: PointVector | VersionedQuery, ids: Sequence[PointId]
    ) -> Sequence[MatchedParts | None]:
        """Return which parts of the vectors of points match a query, None where there are none."""


def matched_parts(
    source: HasParts,
    request: AnyRequest,
    ids: Sequence[PointId],
    elsewhere: Callable[[str], Source],
) -> Mapping[PointId, MatchedParts]:
    """Return which parts of hits match what their request ranks them by, by id.

    Args:
        source: the collection that was searched.
        request: what was asked; of a tree its last level is meant.
        ids: of the hits.
        elsewhere: returns other collections by name, and ``source`` itself by its own.

    Returns:
        Of several examples parts match the closest one, by its place: of recommend and context
        among those that are liked, or among the disliked where there are no others. Of discover and
        feedback they match the target. Nothing for hits whose vectors have no parts, where they are
        not ranked by how near they are to anything, and where that is a point which is gone.
    """
    level = _ranking(request)
    config = _config_of(source, level)
    if config is None or not kind_of(config).has_parts:
        return {}
    try:
        query, _ = resolve(level, source, elsewhere)
    except (NotFound, InvalidVector):  # what it names was there when it was answered
        return {}
    examples = _examples(query, config)
    if not examples:
        return {}
    found = [source.matched(level.using, one, ids) for one in examples]
    closest = [_closest(each) for each in zip(*found, strict=True)]
    return {one: part for one, part in zip(ids, closest, strict=True) if part is not None}


def _examples(query: Query | None, config: ColumnConfig) -> Sequence[PointVector | VersionedQuery]:
    """Return what hits are near to, none where that is nothing of this space."""
    targets: Sequence[Target | VersionedQuery]
    match query:
        case Nearest() | Discover() | Feedback():
            targets = [query.target]
        case Context():
            targets = [pair.positive for pair in query.pairs]
        case Recommend() if query.strategy == "average_vector":
            targets = [average(query, config)]
        case Recommend():
            targets = query.positive or query.negative
        case _:
            return []
    return cast(Sequence[PointVector | VersionedQuery], targets)


def _closest(parts: Sequence[MatchedParts | None]) -> MatchedParts | None:
    """Return what matches the closest of some examples, the first of equal ones."""
    known = [(place, part) for place, part in enumerate(parts) if part is not None]
    if not known:
        return None
    place, best = min(known, key=lambda one: float(one[1].distances.sum(dtype=np.float64)))
    return best if len(parts) == 1 else replace(best, example=place)


def _config_of(source: Source, level: Prefetch) -> ColumnConfig | None:
    """Return what is declared of the version that a level is ranked by."""
    query = level.query
    if isinstance(query, Nearest) and isinstance(query.target, VersionedQuery):
        return source.leading(level.using, query.target)
    return source.vector_names.get(level.using)


def _ranking(request: AnyRequest) -> Prefetch:
    """Return the level that ranks the hits of a request."""
    if isinstance(request, SearchRequest):
        return Prefetch(Nearest(request.query), using=request.vector_name)
    return request.root
