"""Searches of one collection.

A search that the engine expects to be short runs in the event loop: handing it to a thread and back
costs about as much as the search itself.
"""

from __future__ import annotations

from time import perf_counter

import msgspec

from app.context import Call
from app.schemas.parameters import parse_parameters
from app.schemas.query import QueryBatchBody, QueryBody, encode_result, to_query

INLINE_SECONDS = 0.001  # expected; above it a search runs beside the event loop

_QUERY = msgspec.json.Decoder(QueryBody)
_BATCH = msgspec.json.Decoder(QueryBatchBody)


async def query(call: Call) -> bytes:
    """Return the points nearest to a vector, or to a stored point."""
    asked = to_query(_QUERY.decode(call.body), call.collection.config)
    timeout = parse_parameters(call.query_string).timeout if call.query_string else None
    request = asked.request
    started = perf_counter()
    if call.collection.cost(request) <= INLINE_SECONDS:
        result = call.collection.search(request)
    else:
        result = await call.context.in_thread(lambda: call.collection.search(request), timeout)
    call.context.metrics.search(result.stats, perf_counter() - started)
    return encode_result(asked, result)


async def query_batch(call: Call) -> bytes:
    """Answer several queries on one state of the collection."""
    timeout = parse_parameters(call.query_string).timeout
    config = call.collection.config
    asked = [to_query(each, config) for each in _BATCH.decode(call.body).searches]
    requests = [each.request for each in asked]
    if sum(map(call.collection.cost, requests)) <= INLINE_SECONDS:
        results = call.collection.search_batch(requests)
    else:
        results = await call.context.in_thread(
            lambda: call.collection.search_batch(requests), timeout
        )
    for result in results:
        call.context.metrics.search(result.stats, sum(result.stats.seconds.values()))
    answers = [encode_result(*pair) for pair in zip(asked, results, strict=True)]
    return b"[" + b",".join(answers) + b"]"
