"""What is in a collection at large: counts of payload values, distances among sampled points."""

from __future__ import annotations

from time import perf_counter

import msgspec

from palimpsest.app.context import Call
from palimpsest.app.costs import cost_of_matrix, cost_of_reading
from palimpsest.app.envelope import Explained
from palimpsest.app.routes.readings import consistent
from palimpsest.app.schemas.analysis import (
    FacetBody,
    FacetHit,
    FacetReply,
    MatrixBody,
    OffsetsReply,
    PairsReply,
    to_facet,
    to_matrix,
    to_offsets,
    to_pairs,
)
from palimpsest.app.schemas.explanations import explain
from palimpsest.app.schemas.parameters import parse_parameters
from palimpsest.index import Neighbours, SearchStats, count_values, neighbours

_FACET = msgspec.json.Decoder(FacetBody)
_MATRIX = msgspec.json.Decoder(MatrixBody)


async def facet(call: Call) -> FacetReply | Explained:
    """Count the points that have each value of a payload key; always exactly."""
    timeout = parse_parameters(call.query_string).timeout

    def count() -> tuple[SearchStats, FacetReply]:
        asked = call.read(FacetBody, lambda text: to_facet(_FACET.decode(text)))
        strict = call.strict()
        if strict is not None:
            strict.exact(asked.exact)
            cost = cost_of_reading(asked.filter)
            strict.read(cost=cost, limit=asked.limit, timeout=timeout, filter=asked.filter)
        reading = call.collection.reading(call.knobs.bridge)
        started = perf_counter()
        counts = count_values(reading, asked.path, asked.filter, asked.limit)
        reading.stats.seconds["count"] = perf_counter() - started
        return reading.stats, FacetReply([FacetHit(value, points) for value, points in counts])

    stats, found = await call.in_thread(count, timeout)
    return Explained(found, explain(stats, call.collection)) if call.knobs.explain else found


async def matrix_pairs(call: Call) -> PairsReply:
    """Return the closest sampled points of every sampled point, as pairs."""
    return to_pairs(await _matrix(call))


async def matrix_offsets(call: Call) -> OffsetsReply:
    """Return the closest sampled points of every sampled point, as coordinates."""
    return to_offsets(await _matrix(call))


async def _matrix(call: Call) -> Neighbours:
    timeout = parse_parameters(call.query_string).timeout

    def search() -> Neighbours:
        request = call.read(MatrixBody, lambda text: to_matrix(_MATRIX.decode(text)))
        strict = call.strict()
        if strict is not None:
            strict.read(
                cost=cost_of_matrix(request, call.collection.count()),
                limit=request.sample * request.limit,
                timeout=timeout,
                filter=request.filter,
            )
        _, found = consistent(
            call.context,
            call.access,
            call.collection,
            lambda readings: neighbours(readings.own, request),
            lambda found: True,
            call.knobs.bridge,
        )
        return found

    return await call.in_thread(search, timeout)
