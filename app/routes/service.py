"""The server itself: what it is, whether it lives, what it measured."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from time import perf_counter
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from palimpsest.app.access.guard import GuardedRoute
from palimpsest.app.access.table import wants_verbose
from palimpsest.app.announced import announced_version
from palimpsest.app.context import Context
from palimpsest.app.envelope import success
from palimpsest.app.exposition import expose
from palimpsest.app.health.readiness import READY, check, why_not_ready
from palimpsest.app.routes.collections import Shared, reply
from palimpsest.app.schemas.documents import Operation
from palimpsest.app.telemetry import TelemetryReply, describe_server

router = APIRouter(tags=["service"], route_class=GuardedRoute)

_NOT_FOUND = HTTPStatus.NOT_FOUND
PASSED = "healthz check passed"
_EITHER = {
    "content": {"application/json": {"schema": {"type": "object"}}, "text/plain": {"schema": {}}}
}
READY_TOO: dict[int | str, dict[str, Any]] = {
    200: _EITHER,
    503: {"description": "Not ready", **_EITHER},
}

REPLIES: dict[str, Operation] = {
    "telemetry": Operation(TelemetryReply),
    "get_issues": Operation(dict[str, list[str]]),
    "clear_issues": Operation(bool),
}


@router.get("/")
async def root(request: Request, response: Response, context: Shared) -> dict[str, str]:
    """Return the title and the version of Qdrant's API that is spoken, to older clients theirs."""
    response.headers["vary"] = "user-agent"
    version = announced_version(context.settings, request.headers.get("user-agent", ""))
    return {"title": context.settings.title, "version": version}


@router.get("/healthz", response_class=PlainTextResponse, operation_id="healthz")
@router.get("/livez", response_class=PlainTextResponse, operation_id="livez")
async def live() -> str:
    """Tell that the server answers; touches nothing."""
    return PASSED


@router.get("/readyz", response_class=PlainTextResponse, responses=READY_TOO)
async def ready(request: Request, context: Shared, verbose: str | None = None) -> Any:
    """Tell whether requests are to be sent here; with `verbose` every check, as JSON."""
    if wants_verbose(request.scope["query_string"]):
        checks = await asyncio.to_thread(check, context)
        body = success(checks, request.scope["started"], request.scope["warnings"])
        return Response(body, _status(checks["why"]), media_type="application/json")
    why = why_not_ready(context)
    return PlainTextResponse(READY if why is None else f"not ready: {why}", _status(why))


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(request: Request) -> Response:
    """Return all series as Prometheus text, or OpenMetrics when asked for."""
    context: Context = request.app.state.context
    if not context.settings.metrics:
        return PlainTextResponse("metrics are off: set PALIMPSEST_METRICS to true", _NOT_FOUND)
    started = perf_counter()
    text, content_type = expose(request.app.state.registry, request.headers.get("accept", ""))
    request.app.state.process.scrape_seconds = perf_counter() - started
    return Response(text, headers={"content-type": content_type})


@router.get("/telemetry")
def telemetry(request: Request, context: Shared) -> Response:
    """Return what is running, what it holds, and how long its replies took."""
    return reply(request, describe_server(context))


@router.get("/issues")
async def get_issues(request: Request) -> Response:
    """List what was found wrong with how the server is used: nothing is looked for."""
    return reply(request, {"issues": []})


@router.delete("/issues")
async def clear_issues(request: Request) -> Response:
    """Forget what was found wrong."""
    return reply(request, True)


def _status(why: str | None) -> int:
    return HTTPStatus.OK if why is None else HTTPStatus.SERVICE_UNAVAILABLE
