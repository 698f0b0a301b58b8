"""Aliases: other names of collections, usable wherever a collection's name is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

from fastapi import APIRouter, Request, Response

from palimpsest.app.access.aliases import require_aliases
from palimpsest.app.access.guard import Allowed
from palimpsest.app.access.rights import Access, Level
from palimpsest.app.bodies import JsonRoute
from palimpsest.app.context import Context
from palimpsest.app.routes.collections import Checked, Shared, reply
from palimpsest.app.schemas.aliases import AliasesBody, to_changes
from palimpsest.app.schemas.documents import Operation

router = APIRouter(tags=["aliases"], route_class=JsonRoute)


class AliasReply(TypedDict):
    """One alias, and what it means."""

    alias_name: str
    collection_name: str


class AliasesReply(TypedDict):
    """Aliases, by name."""

    aliases: list[AliasReply]


REPLIES: dict[str, Operation] = {
    "update_aliases": Operation(bool, "timeout"),
    "list_aliases": Operation(AliasesReply),
    "list_collection_aliases": Operation(AliasesReply),
}


@router.post("/collections/aliases", dependencies=[Checked])
def update_aliases(
    request: Request, context: Shared, access: Allowed, body: AliasesBody
) -> Response:
    """Create, delete and rename aliases: all actions in order, or none of them."""
    changes = to_changes(body)
    with context.declaring:  # what aliases mean stays as it was checked
        require_aliases(access, context.database, changes)
        context.database.change_aliases(changes)
    return reply(request, True)


@router.get("/aliases")
async def list_aliases(request: Request, context: Shared, access: Allowed) -> Response:
    """List all aliases of collections that may be read."""
    return reply(request, _listed(_visible(context, access)))


@router.get("/collections/{collection_name}/aliases")
async def list_collection_aliases(
    request: Request, context: Shared, access: Allowed, collection_name: str
) -> Response:
    """List the aliases of one collection; of one that does not exist there are none."""
    access.require(context.database, collection_name, Level.READ)
    aliases = _visible(context, access)
    return reply(request, _listed(each for each in aliases if each[1] == collection_name))


def _visible(context: Context, access: Access) -> list[tuple[str, str]]:
    aliases = context.database.aliases()
    seen = set(access.visible(aliases.values()))
    return [(alias, name) for alias, name in aliases.items() if name in seen]


def _listed(aliases: Iterable[tuple[str, str]]) -> AliasesReply:
    return {
        "aliases": [
            {"alias_name": alias, "collection_name": collection} for alias, collection in aliases
        ]
    }
