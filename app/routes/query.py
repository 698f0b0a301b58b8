"""Searches of one collection.

A search that the engine expects to be short runs in the event loop: handing it to a thread and back
costs about as much as the search itself.
"""

from __future__ import annotations

from time import perf_counter

import msgspec
import numpy as np

from app.context import Call, Context
from app.schemas.parameters import parse_parameters
from app.schemas.query import (
    Query,
    QueryBatchBody,
    ScoredPoints,
    decode_query,
    to_points,
    to_query,
)
from index import Collection, NotYetApplied, SearchRequest, SearchStats, at_once

INLINE_SECONDS = 0.001  # expected; above it a search runs beside the event loop

_BATCH = msgspec.json.Decoder(QueryBatchBody)


async def query(call: Call) -> ScoredPoints:
    """Return the points nearest to a vector, or to a stored point."""
    timeout = parse_parameters(call.query_string).timeout
    if call.has_small_body:
        found = query_now(call.context, call.collection, call.body)
        if found is not None:
            return found

    def search() -> tuple[SearchStats, float, ScoredPoints]:
        asked = decode_query(call.body, call.collection.config)
        started = perf_counter()
        result = call.collection.search(asked.request)
        return result.stats, perf_counter() - started, to_points(asked, result)

    stats, seconds, points = await call.context.in_thread(search, timeout)
    call.context.metrics.search(stats, seconds)
    return points


def query_now(context: Context, collection: Collection, body: bytes) -> ScoredPoints | None:
    """Return the answer to a query that is expected to be short, None for any other."""
    asked = decode_query(body, collection.config)
    if collection.cost(asked.request) > INLINE_SECONDS:
        return None
    started = perf_counter()
    if _reads_store(asked.request):
        try:
            with at_once():
                result = collection.search(asked.request)
        except NotYetApplied:
            return None
    else:
        result = collection.search(asked.request)
    context.metrics.search(result.stats, perf_counter() - started)
    return to_points(asked, result)


def _reads_store(request: SearchRequest) -> bool:
    """Tell whether a search may have to wait for a write that is being applied."""
    attaches = bool(request.with_payload or request.with_vectors)
    return attaches or not isinstance(request.query, np.ndarray)


async def query_batch(call: Call) -> list[ScoredPoints]:
    """Answer several queries on one state of the collection."""
    timeout = parse_parameters(call.query_string).timeout
    config = call.collection.config

    def decode() -> list[Query]:
        return [to_query(each, config) for each in _BATCH.decode(call.body).searches]

    asked = await call.decoded(decode)
    requests = [each.request for each in asked]

    def search() -> tuple[list[SearchStats], list[ScoredPoints]]:
        results = call.collection.search_batch(requests)
        points = [to_points(*pair) for pair in zip(asked, results, strict=True)]
        return [result.stats for result in results], points

    short = sum(map(call.collection.cost, requests)) <= INLINE_SECONDS
    every, points = await call.context.run(search, short=short, timeout=timeout)
    for stats in every:
        call.context.metrics.search(stats, sum(stats.seconds.values()))
    return points
