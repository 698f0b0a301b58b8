"""Collections: list, look at, create, change, delete.

What touches the disk runs in FastAPI's threads; what reads published state runs in the event loop.
"""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from fastapi import APIRouter, Depends, Request, Response

from palimpsest.app.access.guard import Allowed
from palimpsest.app.access.rights import Level
from palimpsest.app.bodies import JsonRoute
from palimpsest.app.context import Context
from palimpsest.app.envelope import success
from palimpsest.app.schemas.changes import carried, merge
from palimpsest.app.schemas.collections import CollectionBody, CollectionChange
from palimpsest.app.schemas.declarations import to_config
from palimpsest.app.schemas.documents import Operation
from palimpsest.app.schemas.information import (
    CollectionReply,
    describe_collection,
    describe_damaged,
)
from palimpsest.app.schemas.parameters import (
    check_own_parameters,
    parse_parameters,
    refuse_repeated,
)
from palimpsest.index import BeingReplaced, CollectionNotFound, NotFound, StorageError

router = APIRouter(prefix="/collections", tags=["collections"], route_class=JsonRoute)


class NameReply(TypedDict):
    """One collection."""

    name: str


class NamesReply(TypedDict):
    """All collections, by name."""

    collections: list[NameReply]


class ExistsReply(TypedDict):
    """Whether there is such a collection."""

    exists: bool


REPLIES: dict[str, Operation] = {
    "list_collections": Operation(NamesReply),
    "get_collection": Operation(CollectionReply),
    "collection_exists": Operation(ExistsReply),
    "create_collection": Operation(bool, "timeout"),
    "update_collection": Operation(bool, "timeout"),
    "delete_collection": Operation(bool, "timeout"),
}


def shared(request: Request) -> Context:
    """Return what the routes of this server share."""
    context: Context = request.app.state.context
    return context


def check_parameters(request: Request) -> None:
    """Refuse a query string that cannot be read."""
    parse_parameters(request.scope["query_string"])


def check_own(request: Request) -> None:
    """Refuse a query string of which something would be ignored."""
    check_own_parameters(request.scope["query_string"])


def check_repeated(request: Request) -> None:
    """Refuse a query string that gives a parameter twice."""
    refuse_repeated([name for name, _ in request.query_params.multi_items()])


Shared = Annotated[Context, Depends(shared)]
Checked = Depends(check_parameters)
CheckedWhole = Depends(check_own)
CheckedOnce = Depends(check_repeated)


def reply(request: Request, result: Any) -> Response:
    """Return ``result`` in the envelope of every successful reply, beside the warnings so far."""
    body = success(result, request.scope["started"], request.scope["warnings"])
    return Response(body, media_type="application/json")


@router.get("")
async def list_collections(request: Request, context: Shared, access: Allowed) -> Response:
    """List the names of all collections that may be read."""
    names = access.visible(context.database.names())
    return reply(request, {"collections": [{"name": name} for name in names]})


@router.get("/{collection_name}")
async def get_collection(
    request: Request, context: Shared, access: Allowed, collection_name: str
) -> Response:
    """Return a collection's state, counts and configuration; of a damaged one what can be read."""
    try:
        collection = access.collection(context.database, collection_name, Level.READ)
    except BeingReplaced:
        raise  # it is not damaged
    except StorageError:
        left = await context.in_thread(lambda: context.database.damaged_one(collection_name))
        if left is None:
            raise
        return reply(request, describe_damaged(left))
    try:
        return reply(request, describe_collection(collection))
    except FileNotFoundError:
        context.refuse_dropped(collection)
        raise


@router.get("/{collection_name}/exists")
async def collection_exists(
    request: Request, context: Shared, access: Allowed, collection_name: str
) -> Response:
    """Tell whether a collection exists, by its name, an alias, or as `collection@version`."""
    try:
        access.collection(context.database, collection_name, Level.READ)
    except NotFound:
        return reply(request, {"exists": False})
    except StorageError:  # damaged: it is there all the same
        pass
    return reply(request, {"exists": True})


@router.put("/{collection_name}", dependencies=[Checked])
def create_collection(
    request: Request,
    context: Shared,
    access: Allowed,
    collection_name: str,
    body: CollectionBody | None = None,
) -> Response:
    """Create a collection."""
    access.require_itself(Level.MANAGE, collection_name)
    context.database.create(collection_name, to_config(body or CollectionBody()))
    return reply(request, True)


@router.patch("/{collection_name}", dependencies=[Checked])
def update_collection(
    request: Request,
    context: Shared,
    access: Allowed,
    collection_name: str,
    body: CollectionChange | None = None,
) -> Response:
    """Change a collection's parameters; vectors keep their sizes and distances."""
    collection = access.collection(context.database, collection_name, Level.MANAGE)
    if body is not None:
        with context.declaring:
            try:
                held = collection.config
                before = to_config(merge(held.declared, CollectionChange()))
                after = to_config(merge(held.declared, body))
                collection.reconfigure(carried(held, before, after))
            except StorageError:
                context.refuse_dropped(collection)
                raise
    return reply(request, True)


@router.delete("/{collection_name}", dependencies=[Checked])
def delete_collection(
    request: Request, context: Shared, access: Allowed, collection_name: str
) -> Response:
    """Delete a collection, its files and its aliases; false when there was none."""
    access.require_itself(Level.MANAGE, collection_name)
    try:
        dropped = context.database.drop(collection_name)
    except CollectionNotFound:
        return reply(request, False)
    context.rates.forget(collection_name)
    return reply(request, dropped)
