"""Vector names of a collection, added and dropped at run time."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from palimpsest.app.access.guard import Allowed
from palimpsest.app.access.rights import Level
from palimpsest.app.bodies import JsonRoute
from palimpsest.app.errors import wrong_input
from palimpsest.app.routes.collections import Checked, Shared, reply
from palimpsest.app.schemas.changes import is_one, with_name, without_name
from palimpsest.app.schemas.declarations import to_vector
from palimpsest.app.schemas.documents import Operation
from palimpsest.app.schemas.parameters import parse_parameters
from palimpsest.app.schemas.records import UpdateReply
from palimpsest.app.schemas.spaces import VectorName
from palimpsest.index import (
    Collection,
    StorageError,
    UnknownVectorName,
    check_vector_name,
)

router = APIRouter(
    prefix="/collections/{collection_name}/vectors", tags=["collections"], route_class=JsonRoute
)

REPLIES: dict[str, Operation] = {
    "add_vector_name": Operation(UpdateReply, "write"),
    "drop_vector_name": Operation(UpdateReply, "write"),
}


@router.put("/{vector_name}", dependencies=[Checked])
def add_vector_name(
    request: Request,
    context: Shared,
    access: Allowed,
    collection_name: str,
    vector_name: str,
    body: VectorName,
) -> Response:
    """Declare a further vector name; points get such vectors by later writes.

    The same declaration again changes nothing; a different one is refused.
    """
    collection = access.collection(context.database, collection_name, Level.MANAGE)
    check_vector_name(vector_name)
    with context.declaring:
        vector = to_vector(body, vector_name, collection.config)
        held = collection.config.vectors.get(vector_name)
        if held is None:
            try:
                collection.add_vector(
                    vector_name, vector, lambda old: with_name(old, vector_name, body)
                )
            except StorageError:
                context.refuse_dropped(collection)
                raise
        elif held.space != vector.space:
            raise wrong_input(
                f"Vector {vector_name} already exists with a different configuration: "
                "drop it first, or choose another name"
            )
    return _done(request, collection)


@router.delete("/{vector_name}", dependencies=[Checked])
def drop_vector_name(
    request: Request, context: Shared, access: Allowed, collection_name: str, vector_name: str
) -> Response:
    """Forget a vector name and every vector of it; points and payloads stay."""
    collection = access.collection(context.database, collection_name, Level.MANAGE)
    with context.declaring:
        if not vector_name and is_one(collection.config.declared.get("vectors") or {}):
            raise wrong_input(
                "Cannot delete the unnamed vector when it is the only dense vector in the "
                "collection"
            )
        try:
            collection.drop_vector(vector_name, lambda old: without_name(old, vector_name))
        except UnknownVectorName:
            pass  # dropped before
        except StorageError:
            context.refuse_dropped(collection)
            raise
    return _done(request, collection)


def _done(request: Request, collection: Collection) -> Response:
    wait = parse_parameters(request.scope["query_string"]).wait
    status = UpdateReply(collection.state().seq, "completed" if wait else "acknowledged")
    return reply(request, status)
