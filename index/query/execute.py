"""Walks a tree of prefetches from its leaves up, and attaches what the user sees to its result.

A level without prefetches searches the collection. One with prefetches fuses what they found, or
searches among it. Limits, thresholds and offsets apply to each level's own result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import NamedTuple

import numpy as np

from palimpsest.index.errors import InvalidInput
from palimpsest.index.filters.bitmaps import from_numbers
from palimpsest.index.query import formula, ordered
from palimpsest.index.query.fusion import fuse
from palimpsest.index.query.likeness import by_examples
from palimpsest.index.query.nearest import diverse_nearest, nearest
from palimpsest.index.query.request import (
    Formula,
    Fusion,
    Nearest,
    OrderBy,
    Prefetch,
    Query,
    QueryRequest,
    Sample,
)
from palimpsest.index.query.scope import Scope
from palimpsest.index.query.scored import Scored, nothing
from palimpsest.index.query.source import Source
from palimpsest.index.query.targets import resolve
from palimpsest.index.stops import check_stop
from palimpsest.index.types import Record

Elsewhere = Callable[[str], Source]


class Answer(NamedTuple):
    """The points of a result, best first; columns of equal length.

    ``whole`` is False when points were deleted while it was made, which are left out.
    """

    records: Sequence[Record]
    scores: Sequence[float]
    order_values: Sequence[int | float] | None
    whole: bool


def answer(source: Source, request: QueryRequest, elsewhere: Elsewhere) -> Answer:
    """Return the result of a query.

    Args:
        source: the collection, in the state that is searched.
        request: the tree, and what the answer holds.
        elsewhere: returns collections to look vectors up in; ``source`` itself by its own name.

    Raises:
        InvalidInput: one of its subclasses: the query cannot be carried out as given.
        PointNotFound: a target is the id of no point.
    """
    check(request.root)
    found = ranked(source, request.root, elsewhere, request.offset)
    return attach(source, found, request.with_payload, request.with_vectors)


def ranked(source: Source, root: Prefetch, elsewhere: Elsewhere, offset: int = 0) -> Scored:
    """Return the points of a checked tree, after the first ``offset`` of them."""
    return _Walk(source, elsewhere).level(root, Scope(), offset)


def attach(
    source: Source, found: Scored, with_payload: bool, with_vectors: bool | tuple[str, ...]
) -> Answer:
    """Return points as the user sees them."""
    records = source.records(found.numbers, with_payload=with_payload, with_vectors=with_vectors)
    there = [place for place, record in enumerate(records) if record is not None]
    values = found.order_values
    return Answer(
        [record for record in records if record is not None],
        found.scores[there].tolist(),
        None if values is None else [values[place] for place in there],
        len(there) == len(records),
    )


def check(node: Prefetch) -> None:
    """Raise InvalidInput when the clauses of a level, or of one below it, contradict each other."""
    query = node.query
    if node.prefetches and query is None:
        raise InvalidInput(
            "A query is needed to merge the prefetches. "
            "Can't have prefetches without defining a query."
        )
    if isinstance(query, Fusion | Formula) and not node.prefetches:
        kind = "formula" if isinstance(query, Formula) else query.method
        raise InvalidInput(f"Cannot perform {kind} without prefetches: give at least one")
    if isinstance(query, Fusion) and node.using:
        raise InvalidInput("Fusion queries cannot be combined with the 'using' field.")
    if node.threshold is not None and query is None:
        raise InvalidInput("A query is needed to use the score_threshold.")
    if node.threshold is not None and isinstance(query, OrderBy):
        raise InvalidInput("Can't use score_threshold with an order_by query.")
    for each in node.prefetches:
        check(each)


@dataclass(frozen=True, slots=True)
class _Walk:
    """One walk over a tree."""

    source: Source
    elsewhere: Elsewhere

    def level(self, node: Prefetch, outer: Scope, offset: int = 0) -> Scored:
        """Return what a level finds."""
        check_stop()
        query, examples = resolve(node, self.source, self.elsewhere)
        scope = outer.narrowed(node.filter, examples)
        if not node.prefetches:
            return self._search(node, query, scope, offset)
        told = self.source.estimates
        found = [self.level(each, scope) for each in node.prefetches]
        count, started = node.limit + offset, perf_counter()
        if isinstance(query, Fusion):
            fused = fuse(query, found).cut(0, count).at_least(node.threshold).cut(offset)
            self.source.took("fuse", perf_counter() - started)
            return fused
        if isinstance(query, Formula):
            rescored = formula.rank(self.source, query, found, count)
            self.source.took("formula", perf_counter() - started)
            return rescored.at_least(node.threshold).cut(offset)
        # A search over prefetches looks at what they found, and at nothing else; their scores do
        # not count.
        self.source.forget_estimates(told)
        within = from_numbers(np.concatenate([one.numbers for one in found]))
        if not within:
            return nothing()
        return self._search(node, query, replace(scope, within=within), offset)

    def _search(self, node: Prefetch, query: Query | None, scope: Scope, offset: int) -> Scored:
        """Return what a level finds by itself among the points in scope."""
        source, count = self.source, node.limit + offset
        match query:
            case Nearest(mmr=None):
                found = nearest(source, node, query.target, scope, count)  # type: ignore[arg-type]
            case Nearest():
                return diverse_nearest(source, node, query, scope, offset)
            case OrderBy():
                found = ordered.by_value(source, query, scope, count)
            case Sample():
                found = ordered.sample(source, scope, count)
            case None:
                found = ordered.by_id(source, scope, count)
            case Fusion() | Formula():
                raise InvalidInput("Cannot fuse without prefetches: give at least one")
            case _:
                found = by_examples(source, node, query, scope, count)
        # Only here: an offset counts what this level found, over its threshold, not what was
        # fetched.
        return found.cut(offset)
