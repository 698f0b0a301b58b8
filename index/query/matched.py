"""Which parts of the vectors of hits match a query: of sets, which of their vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias, cast

from palimpsest.index.errors import InvalidVector, NotFound
from palimpsest.index.kinds.registry import kind_of
from palimpsest.index.query.request import GroupRequest, Nearest, Prefetch, QueryRequest
from palimpsest.index.query.source import Source
from palimpsest.index.query.targets import resolve
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.types import MatchedParts, PointId, PointVector, VersionedQuery

AnyRequest: TypeAlias = SearchRequest | QueryRequest | GroupRequest


class HasParts(Source, Protocol):
    """A state of a collection that tells what of a vector matched."""

    def matched(
        self, name: str, query: PointVector, ids: Sequence[PointId]
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
        Nothing for hits whose vectors have no parts, where they are not ranked by how near they are
        to one query, or to one in several versions, and where it is that of a point which is gone.
    """
    level = _ranking(request)
    config = source.vector_names.get(level.using)
    if config is None or not kind_of(config).has_parts:
        return {}
    try:
        query, _ = resolve(level, source, elsewhere)
    except (NotFound, InvalidVector):  # what it names was there when it was answered
        return {}
    if not isinstance(query, Nearest) or isinstance(query.target, VersionedQuery):
        return {}
    parts = source.matched(level.using, cast(PointVector, query.target), ids)
    return {one: part for one, part in zip(ids, parts, strict=True) if part is not None}


def _ranking(request: AnyRequest) -> Prefetch:
    """Return the level that ranks the hits of a request."""
    if isinstance(request, SearchRequest):
        return Prefetch(Nearest(request.query), using=request.vector_name)
    return request.root
