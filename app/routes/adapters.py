"""Adapters between versions: fit, list, drop; and comparisons of two versions.

Bodies with many vectors come by point routes, which decode large ones beside the event loop. Both
fitting and comparing run in the thread for long work: one at a time, beside all searches.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from time import perf_counter
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from palimpsest.app.access.guard import Allowed
from palimpsest.app.access.rights import Level
from palimpsest.app.bodies import JsonRoute
from palimpsest.app.context import Call
from palimpsest.app.errors import Refusal
from palimpsest.app.routes.collections import CheckedOnce, CheckedWhole, Shared, reply
from palimpsest.app.routes.versions import open_collection
from palimpsest.app.schemas.adapters import (
    AdapterBody,
    AdapterReply,
    AdaptersReply,
    to_adapter_reply,
    to_adapters_reply,
    to_fit,
)
from palimpsest.app.schemas.comparisons import CompareBody, to_comparison
from palimpsest.app.schemas.documents import Operation
from palimpsest.app.schemas.parameters import check_own_parameters, parse_parameters
from palimpsest.app.schemas.versions import VectorParameters
from palimpsest.index import ChainRequest

router = APIRouter(
    prefix="/collections/{collection_name}/adapters", tags=["versions"], route_class=JsonRoute
)

REPLIES: dict[str, Operation] = {
    "list_adapters": Operation(AdaptersReply),
    "drop_adapter": Operation(bool),
}

_FIT = msgspec.json.Decoder(AdapterBody)
_COMPARE = msgspec.json.Decoder(CompareBody)


async def fit_adapter(call: Call) -> AdapterReply:
    """Fit an adapter that makes rows of one version searchable by queries of another.

    The reply comes with the report once it is fitted; meanwhile, and when the request has run into
    its `timeout`, the list of adapters tells the progress. One that is there is replaced. The kind
    `auto` is answered for by the linear kinds; those that take longer are tried in the background.
    """
    check_own_parameters(call.query_string)
    timeout = parse_parameters(call.query_string).timeout
    config = call.collection.config
    asked = await call.begun(
        lambda: call.read(AdapterBody, lambda text: to_fit(_FIT.decode(text), config)), timeout
    )

    loop, bridges = asyncio.get_running_loop(), call.context.metrics.bridges
    begun = False

    def fit() -> AdapterReply:
        nonlocal begun
        begun, started = True, perf_counter()
        fitted = call.collection.versions.fit(asked)
        loop.call_soon_threadsafe(bridges.fitted, perf_counter() - started)
        return to_adapter_reply(fitted)

    try:
        return await call.context.at_length(fit, call.left(timeout))
    except TimeoutError:
        what = "goes on, GET adapters tells how far it is"
        if not begun:
            what = "was not begun, as other long work came before it: ask again"
        raise Refusal(
            HTTPStatus.REQUEST_TIMEOUT, f"Timeout: the fit took longer than `timeout`; it {what}"
        ) from None


async def compare_versions(call: Call) -> dict[str, Any]:
    """Compare the answers of versions to given queries, or to points, without serving them.

    With `relevant` every way of asking is judged, among all points that the adapter was not fitted
    on: the old version, bridged, both queries; and, where points hold both versions, the new one
    and what it ranks. `counted` says which queries counted, `over_old` what each way gains, and the
    verdict, kept with the adapter's report, goes by the intervals. Without judgements: overlap with
    the new version's answers, the matrix of query versions against row versions with its
    compatibility scores, and how much of the gain is captured.

    With `versions`, or `relevant_by`, all of them are compared among the points that hold them all:
    the matrix, AC (in how many pairs newer queries over older rows beat the older version), AM (the
    mean of old rows by new queries), and a verdict per step.
    """
    check_own_parameters(call.query_string)
    timeout = parse_parameters(call.query_string).timeout
    config = call.collection.config
    asked = await call.decoded(
        lambda: call.read(CompareBody, lambda text: to_comparison(_COMPARE.decode(text), config)),
        timeout,
    )
    versions = call.collection.versions
    if isinstance(asked, ChainRequest):
        return await call.read_at_length(lambda: versions.compare_chain(asked), timeout)
    return await call.read_at_length(lambda: versions.compare(asked), timeout)


@router.get("", dependencies=[CheckedWhole])
def list_adapters(
    request: Request, context: Shared, access: Allowed, collection_name: str
) -> Response:
    """List all adapters, also those being fitted: pairs, quality with its interval, verdict."""
    with open_collection(context, access, collection_name, Level.READ) as collection:
        return reply(request, to_adapters_reply(collection.versions.adapters()))


@router.delete("/{rows}/{queries}", dependencies=[CheckedOnce])
def drop_adapter(
    request: Request,
    context: Shared,
    access: Allowed,
    collection_name: str,
    rows: str,
    queries: str,
    parameters: Annotated[VectorParameters, Query()],
) -> Response:
    """Forget an adapter: rows of one version are then not found by queries of the other."""
    with open_collection(context, access, collection_name, Level.MANAGE) as collection:
        collection.versions.drop_adapter(parameters.vector, rows, queries)
    return reply(request, True)
