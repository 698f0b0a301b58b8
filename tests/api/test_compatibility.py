"""`docs/compatibility.md` names every route, no other, and refuses what it says is refused."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from palimpsest.app.main import create_app
from palimpsest.app.routes.table import POINT_ROUTES
from palimpsest.app.routes.unsupported import CLUSTER_ENDPOINTS, ENDPOINTS
from palimpsest.app.settings import Settings
from palimpsest.index import MAX_EF, MAX_SIZE
from tests.api.replies import refused, result
from tests.api.served import Server

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "compatibility.md").read_text()
COLLECTION = "/collections/{collection_name}"
UNDOCUMENTED = {("GET", "/docs"), ("GET", "/docs/{file}"), ("GET", "/openapi.json")}

CALL = re.compile(r"^\| `([A-Z]+) ([^`]+)` \| ([^|]*)\|$", re.MULTILINE)
REFUSAL = re.compile(r"^\| `([A-Z]+) ([^`]+)` \| `([^`]+)` \| (\d+) \|", re.MULTILINE)
REFUSALS = REFUSAL.findall(PAGE)


def rows(text: str) -> list[tuple[str, str]]:
    """The calls that a page has a row for, `C` written out."""
    calls = [(method, path) for method, path, _ in CALL.findall(text)]
    return [(method, re.sub(r"^C(?=/|$)", COLLECTION, path)) for method, path in calls]


def routes() -> set[tuple[str, str]]:
    """Every call that a route stands for, refused ones too."""
    paths = create_app(Settings()).app.openapi()["paths"]
    known = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    refusing = {
        (method, path) for path, methods in (*ENDPOINTS, *CLUSTER_ENDPOINTS) for method in methods
    }
    return known | refusing | UNDOCUMENTED


def section(title: str) -> str:
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[1]


def test_every_route_has_one_row_and_every_row_a_route() -> None:
    counted = Counter(rows(PAGE))
    assert {call: n for call, n in counted.items() if n > 1} == {}
    assert counted.keys() == routes()


def test_what_is_refused_stands_where_it_belongs() -> None:
    for title, endpoints in (
        ("Not carried out: 501", ENDPOINTS),
        ("Of a cluster: 405", CLUSTER_ENDPOINTS),
    ):
        expected = {(method, path) for path, methods in endpoints for method in methods}
        assert set(rows(section(title))) == expected


def test_older_calls_are_the_deprecated_ones() -> None:
    deprecated = {
        (method, f"{COLLECTION}/{suffix}")
        for (method, suffix), route in POINT_ROUTES.items()
        if route.deprecated
    }
    assert set(rows(section("Older calls"))) == deprecated


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server whose collection is the one of the page."""
    running = Server(tmp_path_factory.mktemp("compatibility"))
    try:
        running.wait_until_ready()
        with httpx.Client(base_url=running.url, timeout=30) as client:
            vectors = {
                "": {"size": 3, "distance": "Cosine"},
                "other": {"size": 2, "distance": "Euclid"},
            }
            body = {"vectors": vectors, "sparse_vectors": {"sparse": {}}}
            result(client.put("/collections/c", json=body))
            points = [{"id": n, "vector": [n, 1, 2], "payload": {"n": n}} for n in (1, 2)]
            result(client.put("/collections/c/points?wait=true", json={"points": points}))
            yield client
        assert running.stop() == 0
    finally:
        running.process.kill()
        running.process.wait()


def test_the_page_lists_refusals() -> None:
    assert len(REFUSALS) > 20
    assert len(REFUSALS) == section("Refused").count("\n| `")


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: f"{refusal[1]} {refusal[2]:.60}")
def test_what_the_page_says_is_refused_is(
    refusal: tuple[str, str, str, str], own: httpx.Client
) -> None:
    method, path, body, status = refusal
    before = result(own.post("/collections/c/points/scroll", json={"with_vector": True}))
    text = refused(own.request(method, path, json=json.loads(body)), int(status))
    assert len(text) > 20
    assert result(own.post("/collections/c/points/scroll", json={"with_vector": True})) == before
    names = [each["name"] for each in result(own.get("/collections"))["collections"]]
    assert names == ["c"]


def test_what_is_not_carried_out_is_answered_so(own: httpx.Client) -> None:
    for endpoints, status in ((ENDPOINTS, 501), (CLUSTER_ENDPOINTS, 405)):
        for template, methods in endpoints:
            path = template.replace("{collection_name}", "c")
            path = re.sub(r"\{[^}]+\}", "1", path)
            for method in methods:
                refused(own.request(method, path, json={}), status)


def test_limits_are_those_of_the_engine() -> None:
    assert f"| dimensions | {MAX_SIZE:,} |" in PAGE
    assert f"| `hnsw_ef` | {MAX_EF:,} |" in PAGE


def test_the_clients_of_the_page_are_those_that_are_run() -> None:
    from tests.clients import test_javascript, test_python

    python, javascript = (
        re.search(rf"^\| {name} [^|]*\| ([^|]+) \|", PAGE, re.MULTILINE)
        for name in ("qdrant-client", "@qdrant/js-client-rest")
    )
    assert python is not None
    assert javascript is not None
    run = {version.rpartition(".")[0] for version in (*test_python.SHORT, *test_python.MORE)}
    assert set(python[1].split(", ")) == run | {"1.20"}
    named = json.loads((ROOT / "tests" / "clients" / "javascript" / "package.json").read_text())
    clients = {name: named["dependencies"][name] for name in test_javascript.CLIENTS}
    versions = {each.rpartition("@")[2].rpartition(".")[0] for each in clients.values()}
    assert set(javascript[1].split(", ")) == versions
