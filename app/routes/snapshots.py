"""Snapshots: of one collection below it, of all below ``/snapshots``.

They are made and restored one after the other in a thread of their own. A request that waits is
answered when that is done, one that does not (``wait=false``) at once: what then fails is logged
and counted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import FileResponse

from palimpsest.app.access.guard import Allowed
from palimpsest.app.access.rights import Access, Level
from palimpsest.app.bodies import JsonRoute
from palimpsest.app.context import Context
from palimpsest.app.envelope import accepted
from palimpsest.app.errors import told
from palimpsest.app.routes.collections import CheckedOnce, Shared, reply
from palimpsest.app.schemas.documents import Operation
from palimpsest.app.schemas.snapshots import (
    Checksum,
    Priority,
    SnapshotDescription,
    SnapshotRecover,
    described,
)
from palimpsest.app.snapshots.fetching import fetch
from palimpsest.app.snapshots.locations import Kept, read_location
from palimpsest.app.snapshots.uploading import FIELD, receive
from palimpsest.app.wire.uploads import MULTIPART
from palimpsest.index import CollectionNotFound, Incoming, Snapshots


class FilesRoute(JsonRoute):
    """A route about files, which also puts collections in place of others."""

    by_collection = False


router = APIRouter(tags=["snapshots"], route_class=FilesRoute)
log = logging.getLogger("palimpsest")

C = "/collections/{collection_name}/snapshots"
TYPE = "application/octet-stream"
FILE_REPLY: dict[int | str, dict[str, Any]] = {
    200: {"content": {TYPE: {"schema": {"type": "string", "format": "binary"}}}}
}
ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "taken on: the request did not wait",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"status": {"const": "accepted"}, "time": {"type": "number"}},
                    "required": ["status", "time"],
                }
            }
        },
    }
}
FORM = {
    "requestBody": {
        "required": True,
        "content": {
            MULTIPART.decode(): {
                "schema": {
                    "type": "object",
                    "properties": {FIELD: {"type": "string", "format": "binary"}},
                    "required": [FIELD],
                }
            }
        },
    }
}

REPLIES: dict[str, Operation] = {
    "list_snapshots": Operation(list[SnapshotDescription]),
    "create_snapshot": Operation(SnapshotDescription),
    "delete_snapshot": Operation(bool),
    "recover_from_snapshot": Operation(bool),
    "recover_from_uploaded_snapshot": Operation(bool),
    "list_full_snapshots": Operation(list[SnapshotDescription]),
    "create_full_snapshot": Operation(SnapshotDescription),
    "delete_full_snapshot": Operation(bool),
}


class Asked:
    """What the query string of a change asks."""

    def __init__(self, wait: Annotated[bool, Query()] = True) -> None:
        self.wait = wait


Waits = Annotated[Asked, Depends(Asked)]


@router.get(C)
async def list_snapshots(request: Request, context: Shared, collection_name: str) -> Response:
    """List the snapshots of a collection, the oldest first; also of one that was deleted."""
    kept = await context.in_thread(lambda: _listed(context, collection_name))
    return reply(request, kept)


@router.post(C, dependencies=[CheckedOnce], responses=ACCEPTED)
async def create_snapshot(
    request: Request, context: Shared, access: Allowed, collection_name: str, asked: Waits
) -> Response:
    """Make a snapshot of a collection, while it is searched and written to."""
    access.collection(context.database, collection_name, Level.MANAGE)  # 404 at once
    create = partial(context.database.snapshots.create, collection_name)
    return await _carried_out(request, context, asked.wait, lambda: described(create()))


@router.put(f"{C}/recover", dependencies=[CheckedOnce], responses=ACCEPTED)
async def recover_from_snapshot(
    request: Request,
    context: Shared,
    access: Allowed,
    collection_name: str,
    asked: Waits,
    body: SnapshotRecover,
) -> Response:
    """Put a snapshot in the place of a collection, or make it one that does not exist.

    Nothing is changed unless all of it was found right. Until then the old one is searched.
    """
    name = _restored(context, access, collection_name)
    snapshots, settings = context.database.snapshots, context.settings
    place = read_location(body.location, name, snapshots.shelf.folder.path.absolute())
    if isinstance(place, Kept):
        # of another collection's snapshot the right to that is asked as well
        access.require_itself(Level.MANAGE, place.collection)
        path = await context.in_thread(lambda: snapshots.shelf.find(*place))

        def restore() -> bool:
            snapshots.recover(name, path, body.checksum)
            return True

        return await _carried_out(request, context, asked.wait, restore)
    access.require_everywhere(Level.MANAGE)  # the server asks others in its own name
    url, origins = place.url, settings.snapshot_origins

    def restore_fetched() -> bool:
        with snapshots.incoming() as file:
            fetch(url, body.api_key, origins, file, settings.snapshot_limit)
            _restore(snapshots, name, file, body.checksum, settings.snapshot_limit)
        return True

    return await _carried_out(request, context, asked.wait, restore_fetched)


@router.post(f"{C}/upload", dependencies=[CheckedOnce], responses=ACCEPTED, openapi_extra=FORM)
async def recover_from_uploaded_snapshot(
    request: Request,
    context: Shared,
    access: Allowed,
    collection_name: str,
    asked: Waits,
    priority: Priority | None = None,
    checksum: Checksum | None = None,
) -> Response:
    """Put an uploaded snapshot in the place of a collection, or make it one; as `recover` does."""
    name = _restored(context, access, collection_name)
    snapshots, most = context.database.snapshots, context.settings.snapshot_limit
    left = ExitStack()
    try:
        file = await context.in_thread(lambda: left.enter_context(snapshots.incoming()))
        await receive(request, file, most)
    except BaseException:
        # beside the event loop: to delete gigabytes takes a while
        await context.in_thread(left.close)
        raise

    def restore() -> bool:
        with left:
            _restore(snapshots, name, file, checksum, most)
        return True

    return await _carried_out(request, context, asked.wait, restore, unless=left.close)


@router.get(f"{C}/{{snapshot_name}}", response_class=FileResponse, responses=FILE_REPLY)
async def get_snapshot(context: Shared, collection_name: str, snapshot_name: str) -> Response:
    """Return a snapshot: a file, of which parts may be asked for (`Range`)."""
    find = context.database.snapshots.shelf.find
    name = _named(context, collection_name)
    return _file(await context.in_thread(lambda: find(name, snapshot_name)))


@router.delete(f"{C}/{{snapshot_name}}", dependencies=[CheckedOnce], responses=ACCEPTED)
async def delete_snapshot(
    request: Request, context: Shared, collection_name: str, snapshot_name: str, asked: Waits
) -> Response:
    """Delete a snapshot of a collection."""
    delete = context.database.snapshots.shelf.delete
    name = _named(context, collection_name)
    await context.in_thread(lambda: delete(name, snapshot_name))
    return reply(request, True) if asked.wait else _accepted(request)


@router.get("/snapshots")
async def list_full_snapshots(request: Request, context: Shared) -> Response:
    """List the snapshots of all collections together, the oldest first."""
    kept = await context.in_thread(lambda: context.database.snapshots.shelf.list(None))
    return reply(request, [described(one) for one in kept])


@router.post("/snapshots", dependencies=[CheckedOnce], responses=ACCEPTED)
async def create_full_snapshot(request: Request, context: Shared, asked: Waits) -> Response:
    """Make a snapshot of all collections and aliases; `palimpsest restore` reads it."""
    create = context.database.snapshots.create_whole
    return await _carried_out(request, context, asked.wait, lambda: described(create()))


@router.get("/snapshots/{snapshot_name}", response_class=FileResponse, responses=FILE_REPLY)
async def get_full_snapshot(context: Shared, snapshot_name: str) -> Response:
    """Return a snapshot of all collections: a file, of which parts may be asked for (`Range`)."""
    find = context.database.snapshots.shelf.find
    return _file(await context.in_thread(lambda: find(None, snapshot_name)))


@router.delete("/snapshots/{snapshot_name}", dependencies=[CheckedOnce], responses=ACCEPTED)
async def delete_full_snapshot(
    request: Request, context: Shared, snapshot_name: str, asked: Waits
) -> Response:
    """Delete a snapshot of all collections."""
    delete = context.database.snapshots.shelf.delete
    await context.in_thread(lambda: delete(None, snapshot_name))
    return reply(request, True) if asked.wait else _accepted(request)


async def _carried_out(
    request: Request,
    context: Context,
    wait: bool,
    work: Callable[[], Any],
    unless: Callable[[], None] = lambda: None,
) -> Response:
    """Have work done after other such work; return its result, or that it was accepted.

    Work goes on though its client leaves. ``unless`` is called when it could not even begin.
    """
    try:
        running = context.copies.submit(work)
    except BaseException:
        unless()
        raise
    if wait:
        return reply(request, await asyncio.shield(asyncio.wrap_future(running)))
    running.add_done_callback(_log_failure)
    return _accepted(request)


def _accepted(request: Request) -> Response:
    body = accepted(request.scope["started"])
    return Response(body, HTTPStatus.ACCEPTED, media_type="application/json")


def _log_failure(done: Future[Any]) -> None:
    error = None if done.cancelled() else done.exception()
    if isinstance(error, Exception):
        log.error("A snapshot that nobody waited for failed: %s", told(error))


def _restored(context: Context, access: Access, name: str) -> str:
    """Return what a restore is of: by an alias the collection that it means. Raises Refusal."""
    meant = context.database.meant(name)
    access.require_itself(Level.MANAGE, meant)
    return meant


def _restore(
    snapshots: Snapshots, name: str, file: Incoming, checksum: str | None, most: int
) -> None:
    file.close()
    snapshots.recover(name, file.path, checksum, most)


def _listed(context: Context, name: str) -> list[SnapshotDescription]:
    """Return the snapshots of a collection. Raises CollectionNotFound where there are neither."""
    called = _named(context, name)
    kept = context.database.snapshots.shelf.list(called)
    if not kept and called not in context.database.names():
        raise CollectionNotFound(name)
    return [described(one) for one in kept]


def _named(context: Context, name: str) -> str:
    """Return the name of a collection by one of its aliases, or of one that is gone."""
    return context.database.real_name(name)


def _file(path: Path) -> Response:
    return FileResponse(path, media_type=TYPE, filename=path.name)
