"""Aliases: other names of collections, usable wherever a collection's name is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

from fastapi import APIRouter, Request, Response

from app.bodies import JsonRoute
from app.routes.collections import Checked, Shared, reply
from app.schemas.aliases import AliasesBody, to_changes
from app.schemas.documents import Operation

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
def update_aliases(request: Request, context: Shared, body: AliasesBody) -> Response:
    """Create, delete and rename aliases: all actions in order, or none of them."""
    context.database.change_aliases(to_changes(body))
    return reply(request, True)


@router.get("/aliases")
async def list_aliases(request: Request, context: Shared) -> Response:
    """List all aliases."""
    return reply(request, _listed(context.database.aliases().items()))


@router.get("/collections/{collection_name}/aliases")
async def list_collection_aliases(
    request: Request, context: Shared, collection_name: str
) -> Response:
    """List the aliases of one collection; of one that does not exist there are none."""
    aliases = context.database.aliases().items()
    return reply(request, _listed(each for each in aliases if each[1] == collection_name))


def _listed(aliases: Iterable[tuple[str, str]]) -> AliasesReply:
    return {
        "aliases": [
            {"alias_name": alias, "collection_name": collection} for alias, collection in aliases
        ]
    }
