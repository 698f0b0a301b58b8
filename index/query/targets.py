"""The targets of a query as vectors: those given by id are read from a collection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import UUID

from pyroaring import BitMap

from palimpsest.index.config.kinds import ColumnConfig
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.errors import (
    InvalidInput,
    InvalidVector,
    UnknownVectorName,
    Unsupported,
    VectorNotFound,
)
from palimpsest.index.kinds.registry import kind_of
from palimpsest.index.query.request import (
    Context,
    Discover,
    Feedback,
    Nearest,
    Pair,
    Prefetch,
    Query,
    Recommend,
    Target,
)
from palimpsest.index.query.source import Source
from palimpsest.index.read.by_id import Point, vectors_by_id
from palimpsest.index.types import KindVector, VersionedQuery

WITH_TARGETS = (Nearest, Recommend, Discover, Context, Feedback)


def resolve(
    node: Prefetch, source: Source, elsewhere: Callable[[str], Source]
) -> tuple[Query | None, BitMap]:
    """Return a level's query with vectors for all targets, and the points that are examples.

    Args:
        node: the level.
        source: the collection that is searched.
        elsewhere: returns other collections by name, and ``source`` itself by its own.

    Raises:
        UnknownVectorName: a name is not declared.
        PointNotFound: a target is the id of no point.
        InvalidVector: that point lacks the vector, or a target is of the other kind.
        Unsupported: a query in several versions, with mmr.
        DimensionMismatch: a vector is not as long as declared.
    """
    query = node.query
    if not isinstance(query, WITH_TARGETS):
        return query, BitMap()
    config = config_of(source, node.using)
    if node.params.idf and not kind_of(config).weighs:
        raise InvalidInput(
            f"`params.idf` is about sparse vectors, {node.using!r} is declared {config.kind}"
        )
    if isinstance(query, Nearest) and isinstance(query.target, VersionedQuery) and query.mmr:
        raise Unsupported("mmr needs one vector to compare with: name a version by `using`")
    there, name = source, node.using
    if node.lookup is not None:
        there = elsewhere(node.lookup.collection)
        name = node.using if node.lookup.vector is None else node.lookup.vector
    ids = [one for one in targets_of(query) if isinstance(one, int | UUID)]
    if node.lookup is not None and ids and name not in there.vector_names:
        raise VectorNotFound(name, node.lookup.collection, there.vector_names)
    numbers, found = vectors_by_id(there, name, config_of(there, name) if ids else config, ids)

    def to_point(target: Target) -> Point:
        point = found[target] if isinstance(target, int | UUID) else target
        return _taken(point, source, node.using)

    return _replaced(query, to_point), BitMap(numbers) if there is source else BitMap()


def config_of(source: Source, name: str) -> ColumnConfig:
    """Return what is declared of a vector name. Raises UnknownVectorName."""
    config = source.vector_names.get(name)
    if config is None:
        raise UnknownVectorName(name, list(source.vector_names))
    return config


def targets_of(query: Query) -> list[Target]:
    """Return all targets of a query."""
    targets: list[Target] = []

    def collect(target: Target) -> Target:
        targets.append(target)
        return target

    _replaced(query, collect)
    return targets


def _replaced(query: Query, to_point: Callable[[Target], Target]) -> Query:
    match query:
        case Nearest():
            if isinstance(query.target, VersionedQuery):  # the source knows the versions
                return query
            return replace(query, target=to_point(query.target))
        case Recommend():
            positive, negative = map(to_point, query.positive), map(to_point, query.negative)
            return replace(query, positive=tuple(positive), negative=tuple(negative))
        case Discover():
            return replace(
                query,
                target=to_point(query.target),
                context=_pairs(query.context, to_point),
            )
        case Context():
            return replace(query, pairs=_pairs(query.pairs, to_point))
        case Feedback():
            examples = tuple((to_point(target), score) for target, score in query.examples)
            return replace(query, target=to_point(query.target), examples=examples)
    return query


def _pairs(pairs: Sequence[Pair], to_point: Callable[[Target], Target]) -> tuple[Pair, ...]:
    return tuple(Pair(to_point(pair.positive), to_point(pair.negative)) for pair in pairs)


def _taken(point: Point, source: Source, name: str) -> Point:
    """Return a target as a vector of the kind that a name is declared with."""
    config = config_of(source, name)
    kind = kind_of(config)
    taken = kind.taken(point)
    if taken is None:
        given = point.kind if isinstance(point, KindVector) else VectorConfig.kind
        special = given if config.kind == VectorConfig.kind else config.kind
        raise InvalidVector(
            f"Conversion between {special} and regular vectors failed: "
            f"got a {given} vector, but {name!r} is declared {config.kind}"
        )
    kind.check_size(taken, name, config, source.vector_names)
    return taken
