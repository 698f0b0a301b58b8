"""Pages leave damaged points out, name them and bring the rest; what needs one fails by name."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.replies import refused, result
from tests.api.served import serving
from tests.damage import change

POINTS = 60
HURT = 7
RED = {"must": [{"key": "colour", "match": {"value": "red"}}]}
HIGH = {"must": [{"key": "n", "range": {"gte": 5}}]}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("filled")
    with serving(data) as server, httpx.Client(base_url=server.url) as http:
        for name in ("good", "hurt"):
            body = {"vectors": {"size": 2, "distance": "Dot"}}
            result(http.put(f"/collections/{name}", json=body))
            index = {"field_name": "colour", "field_schema": "keyword"}
            result(http.put(f"/collections/{name}/index?wait=true", json=index))
            points = [
                {"id": n, "vector": [1, n], "payload": {"n": n, "colour": ("red", "blue")[n % 2]}}
                for n in range(POINTS)
            ]
            body = {"points": points}
            result(http.put(f"/collections/{name}/points?wait=true", json=body))
    store = data / "collections/hurt/store.sqlite3"
    assert change(store, "UPDATE points SET payload = x'7b7d' WHERE number = ?", HURT)
    return data


@pytest.fixture
def http(filled: Path, tmp_path: Path) -> Iterator[httpx.Client]:
    shutil.copytree(filled, tmp_path / "data")
    with serving(tmp_path / "data") as server, httpx.Client(base_url=server.url) as http:
        yield http


QUERY = {"query": [0.0, 1.0], "limit": POINTS, "with_payload": True}
PAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "scroll": ("points/scroll", {"limit": POINTS}),
    "filtered scroll": ("points/scroll", {"limit": POINTS, "filter": {"must_not": [RED]}}),
    "retrieve": ("points", {"ids": [HURT - 2, HURT, HURT + 2]}),
    "query": ("points/query", QUERY),
    "query with vectors": ("points/query", {**QUERY, "with_vector": True}),
    "search": ("points/search", {"vector": [0.0, 1.0], "limit": POINTS, "with_payload": True}),
    "tree": ("points/query", {**QUERY, "query": {"fusion": "rrf"}, "prefetch": QUERY}),
}


def ids_in(found: Any) -> list[int]:
    rows = found["points"] if isinstance(found, dict) else found
    return [row["id"] for row in rows]


@pytest.mark.parametrize("name", list(PAGES))
def test_a_page_leaves_a_damaged_point_out_and_names_it(name: str, http: httpx.Client) -> None:
    path, body = PAGES[name]
    if "prefetch" in body:
        body = {**body, "prefetch": {"query": [0.0, 1.0], "limit": POINTS}}
    whole = http.post(f"/collections/good/{path}", json=body)
    assert "warnings" not in whole.json()
    reply = http.post(f"/collections/hurt/{path}", json=body)
    expected = [one for one in ids_in(result(whole)) if one != HURT]
    assert HURT in ids_in(result(whole)) and ids_in(result(reply)) == expected
    (text,) = reply.json()["warnings"]
    assert text.startswith("left out: ") and f"point {HURT} has a payload" in text
    assert result(http.get("/collections/hurt"))["status"] == "red"


def test_a_scroll_goes_on_behind_damaged_points(http: httpx.Client) -> None:
    found, start = [], 0
    while start is not None:
        body = {"limit": HURT, "offset": start}
        page = result(http.post("/collections/hurt/points/scroll", json=body))
        found += ids_in(page)
        start = page["next_page_offset"]
    assert found == [n for n in range(POINTS) if n != HURT]


NEEDED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "count": ("POST", "points/count", {"filter": HIGH}),
    "filtered scroll": ("POST", "points/scroll", {"filter": HIGH}),
    "filtered query": ("POST", "points/query", {"query": [0.0, 1.0], "filter": HIGH}),
    "groups": ("POST", "points/query/groups", {"query": [0.0, 1.0], "group_by": "n", "limit": 99}),
    "edit": ("POST", "points/payload?wait=true", {"payload": {"a": 1}, "points": [HURT]}),
    "clear by filter": ("POST", "points/payload/clear?wait=true", {"filter": HIGH}),
    "delete by filter": ("POST", "points/delete?wait=true", {"filter": HIGH}),
    "point": ("GET", f"points/{HURT}", {}),
}


@pytest.mark.parametrize("name", list(NEEDED))
def test_what_needs_a_damaged_point_fails_and_names_it(name: str, http: httpx.Client) -> None:
    method, path, body = NEEDED[name]
    reply = http.request(method, f"/collections/hurt/{path}", json=body or None)
    assert f"point {HURT} " in refused(reply, 500)
    result(http.request(method, f"/collections/good/{path}", json=body or None))
    result(http.post("/collections/hurt/points/count", json={"filter": RED}))


def test_a_damaged_point_is_healed_by_writing_it_anew(http: httpx.Client) -> None:
    point = {"id": HURT, "vector": [1, HURT], "payload": {"n": HURT, "colour": "blue"}}
    for name in ("good", "hurt"):
        result(http.put(f"/collections/{name}/points?wait=true", json={"points": [point]}))
    for path, body in (PAGES["scroll"], PAGES["query"], ("points/count", {"filter": HIGH})):
        hurt = http.post(f"/collections/hurt/{path}", json=body)
        assert "warnings" not in hurt.json()
        assert result(hurt) == result(http.post(f"/collections/good/{path}", json=body))
