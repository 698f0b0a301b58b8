"""The server itself: what it is, whether it lives, what it measured."""

from __future__ import annotations

import shutil
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from app.routes.collections import Shared, reply

router = APIRouter(tags=["service"])

PASSED = "healthz check passed"
READY = "all shards are ready"


@router.get("/")
async def root(context: Shared) -> dict[str, str]:
    """Return the title and the version of Qdrant's API that is spoken."""
    return {"title": context.settings.title, "version": context.settings.version}


@router.get("/healthz", response_class=PlainTextResponse)
@router.get("/livez", response_class=PlainTextResponse)
async def live() -> str:
    """Tell that the server answers; touches nothing."""
    return PASSED


@router.get("/readyz", response_class=PlainTextResponse)
async def ready(request: Request, context: Shared, verbose: bool = False) -> Any:
    """Tell that every collection is open; with ``verbose`` what was checked.

    A damaged collection is reported by ``verbose`` and does not stop the others from being served.
    """
    if not verbose:
        return READY
    settings = context.settings
    checks = {
        "collections": len(context.database.names()),
        "damaged": dict(context.database.damaged()),
        "disk_free_bytes": shutil.disk_usage(settings.data).free,
    }
    return reply(request, checks)


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(request: Request) -> Response:
    """Return all series as Prometheus text, or OpenMetrics when asked for."""
    registry: CollectorRegistry = request.app.state.registry
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"content-type": content_type})
