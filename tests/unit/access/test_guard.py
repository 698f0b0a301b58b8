"""Rights are asked for by the route that answers, whatever the path looked like."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import Request, Response

from palimpsest.app.access.guard import (
    ACCESS,
    GuardedRoute,
    access_of,
    allow,
    check,
    guarded,
    reach,
)
from palimpsest.app.access.rights import EVERYTHING, NOTHING, Access, Level
from palimpsest.app.access.table import COLLECTION, Right, right_of
from palimpsest.app.errors import Refusal
from palimpsest.app.health.life import Life, Stage
from palimpsest.index import (
    BeingReplaced,
    CollectionConfig,
    CollectionNotFound,
    Database,
    StorageFull,
    VectorConfig,
)

READER = Access("r", "token", Level.NONE, {"docs": Level.READ})


def request_of(
    access: Access | None, method: str, database: Database | None = None, **path: Any
) -> Request:
    life = Life()
    life.enter(Stage.SERVING)
    state = SimpleNamespace(context=SimpleNamespace(database=database, life=life))
    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path_params": path,
        "query_string": b"",
        "headers": [],
        "app": SimpleNamespace(state=state),
    }
    if access is not None:
        scope[ACCESS] = access
    return Request(scope)


def test_a_scope_without_access_has_none() -> None:
    assert access_of(request_of(None, "GET")) is NOTHING


def test_a_collection_is_asked_for_by_the_parameter_of_the_route(database: Database) -> None:
    database.create("docs", CollectionConfig({"": VectorConfig(2, "dot")}))
    path = f"/collections/{{{COLLECTION}}}"
    check(request_of(READER, "GET", database, **{COLLECTION: "docs"}), path)
    for method, name in (("DELETE", "docs"), ("GET", "other"), ("GET", "docs/")):
        with pytest.raises(Refusal) as refused:
            check(request_of(READER, method, database, **{COLLECTION: name}), path)
        assert refused.value.status == 403


def test_a_route_that_nobody_listed_asks_for_everything() -> None:
    assert right_of("POST", "/made/up").level is Level.MANAGE
    with pytest.raises(Refusal):
        check(request_of(READER, "POST"), "/made/up")
    check(request_of(EVERYTHING, "POST"), "/made/up")


def test_a_right_on_the_server_is_no_right_on_a_collection(database: Database) -> None:
    database.create("docs", CollectionConfig({"": VectorConfig(2, "dot")}))
    allow(READER, database, Right("collection", Level.READ), "docs")
    with pytest.raises(Refusal):
        allow(READER, database, Right("server", Level.READ), "docs")
    assert reach(READER, database, Right("collection", Level.READ), "docs").name == "docs"
    with pytest.raises(Refusal):
        reach(READER, database, Right("server", Level.READ), "docs")


class Swapped:
    """A database in which a snapshot takes the place of each collection while it is asked."""

    def __init__(self, looks: int, tries: int) -> None:
        self.looks, self.tries = looks, tries  # that find it being replaced, or fail for it
        self.asked = 0

    def is_being_replaced(self, name: str) -> bool:
        self.looks -= 1
        return self.looks >= 0

    def placed(self, name: str) -> int:
        return self.asked if self.asked <= self.tries else self.tries

    def real_name(self, name: str) -> str:
        return name

    async def answer(self, request: Request) -> Response:
        self.asked += 1
        if self.asked <= self.tries:
            raise CollectionNotFound("docs")  # as the old one says, which is closed
        return Response(b"answered")


def answer(
    database: Any, method: str, ask: Callable[..., Any], *, by_collection: bool = True
) -> Response:
    route: Any = SimpleNamespace(
        path_format=f"/collections/{{{COLLECTION}}}", by_collection=by_collection
    )
    request = request_of(EVERYTHING, method, database, **{COLLECTION: "docs"})
    return asyncio.run(guarded(route, ask)(request))  # type: ignore[arg-type]


def test_a_request_waits_while_a_snapshot_takes_the_place_of_its_collection() -> None:
    database = Swapped(looks=2, tries=0)
    assert answer(database, "PATCH", database.answer).body == b"answered"
    assert database.looks < 0 and database.asked == 1


def test_what_the_old_one_could_not_answer_the_new_one_does() -> None:
    database = Swapped(looks=0, tries=2)
    assert answer(database, "GET", database.answer).body == b"answered"
    assert database.asked == 3


def test_a_change_that_the_old_one_lost_is_to_be_asked_for_again() -> None:
    database = Swapped(looks=0, tries=1)
    with pytest.raises(BeingReplaced):
        answer(database, "PATCH", database.answer)
    assert database.asked == 1


def test_who_replaces_is_told_what_went_wrong_with_it() -> None:
    assert GuardedRoute.by_collection
    database = Swapped(looks=0, tries=1)

    async def restore(request: Request) -> Response:
        database.asked = 1
        raise StorageFull("no room")

    with pytest.raises(StorageFull):
        answer(database, "PUT", restore, by_collection=False)
