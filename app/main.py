"""Assembly of the server: one database, the routes, and the layer around them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anyio.lowlevel import checkpoint
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from palimpsest.app.access.documented import describe_access
from palimpsest.app.collection_metrics import OpenOnes
from palimpsest.app.context import Context
from palimpsest.app.documentation import describe
from palimpsest.app.edge import Edge
from palimpsest.app.embedding.probing import Probing
from palimpsest.app.embedding_metrics import EmbedderSeries
from palimpsest.app.errors import Refusal, answer
from palimpsest.app.health.gauges import HealthGauges
from palimpsest.app.metrics import build_registry
from palimpsest.app.process_metrics import ProcessGauges
from palimpsest.app.recall_metrics import SampleDurations
from palimpsest.app.release import RELEASE
from palimpsest.app.routes import (
    adapters,
    aliases,
    backfill,
    cluster,
    collections,
    docs,
    service,
    snapshots,
    unsupported,
    vectors,
    versions,
)
from palimpsest.app.routes.table import POINT_ROUTES
from palimpsest.app.settings import Settings
from palimpsest.app.snapshot_metrics import SnapshotSeries
from palimpsest.app.wire.compression import LEVEL
from palimpsest.index import PalimpsestError

DOCUMENTED = (
    *(aliases, service, cluster, collections, vectors, versions, adapters, backfill),
    snapshots,
)


def create_app(settings: Settings, *, opens: bool = True) -> Edge:
    """Return a server of ``settings.data``; its lifespan opens and closes the database.

    Args:
        settings: of the server.
        opens: whether the lifespan opens the database, or ``app.health.serving`` does, later.

    Raises:
        Misconfigured: settings contradict each other, or what they name cannot be used.
    """
    context = Context(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if opens:
            context.open()
        context.reloading.listen(asyncio.get_running_loop())
        probing = Probing(
            context.embedders.by_name,
            settings.data,
            lambda: hasattr(context, "database"),
            context.reloading,
        )
        watchers = (context.gate, app.state.process, probing)
        watching = [asyncio.create_task(one.watch()) for one in watchers]
        await checkpoint()  # imports what anyio needs for it, and for threads
        try:
            yield
        finally:
            for one in watching:
                one.cancel()
            await context.embedders.close()
            context.close()
            if context.tracing is not None:
                context.tracing.close()  # last: what was done before is done whoever waits for it
            gc.unfreeze()

    app = FastAPI(
        title=settings.title,
        version=RELEASE,
        lifespan=lifespan,
        docs_url=None,  # see ``app.routes.docs``
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.context = context
    open_ones = OpenOnes(context.collections, context.damaged, context.snapshot_bytes)
    registry = app.state.registry = build_registry(context.metrics, open_ones)
    process = app.state.process = ProcessGauges(context.thread_load)
    gate = context.gate
    for counts in (
        context.reloading.counts,
        gate.failed,
        gate.rates.limited,
        context.connections,
        context.embedders.texts,
        context.embedders.tokens,
        context.embedders.failures,
    ):
        registry.register(counts)
    durations = SampleDurations(context.sample_durations)
    snapshots_kept = SnapshotSeries(
        lambda: getattr(context, "database", None), context.metrics.most_collections
    )
    embedders = EmbedderSeries(context.embedders.by_name)
    of_server = (process, HealthGauges(context), context.load, embedders)
    for gauges in (*of_server, durations, snapshots_kept):
        registry.register(gauges)
    # FastAPI takes the first route that fits.
    # Fixed paths stand before those with open parts.
    for each in (*DOCUMENTED, docs, unsupported):
        app.include_router(each.router)
    for kind in (PalimpsestError, Refusal, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answer)
    app.add_middleware(GZipMiddleware, minimum_size=settings.gzip_floor, compresslevel=LEVEL)
    _document(app, context.gate.is_shut)
    return Edge(app, context, {where: route.endpoint for where, route in POINT_ROUTES.items()})


def _document(app: FastAPI, is_shut: bool) -> None:
    """Add what FastAPI does not know to the OpenAPI document."""
    generate = app.openapi
    operations = {
        name: operation for each in DOCUMENTED for name, operation in each.REPLIES.items()
    }

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = describe(generate(), POINT_ROUTES, operations)
            app.openapi_schema = describe_access(document, is_shut)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
