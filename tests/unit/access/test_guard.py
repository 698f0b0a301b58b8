"""Rights are asked for by the route that answers, whatever the path looked like."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import Request

from palimpsest.app.access.guard import ACCESS, access_of, allow, check, reach
from palimpsest.app.access.rights import EVERYTHING, NOTHING, Access, Level
from palimpsest.app.access.table import COLLECTION, Right, right_of
from palimpsest.app.errors import Refusal
from palimpsest.index import CollectionConfig, Database, VectorConfig

READER = Access("r", "token", Level.NONE, {"docs": Level.READ})


def request_of(
    access: Access | None, method: str, database: Database | None = None, **path: Any
) -> Request:
    state = SimpleNamespace(context=SimpleNamespace(database=database))
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
