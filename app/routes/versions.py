"""Embedding versions of a collection's vectors: declare, activate, retire, consolidate, drop.

A change of versions is a change of what the collection declares, so it is ordered with the others
(``Context.declaring``). What takes seconds runs in a thread of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from palimpsest.app.access.guard import Allowed
from palimpsest.app.access.rights import Access, Level
from palimpsest.app.bodies import JsonRoute
from palimpsest.app.context import Context
from palimpsest.app.routes.collections import CheckedOnce, CheckedWhole, Shared, reply
from palimpsest.app.schemas.documents import Operation
from palimpsest.app.schemas.parameters import parse_parameters
from palimpsest.app.schemas.version_spaces import VersionBody, to_version
from palimpsest.app.schemas.versions import (
    ActivationBody,
    ConsolidationBody,
    ConsolidationReply,
    DropParameters,
    RetirementBody,
    VersionsReply,
    describe_reverse,
    to_versions_reply,
)
from palimpsest.index import Collection, StorageError

router = APIRouter(
    prefix="/collections/{collection_name}/versions", tags=["versions"], route_class=JsonRoute
)

REPLIES: dict[str, Operation] = {
    "list_versions": Operation(VersionsReply),
    "declare_version": Operation(bool, "timeout"),
    "activate_version": Operation(bool, "timeout"),
    "retire_version": Operation(bool, "timeout"),
    "consolidate_version": Operation(ConsolidationReply, "timeout"),
    "drop_version": Operation(bool),
}


@contextmanager
def open_collection(
    context: Context, access: Access, name: str, level: Level
) -> Iterator[Collection]:
    """Give a collection; what fails because it is dropped meanwhile fails as not found."""
    collection = access.collection(context.database, name, level)
    try:
        yield collection
    except (StorageError, OSError):
        context.refuse_dropped(collection)
        raise


@router.get("", dependencies=[CheckedWhole])
def list_versions(
    request: Request, context: Shared, access: Allowed, collection_name: str
) -> Response:
    """List all versions of all vectors but sparse ones: state, points, coverage, bytes a vector."""
    with open_collection(context, access, collection_name, Level.READ) as collection:
        return reply(request, to_versions_reply(collection.versions.states()))


@router.put("/{version}", dependencies=[CheckedWhole])
def declare_version(
    request: Request,
    context: Shared,
    access: Allowed,
    collection_name: str,
    version: str,
    body: VersionBody,
) -> Response:
    """Declare a version of a vector: another embedding model, whose vectors come by later writes.

    It is written and queried as `vector@version`, or as the collection `collection@version`; what
    clients of the plain names see stays as it is. The same again changes nothing, another
    declaration is refused.
    """
    with (
        open_collection(context, access, collection_name, Level.MANAGE) as collection,
        context.declaring,
    ):
        space, model, described = to_version(body, collection.config, version)
        collection.versions.declare(body.vector, version, space, model=model, declared=described)
    return reply(request, True)


@router.post("/{version}/activate", dependencies=[CheckedWhole])
def activate_version(
    request: Request,
    context: Shared,
    access: Allowed,
    collection_name: str,
    version: str,
    body: ActivationBody | None = None,
) -> Response:
    """Make a version what the bare vector name means; no vector is rewritten.

    The version that was active goes on serving its points, and can be activated again. Refused
    (409) when too few points hold it for what its adapters promise of the others, or no adapter
    leads to some, unless `force`. An adapter back, for clients of the version before and for a
    rollback, is fitted in the background (GET adapters shows it) where enough points hold both.
    """
    asked = body or ActivationBody()
    floors = asked.model_dump(include={"coverage_floor", "quality_floor"}, exclude_none=True)
    with (
        open_collection(context, access, collection_name, Level.MANAGE) as collection,
        context.declaring,
    ):
        collection.versions.activate(asked.vector, version, force=asked.force, **floors)
        for one in collection.versions.unreversed(asked.vector):
            text = describe_reverse(one.request, one.there, one.needed)
            request.scope["warnings"].add("out_of_reach", text)
    return reply(request, True)


@router.post("/{version}/retire", dependencies=[CheckedWhole])
def retire_version(
    request: Request,
    context: Shared,
    access: Allowed,
    collection_name: str,
    version: str,
    body: RetirementBody | None = None,
) -> Response:
    """Leave a version out of the searches of others; its own queries still find its rows.

    Refused (409) for the active version; and when points would be found no more, unless `force`.
    """
    asked = body or RetirementBody()
    with (
        open_collection(context, access, collection_name, Level.MANAGE) as collection,
        context.declaring,
    ):
        collection.versions.retire(asked.vector, version, force=asked.force)
    return reply(request, True)


@router.post("/{version}/consolidate", dependencies=[CheckedWhole])
async def consolidate_version(
    request: Request,
    context: Shared,
    access: Allowed,
    collection_name: str,
    version: str,
    body: ConsolidationBody,
) -> Response:
    """Map rows of another version into this one once, for points that lack it; needs the adapter.

    Such rows are labelled as mapped, for a map adds nothing that the old rows did not hold.
    """
    with open_collection(context, access, collection_name, Level.MANAGE) as collection:
        mapped = await context.at_length(
            lambda: collection.versions.consolidate(body.vector, body.rows, version),
            parse_parameters(request.scope["query_string"]).timeout,
        )
    return reply(request, ConsolidationReply(points=mapped))


@router.delete("/{version}", dependencies=[CheckedOnce])
def drop_version(
    request: Request,
    context: Shared,
    access: Allowed,
    collection_name: str,
    version: str,
    parameters: Annotated[DropParameters, Query()],
) -> Response:
    """Forget a version, its vectors and its adapters; points and other versions stay.

    Refused (409) for the active version; and when points would be left without a vector, unless
    `force`.
    """
    with (
        open_collection(context, access, collection_name, Level.MANAGE) as collection,
        context.declaring,
    ):
        collection.versions.drop(parameters.vector, version, force=parameters.force)
    return reply(request, True)
