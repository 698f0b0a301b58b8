"""How much of what is closest the searches of a collection find, measured when it is asked.

It takes seconds of a core, in a thread of its own: one at a time in a server, the next one is told
to come again. It ends with its time, and when its client leaves.
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

import msgspec

from palimpsest.app.context import Call
from palimpsest.app.costs import cost_of_recall
from palimpsest.app.errors import Refusal
from palimpsest.app.schemas.parameters import check_own_parameters, parse_parameters
from palimpsest.app.schemas.recall import (
    RecallBody,
    RecallReport,
    parse_recall,
    to_recall,
    to_report,
)
from palimpsest.app.work.jobs import read_in
from palimpsest.app.work.load import AGAIN
from palimpsest.index import RECALL_SECONDS, RecallRequest

_BODY = msgspec.json.Decoder(RecallBody)
_SHARE = 0.8  # of a request's time-out: what was measured by then is still to be sent


async def recall(call: Call) -> RecallReport:
    """Measure recall by rows drawn at random and by what was asked of late.

    Each query is answered as it is by default and with every row looked at; what of the closest
    points both have is its recall. It takes ten seconds at most, or four fifths of `timeout`.
    """
    return await _measured(call, parse_recall(call.query_string))


async def measure_recall(call: Call) -> RecallReport:
    """Measure recall among points that pass a filter, by queries of one's own, or by an `hnsw_ef`.

    Without `queries` those of `GET recall` are asked.
    """
    check_own_parameters(call.query_string)
    timeout = parse_parameters(call.query_string).timeout
    config = call.collection.config
    asked: RecallRequest = await call.decoded(
        lambda: call.read(RecallBody, lambda text: to_recall(_BODY.decode(text), config)), timeout
    )
    return await _measured(call, asked)


async def _measured(call: Call, asked: RecallRequest) -> RecallReport:
    context, timeout = call.context, parse_parameters(call.query_string).timeout
    strict = call.strict()
    if strict is not None:
        strict.search(ef=asked.ef, exact=True, oversampling=asked.oversampling)
        cost = cost_of_recall(asked, call.collection.count())
        strict.read(cost=cost, limit=asked.k, timeout=timeout, filter=asked.filter)
    if context.measures_recall:
        raise Refusal(
            HTTPStatus.TOO_MANY_REQUESTS,
            "Too many requests: recall is being measured, which is done once at a time: retry "
            "after it, it takes about ten seconds",
            AGAIN,
        )
    seconds = RECALL_SECONDS if timeout is None else _SHARE * timeout
    asked = replace(asked, seconds=seconds, bridge=call.knobs.bridge)
    context.measures_recall = True
    try:
        found = await read_in(
            context.measuring,
            lambda: call.collection.measure_recall(asked),
            call.client,
            call.left(timeout),
        )
    finally:
        context.measures_recall = False
    return to_report(found, asked)
