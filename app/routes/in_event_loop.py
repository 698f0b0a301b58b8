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
from palimpsest.app.schemas.unresolved import Unresolved
from palimpsest.app.strict import strict_of
from palimpsest.app.warnings import Warnings
from palimpsest.index import (
    BridgeMode,
    Collection,
    CollectionConfig,
    NotYetApplied,
    SearchRequest,
)

INLINE_SECONDS = 0.001  # expected; above it a search runs beside the event loop


Decode: TypeAlias = Callable[[bytes, CollectionConfig], Asked | Unresolved[Asked]]


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
) -> ScoredPoints | None:
    """Return the answer to a query that is expected to be short, None for any other.

    ``warnings`` takes what is to be said of the answer; it is only added to when there is one.
    """
    config, asked = early
    if not isinstance(asked, Query) or strict_of(collection, context.rates) is not None:
        return None  # a tree, or one whose vectors are to be made first
    request = bridging(asked.request, bridge)
    if collection.cost(request) > INLINE_SECONDS:
        return None
    started = perf_counter()
    try:
        result = collection.at_once.search(request)
    except NotYetApplied:
        return None
    if collection.config is not config:
        return None  # names may mean vectors of another distance now than in what was read
    context.metrics.search(result.stats, perf_counter() - started, collection)
    warn_of_reach(warnings, collection, result.stats)
    return to_points(result, asked.select, request.with_vectors, asked.similarity)


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
