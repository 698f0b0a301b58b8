"""Backfill of a version: which points to embed anew next, and how far that is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from palimpsest.app.access.guard import Allowed, GuardedRoute
from palimpsest.app.access.rights import Level
from palimpsest.app.routes.collections import CheckedOnce, Shared, reply
from palimpsest.app.routes.versions import open_collection
from palimpsest.app.schemas.backfills import (
    BackfillParameters,
    BackfillReply,
    BackfillStatusReply,
    StatusParameters,
    to_backfill,
    to_status,
)
from palimpsest.app.schemas.documents import Operation
from palimpsest.app.work.client import client_of
from palimpsest.app.work.jobs import read_in
from palimpsest.index import BackfillPoint, BackfillStatus

router = APIRouter(
    prefix="/collections/{collection_name}/backfill", tags=["versions"], route_class=GuardedRoute
)

REPLIES: dict[str, Operation] = {
    "get_backfill": Operation(BackfillReply),
    "get_backfill_status": Operation(BackfillStatusReply),
}


@router.get("", dependencies=[CheckedOnce])
async def get_backfill(
    request: Request,
    context: Shared,
    access: Allowed,
    collection_name: str,
    parameters: Annotated[BackfillParameters, Query()],
) -> Response:
    """Return the points without a vector of a version that should be embedded next.

    By demand: points that answers use often, and that the adapter serves badly, come first; a
    share is drawn at random, so that what is measured on them stays true for all.
    """

    def read() -> list[BackfillPoint]:
        with open_collection(context, access, collection_name, Level.READ) as collection:
            return collection.versions.backfill(
                parameters.vector,
                parameters.version,
                limit=parameters.limit,
                order=parameters.order,
                random_share=parameters.random_share,
                with_payload=parameters.with_payload,
            )

    points = await read_in(context.share(collection_name), read, client_of(request.scope), None)
    return reply(request, to_backfill(points, parameters.with_payload))


@router.get("/status", dependencies=[CheckedOnce])
async def get_backfill_status(
    request: Request,
    context: Shared,
    access: Allowed,
    collection_name: str,
    parameters: Annotated[StatusParameters, Query()],
) -> Response:
    """Return how many points hold a version, how fast that grows, and what answers are worth."""

    def read() -> BackfillStatus:
        with open_collection(context, access, collection_name, Level.READ) as collection:
            return collection.versions.backfill_status(parameters.vector, parameters.version)

    status = await read_in(context.share(collection_name), read, client_of(request.scope), None)
    return reply(request, to_status(status))
