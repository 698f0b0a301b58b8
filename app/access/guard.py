"""The check that stands before FastAPI's routes: on the very route that answers, not on its path.

So no way of writing a path leads around it. ``Edge`` has put into the scope who asks.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, ClassVar, TypeAlias

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from palimpsest.app.access.rights import NOTHING, Access, Level
from palimpsest.app.access.table import COLLECTION, READINESS, Right, is_open, right_of
from palimpsest.app.context import Context
from palimpsest.app.work.replacing import Pauses
from palimpsest.index import BeingReplaced, Collection, CollectionNotFound, Database, StorageError

ACCESS = "palimpsest.access"  # where a scope carries who asks

Answer: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]


def access_of(request: Request) -> Access:
    """Return what the sender of a request may do."""
    found: Access = request.scope.get(ACCESS, NOTHING)
    return found


Allowed = Annotated[Access, Depends(access_of)]


def guarded(route: GuardedRoute, answer: Answer) -> Answer:
    """Return ``answer`` for those who may; others are refused before a body is looked at."""
    path = route.path_format

    async def answer_allowed(request: Request) -> Response:
        check(request, path)
        name = request.path_params.get(COLLECTION)
        if name is None or not route.by_collection:
            return await answer(request)
        return await _answer_by_one(request, name, answer)

    return answer_allowed


async def _answer_by_one(request: Request, name: str, answer: Answer) -> Response:
    """Answer by the collection that is there, after the swap where a snapshot takes its place.

    Raises:
        BeingReplaced: a snapshot took it while the request was answered, which may be repeated.
    """
    context: Context = request.app.state.context
    context.life.require_open()
    database, pauses = context.database, Pauses()
    while True:
        while database.is_being_replaced(name) and pauses.are_left:
            await pauses.pause()
        placed = database.placed(name)
        try:
            return await answer(request)
        except (CollectionNotFound, StorageError, OSError) as error:
            # What the old one was asked for, it had not got or lost again.
            if database.placed(name) == placed:
                raise
            # The body of any other was read, and is gone.
            if request.method != "GET" or not pauses.are_left:
                raise BeingReplaced(name) from error


def check(request: Request, path: str) -> None:
    """Raise Refusal (403) unless the sender of a request may use the route of a template."""
    # By the template of the route that answers: paths can be written in many ways, a template in
    # one.
    access, right = access_of(request), right_of(request.method, path)
    if right.scope == "collection":
        context: Context = request.app.state.context
        allow(access, context.database, right, request.path_params[COLLECTION])
    elif right.scope == "server":
        access.require_everywhere(right.level)
    elif right.scope == "credential":
        if access is NOTHING:
            access.require_everywhere(Level.READ)
    elif path == READINESS and not is_open("GET", path, request.scope["query_string"]):
        access.require_everywhere(Level.READ)


def allow(access: Access, database: Database, right: Right, name: str) -> None:
    """Raise Refusal (403) unless a route that names a collection may be used."""
    if right.scope == "collection":
        access.require(database, name, right.level)
    else:
        access.require_everywhere(right.level)


def reach(access: Access, database: Database, right: Right, name: str) -> Collection:
    """Return the collection of a point route for whoever may use it so. Raises as ``Access``."""
    if right.scope != "collection":
        access.require_everywhere(right.level)
    return access.collection(database, name, right.level)


class GuardedRoute(APIRoute):
    """A route that is checked so."""

    by_collection: ClassVar[bool] = True  # where the path names one: whether it has to be open

    def get_route_handler(self) -> Answer:
        """Return what answers a request."""
        return guarded(self, super().get_route_handler())
