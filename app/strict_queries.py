"""What strict mode asks of queries: every level within its limits, and the cost of all at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from palimpsest.app.access.rights import Access, Level
from palimpsest.app.context import Call, Context
from palimpsest.app.costs import cost_of_search, cost_of_tree, examples_of
from palimpsest.app.strict import Strict, strict_of
from palimpsest.index import GroupRequest, Prefetch, QueryRequest, SearchRequest, levels_of, queries

VECTOR_QUERIES = (
    queries.Nearest,
    queries.Recommend,
    queries.Discover,
    queries.Context,
    queries.Feedback,
)
Request: TypeAlias = SearchRequest | QueryRequest | GroupRequest


def check_queries(
    call: Call, requests: Sequence[Request], timeout: int | None, *, charges: bool = True
) -> None:
    """Raise Refusal for what exceeds the limits of the collection, or of those looked up.

    ``charges`` says whether what passes is paid for: once per request.
    """
    # Before any limit is looked at: a refusal must not tell somebody without the right that a
    # collection is there.
    for name in _lookups(requests):
        call.access.require(call.context.database, name, Level.READ)
    strict = call.strict(charges=charges)
    if strict is not None:
        # All are checked before any is paid for.
        cost = sum(_check(strict, each) for each in requests)
        strict.read(cost=cost, timeout=timeout)
    for name, points in _looked_up(requests).items():
        charge_lookup(call.context, call.access, name, points, charges=charges)


def charge_lookup(
    context: Context, access: Access, name: str, points: int, *, charges: bool = True
) -> None:
    """Take the cost of reading so many points of another collection by their ids."""
    collection = access.collection(context.database, name, Level.READ)
    strict = strict_of(collection, context.rates, charges=charges)
    if strict is not None:
        strict.read(cost=points)


def _check(strict: Strict, request: Request) -> int:
    """Check one query and return its cost."""
    if isinstance(request, SearchRequest):
        strict.search(ef=request.ef, exact=request.exact, oversampling=request.oversampling)
        strict.level(request.k, request.filter)
        strict.graph(request.vector_name)
        return cost_of_search(request)
    root = request.root
    for level in levels_of(root):
        params, limit = level.params, level.limit
        if level is root and isinstance(request, GroupRequest):
            limit *= request.size
        strict.search(ef=params.ef, exact=params.exact, oversampling=params.oversampling)
        strict.level(limit, level.filter)
        strict.level(None, params.idf_corpus)
        if isinstance(level.query, VECTOR_QUERIES) and not level.prefetches:
            strict.graph(level.using)
        if isinstance(level.query, queries.Formula):
            strict.formula(level.query.term)
    return cost_of_tree(root)


def _lookups(requests: Sequence[Request]) -> set[str]:
    """Return the names of the collections that are looked up, whether a point is read or not."""
    return {
        level.lookup.collection
        for root in _trees(requests)
        for level in levels_of(root)
        if level.lookup is not None
    }


def _trees(requests: Sequence[Request]) -> list[Prefetch]:
    return [each.root for each in requests if not isinstance(each, SearchRequest)]


def _looked_up(requests: Sequence[Request]) -> Counter[str]:
    """Return how many points are read of other collections, by their names."""
    trees = _trees(requests)
    reads = {
        (place, *read)
        for place, root in enumerate(trees)
        for level in levels_of(root)
        for read in examples_of(level)
    }
    return Counter(name for _, name, _ in reads if name is not None)
