"""Decides whether a search runs in the event loop, and runs it there.

A search that the engine expects to be short does: handing it to a thread and back costs about as
much as the search itself. Trees run beside it, and whatever would have to wait.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TypeAlias

from palimpsest.app.context import Context
from palimpsest.app.schemas.explanations import warn_of_reach
from palimpsest.app.schemas.hits import ScoredPoints, to_points
from palimpsest.app.schemas.plain import Query
from palimpsest.app.schemas.query import Asked, Early, Tree, decode_query
from palimpsest.app.strict import strict_of
from palimpsest.app.tracing.trace import Trace
from palimpsest.app.warnings import Warnings
from palimpsest.index import (
    BridgeMode,
    Collection,
    CollectionConfig,
    NotYetApplied,
    SearchRequest,
    SearchResult,
)

INLINE_SECONDS = 0.001  # expected; above it a search runs beside the event loop


Decode: TypeAlias = Callable[[bytes, CollectionConfig], Asked]


def read_now(context: Context, collection: Collection, body: bytes) -> Early | None:
    """Return what a body of ``query`` asks for, None where it has to be looked into first.

    Raises as ``decode_query``; the long way leaves out what is left out of a body, and tries again.
    """
    if len(body) >= context.short_body:
        return None
    config = collection.config
    return Early(config, decode_query(body, config))


def answer_now(
    context: Context,
    collection: Collection,
    early: Early,
    warnings: Warnings,
    bridge: BridgeMode = "on",
    trace: Trace | None = None,
) -> ScoredPoints | None:
    """Return the answer to a query that is expected to be short, None for any other.

    ``warnings`` takes what is to be said of the answer, ``trace`` what the search was; they
    are only added to when there is one.
    """
    asked = is_short(context, collection, early, bridge)
    if asked is None:
        return None
    started = perf_counter()
    try:
        result = collection.at_once.search(asked.request)
    except NotYetApplied:
        return None
    seconds = perf_counter() - started
    if trace is not None:
        trace.searched(result.stats, seconds)
    return answer_of(context, collection, early, asked, result, seconds, warnings)


def is_short(
    context: Context, collection: Collection, early: Early, bridge: BridgeMode = "on"
) -> Query | None:
    """Return what is searched for where that is expected to be short, else None."""
    asked = early.asked
    if not isinstance(asked, Query) or strict_of(collection, context.rates) is not None:
        return None
    if bridge != "on":
        asked = asked._replace(request=bridging(asked.request, bridge))
    return asked if collection.cost(asked.request) <= INLINE_SECONDS else None


def answer_of(
    context: Context,
    collection: Collection,
    early: Early,
    asked: Query,
    result: SearchResult,
    seconds: float,
    warnings: Warnings,
) -> ScoredPoints | None:
    """Return the answer that a search of ``seconds`` has, None if it has none any more."""
    if collection.config is not early.config:
        return None  # names may mean vectors of another distance now than in what was read
    context.metrics.search(collection, asked.request, result.stats, seconds, len(result.ids))
    warn_of_reach(warnings, collection, result.stats)
    request, select, similarity = asked
    return to_points(result, select, request.with_vectors, similarity)


def bridging(request: SearchRequest, bridge: BridgeMode) -> SearchRequest:
    """Return the request with the mode that its caller asks for."""
    return request if bridge == "on" else request._replace(bridge=bridge)


def seconds_of(collection: Collection, asked: Sequence[Asked], bridge: BridgeMode) -> float:
    """Return roughly how many seconds a batch will take."""
    if any(isinstance(each, Tree) for each in asked):
        return math.inf
    return sum(
        collection.cost(bridging(each.request, bridge)) for each in asked if isinstance(each, Query)
    )
