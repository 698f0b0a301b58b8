"""What a read costs of a rate limit: about how many vectors and points it has to look at.

As in Qdrant's server: a search costs the vectors each point is compared with, those of other kinds
than dense as many as they weigh; any other read costs 1; every condition of a filter costs 1, and
so does every point read by its id, examples of a query included. Levels that only rank what others
found cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias
from uuid import UUID

from palimpsest.index import (
    Filter,
    KindVector,
    MatrixRequest,
    Nested,
    PointId,
    Prefetch,
    RecallRequest,
    SearchRequest,
    VersionedQuery,
    conditions_of,
    levels_of,
    queries,
)

BASE = 1

AnyTarget: TypeAlias = queries.Target | VersionedQuery
Read: TypeAlias = tuple[str | None, PointId]  # a collection looked up, None for one's own; a point


def conditions_in(filter: Filter | None) -> int:
    """Return how many conditions a filter has; those that hold others do not count."""
    if filter is None:
        return 0
    return sum(not isinstance(condition, Nested) for _, condition in conditions_of(filter))


def cost_of_reading(filter: Filter | None) -> int:
    """Return the cost of a scroll, a count or a facet."""
    return BASE + conditions_in(filter)


def cost_of_search(request: SearchRequest) -> int:
    """Return the cost of a plain search."""
    by_id = _is_id(request.query)
    return _compared([request.query]) + by_id + conditions_in(request.filter)


def cost_of_tree(root: Prefetch) -> int:
    """Return the cost of a tree in its own collection."""
    # A set: an example that stands in several levels is read once.
    examples = {read for level in levels_of(root) for read in examples_of(level)}
    own = sum(collection is None for collection, _ in examples)
    return own + sum(_leaf_costs(root, 0))


def cost_of_matrix(request: MatrixRequest, points: int) -> int:
    """Return the cost of a matrix over a collection of so many points.

    It is one read that asks for a vector too, and a search among the sample for each point of it.
    """
    sample = min(request.sample, points)
    return cost_of_reading(request.filter) + 1 + 2 * sample


def cost_of_recall(request: RecallRequest, points: int) -> int:
    """Return the cost of measuring recall in a collection of so many points.

    Each query is answered twice; where none are given, rows are read, and recent ones asked too.
    """
    asked = _compared(request.given) or 2 * min(request.num, points)
    return cost_of_reading(request.filter) + 2 * asked


def examples_of(level: Prefetch) -> Iterator[Read]:
    """Yield the points whose vectors a level's query takes."""
    collection = None if level.lookup is None else level.lookup.collection
    for target in _targets(level.query):
        if _is_id(target):
            yield collection, target  # type: ignore[misc]


def _leaf_costs(level: Prefetch, above: int) -> Iterator[int]:
    """Yield the cost of each level that searches; the conditions of those above hold there too."""
    conditions = above + conditions_in(level.filter)
    if not level.prefetches:
        yield _level_cost(level) + conditions
    for each in level.prefetches:
        yield from _leaf_costs(each, conditions)


def _level_cost(level: Prefetch) -> int:
    query = level.query
    if isinstance(query, queries.Recommend) and query.strategy == "average_vector":
        return BASE
    return _compared(_targets(query)) or BASE


def _targets(query: queries.Query | None) -> list[AnyTarget]:
    """Return what points are compared with."""
    match query:
        case queries.Nearest(target=target):
            return [target]
        case queries.Recommend(positive=positive, negative=negative):
            return [*positive, *negative]
        case queries.Discover(target=target, context=pairs):
            return [target, *_both(pairs)]
        case queries.Context(pairs=pairs):
            return [*_both(pairs)]
        case queries.Feedback(target=target, examples=examples):
            return [target, *(example for example, _ in examples)]
    return []


def _both(pairs: Iterable[queries.Pair]) -> Iterator[queries.Target]:
    for pair in pairs:
        yield pair.positive
        yield pair.negative


def _compared(targets: Iterable[AnyTarget]) -> int:
    return sum(map(_vectors_in, targets))


def _vectors_in(target: AnyTarget) -> int:
    if isinstance(target, KindVector):
        return target.weight
    return _compared(target.vectors.values()) if isinstance(target, VersionedQuery) else 1


def _is_id(target: AnyTarget) -> bool:
    return isinstance(target, int | UUID)
