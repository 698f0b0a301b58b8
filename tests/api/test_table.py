"""`docs/security.md` says what each call asks for, and every call does, whoever sends it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from palimpsest.app.access.guard import GuardedRoute
from palimpsest.app.access.table import EVERYTHING, RIGHTS, right_of
from palimpsest.app.main import create_app
from palimpsest.app.routes.table import POINT_ROUTES
from palimpsest.app.routes.unsupported import CLUSTER_ENDPOINTS, ENDPOINTS
from palimpsest.app.settings import Settings
from tests.api.access import FULL, READ_ONLY, SETTINGS, rights, shown, token
from tests.api.served import Server, serving

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
COLLECTION = "/collections/{collection_name}"
CALL = re.compile(r"^\| `([A-Z]+) ([^`]+)` \| ([^|]+) \|$", re.MULTILINE)
OUTCOMES = re.compile(r"^\| needs \| (.+) \|\n\|[-|]+\|\n((?:\|.+\|\n)+)", re.MULTILINE)

WHO = {
    "no key": None,
    "token of another collection": token(rights(other="m")),
    "token: read C": token(rights(mine="r")),
    "token: write C": token(rights(mine="rw")),
    "token: manage C": token(rights(mine="m")),
    "read-only key": READ_ONLY,
    "full key": FULL,
}
PARTS = {
    "collection_name": "mine", "id": "1", "field_name": "n", "vector_name": "v", "version": "v2",
    "rows": "v1", "queries": "v2", "snapshot_name": "s", "shard_id": "0", "peer_id": "0",
    "file": "start.js",
}  # fmt: skip
CALLS: list[tuple[str, str, str]] = [
    (method, re.sub(r"^C(?=/|$)", COLLECTION, path), needs)
    for method, path, needs in CALL.findall(PAGE)
]


def outcomes() -> dict[str, dict[str, str]]:
    """By what a call needs and who sends it: yes, or a status."""
    found = OUTCOMES.search(PAGE)
    assert found is not None
    who = found[1].split(" | ")
    rows = [line.strip("| ").split(" | ") for line in found[2].splitlines()]
    return {needs: dict(zip(who, cells, strict=True)) for needs, *cells in rows}


OUTCOME = outcomes()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("guarded"), **SETTINGS) as running:
        make(running, "other")
        yield running


def make(server: Server, name: str) -> None:
    httpx.put(
        f"{server.url}/collections/{name}",
        json={"vectors": {"": {"size": 2, "distance": "Dot"}}},
        headers=shown(FULL),
    )


def test_the_page_says_of_every_kind_of_caller_what_it_gets() -> None:
    assert {tuple(cells) for cells in OUTCOME.values()} == {tuple(WHO)}
    assert {needs for _, _, needs in CALLS} == OUTCOME.keys()


def test_the_page_and_the_code_hold_the_same_table() -> None:
    counted = Counter((method, path) for method, path, _ in CALLS)
    assert [call for call, times in counted.items() if times > 1] == []
    assert counted.keys() - {("GET", "/readyz?verbose")} == RIGHTS.keys()


def test_every_route_stands_in_the_table() -> None:
    app = create_app(Settings()).app
    paths = app.openapi()["paths"]
    known = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    known |= {(method, f"{COLLECTION}/{suffix}") for method, suffix in POINT_ROUTES}
    known |= {(m, path) for path, some in (*ENDPOINTS, *CLUSTER_ENDPOINTS) for m in some}
    known |= {(m, path) for path, route in routes(app) for m in getattr(route, "methods", ())}
    known -= {("HEAD", "/openapi.json")}
    missing = {call for call in known if right_of(*call) == EVERYTHING} - RIGHTS.keys()
    assert missing == set()


def routes(app: Any) -> Iterator[tuple[str, Any]]:
    """All routes of an application with their paths, those of routers too."""
    for route in app.routes:
        inner = getattr(route, "original_router", None)
        if inner is None:
            yield route.path, route
        else:
            yield from routes(inner)


def test_every_route_of_fastapi_is_guarded() -> None:
    unguarded = {
        path
        for path, route in routes(create_app(Settings()).app)
        if not isinstance(route, GuardedRoute)
    }
    # these ask for any key, which is done before any route is looked for
    assert {path for path in unguarded if not path.startswith("/docs")} <= {"/openapi.json"}


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize(("method", "path", "needs"), CALLS)
def test_each_call_answers_each_caller_as_the_page_says(
    guarded: Server, method: str, path: str, needs: str, who: str
) -> None:
    if method in ("DELETE", "PUT", "PATCH"):
        make(guarded, "mine")
    url = f"{guarded.url}{path.format(**PARTS)}"
    body = {} if path.endswith("/aliases") and method == "POST" else None
    reply = httpx.request(method, url, headers=shown(WHO[who]), json=body)
    expected = OUTCOME[needs][who]
    if expected == "yes":
        assert reply.status_code not in (401, 403), reply.text
    else:
        assert reply.status_code == int(expected), reply.text
    if expected == "401":
        assert reply.headers["content-type"].startswith("text/plain")
        assert reply.text == "Must provide an API key or an Authorization bearer token"
        assert "www-authenticate" in reply.headers
    if expected == "403":
        assert reply.json()["status"]["error"].startswith("Forbidden: this needs ")


@pytest.mark.parametrize(("method", "path", "needs"), [c for c in CALLS if " on C" in c[2]])
def test_a_refusal_is_the_same_whether_or_not_there_is_a_collection(
    guarded: Server, method: str, path: str, needs: str
) -> None:
    texts = set()
    for name in ("other", "nowhere", "other@v9"):
        url = f"{guarded.url}{path.format(**{**PARTS, 'collection_name': name})}"
        reply = httpx.request(method, url, headers=shown(WHO["token: manage C"]))
        assert reply.status_code == 403, reply.text
        texts.add(reply.json()["status"]["error"].replace(f"`{name}`", "`NAME`"))
    assert len(texts) == 1
