"""Searches across versions: one list of old and new points, the headers, queries in several."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from tests.api.replies import refused, result
from tests.api.served import Server
from tests.api.upgrades import NEW, OLD, POINTS, Upgrade, rotation

HALF = POINTS // 2
EXPLAINED = {"x-palimpsest-explain": "true"}


@pytest.fixture(scope="module")
def upgrade(http: httpx.Client) -> Any:
    """Half of the points migrated, and an adapter to the others; the tests only read."""
    name = "half-migrated"
    body = {"vectors": {"size": OLD, "distance": "Cosine"}}
    assert http.put(f"/collections/{name}", json=body).status_code == 200
    made = Upgrade(http, name)
    made.fill()
    made.declare()
    made.migrate(range(HALF))
    made.fit()
    yield made
    http.delete(f"/collections/{name}")


def new_query(upgrade: Upgrade, place: int) -> list[float]:
    query: list[float] = (upgrade.queries[place] @ rotation()).tolist()
    return query


def test_old_and_new_points_stand_in_one_list(upgrade: Upgrade) -> None:
    for place, query in enumerate(upgrade.queries):
        expected = upgrade.best(query)
        body = {"query": new_query(upgrade, place), "params": {"exact": True}}
        for found in (
            upgrade.found(body, "@v2"),
            upgrade.found({**body, "using": "@v2"}),
        ):
            assert len(set(found)) == 10
            # The adapter of a rotation is exact, so the list is that of a full migration.
            assert len(set(found) & set(expected)) >= 8
        native = upgrade.found(body, "@v2", bridge="off")
        assert all(one < HALF for one in native)
        assert upgrade.found(body, "@v2", bridge="ON") == upgrade.found(body, "@v2")


def test_what_was_asked_before_is_answered_as_before(upgrade: Upgrade) -> None:
    for query in upgrade.queries:
        body = {"query": query.tolist(), "params": {"exact": True}}
        assert upgrade.found(body) == upgrade.best(query)
        assert upgrade.found(body, bridge="off") == upgrade.best(query)


def test_filters_groups_prefetches_batches_and_ids(upgrade: Upgrade) -> None:
    query = new_query(upgrade, 0)
    old = {"must": [{"key": "n", "range": {"gte": HALF}}]}
    found = upgrade.found({"query": query, "filter": old, "limit": 5}, "@v2")
    expected = [one for one in upgrade.best(upgrade.queries[0], POINTS) if one >= HALF]
    assert len(set(found) & set(expected[:5])) >= 4
    http, path = upgrade.http, f"{upgrade.path}@v2"
    body = {"query": query, "group_by": "tag", "limit": 3, "group_size": 40}
    groups = result(http.post(f"{path}/points/query/groups", json=body))["groups"]
    hits = [hit["id"] for group in groups for hit in group["hits"]]
    assert any(one >= HALF for one in hits)
    assert len(hits) == len(set(hits))
    off = {"x-palimpsest-bridge": "off"}
    groups = result(http.post(f"{path}/points/query/groups", json=body, headers=off))["groups"]
    assert all(hit["id"] < HALF for group in groups for hit in group["hits"])
    tree = {"prefetch": [{"query": query, "limit": 50}], "query": {"fusion": "rrf"}, "limit": 50}
    assert any(one >= HALF for one in upgrade.found(tree, "@v2"))
    assert all(one < HALF for one in upgrade.found(tree, "@v2", bridge="off"))
    searches = {"searches": [{"query": query, "limit": 50}, tree]}
    for batch in result(http.post(f"{path}/points/query/batch", json=searches)):
        assert any(one["id"] >= HALF for one in batch["points"])
    replies = http.post(f"{path}/points/query/batch", json=searches, headers=off)
    for batch in result(replies):
        assert all(one["id"] < HALF for one in batch["points"])
    # Like a point that holds only the old version.
    body = {"query": {"recommend": {"positive": [HALF + 1]}}, "limit": 3, "using": "@v1"}
    assert HALF + 1 not in upgrade.found(body)


def test_a_search_explains_itself(upgrade: Upgrade) -> None:
    body = {"query": new_query(upgrade, 1), "limit": 10}
    reply = upgrade.query(body, "@v2", explain="true").json()
    assert reply["result"] == result(upgrade.query(body, "@v2"))
    told = reply["explain"]
    by_version = {one["version"]: one for one in told["versions"]}
    assert by_version.keys() == {"v1", "v2"}
    assert by_version["v2"]["adapter"] is None
    assert by_version["v1"]["adapter"] == "ridge"
    assert by_version["v1"]["merge"]
    assert by_version["v1"]["points"] == by_version["v2"]["points"] == HALF
    assert told["points_bridged"] == by_version["v1"]["hits"]
    assert sum(one["hits"] for one in by_version.values()) >= 10
    assert told["seconds"]
    assert all(0 <= seconds < 10 for seconds in told["seconds"].values())
    for absent in (upgrade.query(body, "@v2"), upgrade.query(body, "@v2", explain="false")):
        assert absent.json().keys() == {"result", "status", "time"}


def test_every_search_explains_itself(upgrade: Upgrade) -> None:
    http, path = upgrade.http, f"{upgrade.path}@v2"
    query = new_query(upgrade, 2)
    tree = {"prefetch": [{"query": query}], "query": {"fusion": "rrf"}}
    batch = {"searches": [{"query": query}, tree]}
    told = http.post(f"{path}/points/query/batch", json=batch, headers=EXPLAINED).json()
    assert [len(one["versions"]) for one in told["explain"]] == [2, 2]
    groups = {"query": query, "group_by": "tag"}
    told = http.post(f"{path}/points/query/groups", json=groups, headers=EXPLAINED).json()
    assert told["explain"]["versions"]
    assert told["result"]["groups"]
    told = http.post(f"{path}/facet", json={"key": "tag"}, headers=EXPLAINED).json()
    assert told["explain"]["versions"] == []
    assert told["explain"]["seconds"]["count"] > 0
    plain = {"query": upgrade.queries[0].tolist(), "using": "@v1"}
    told = upgrade.query(plain, bridge="off", explain="true").json()
    assert told["explain"]["points_bridged"] == 0


@pytest.mark.parametrize(
    ("header", "value", "text"),
    [
        ("bridge", "maybe", "expected one of on, off, require, got 'maybe'"),
        ("bridge", "", "expected one of on, off, require, got ''"),
        ("explain", "1", "expected true or false, got '1'"),
        ("bridges", "on", "unknown header"),
    ],
)
def test_headers_that_are_refused(header: str, value: str, text: str, upgrade: Upgrade) -> None:
    named = {f"x-palimpsest-{header}": value}
    body = {"query": new_query(upgrade, 0)}
    for below, sent in (
        ("points/query", body),
        ("points/query/batch", {"searches": [body]}),
        ("points/query/groups", {**body, "group_by": "tag"}),
        ("facet", {"key": "tag"}),
        ("points/count", {}),
    ):
        reply = upgrade.http.post(f"{upgrade.path}@v2/{below}", json=sent, headers=named)
        refusal = refused(reply, 400)
        assert f"header x-palimpsest-{header}" in refusal
        assert text in refusal


def test_a_header_is_heard_on_a_kept_connection(server: Server, upgrade: Upgrade) -> None:
    body = json.dumps({"query": new_query(upgrade, 3), "limit": 100}).encode()

    def sent(*more: str) -> bytes:
        lines = [f"POST {upgrade.path}@v2/points/query HTTP/1.1", "host: localhost", *more]
        head = "\r\n".join([*lines, f"content-length: {len(body)}", "", ""])
        return head.encode() + body

    def received(file: Any) -> Any:
        assert file.readline().startswith(b"HTTP/1.1 ")
        length = 0
        while (line := file.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return json.loads(file.read(length))

    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        with connection.makefile("rb") as file:
            for _ in range(2):
                connection.sendall(sent("X-Palimpsest-Bridge: off"))
                found = received(file)["result"]["points"]
                assert all(one["id"] < HALF for one in found)
                connection.sendall(sent())
                assert any(one["id"] >= HALF for one in received(file)["result"]["points"])
                connection.sendall(sent("x-palimpsest-bridge: off", "X-PALIMPSEST-BRIDGE: on"))
                assert "given twice" in received(file)["status"]["error"]


def test_points_without_an_adapter(http: httpx.Client, make: Callable[..., str]) -> None:
    upgrade = Upgrade(http, make(vectors={"size": OLD, "distance": "Cosine"}))
    upgrade.fill()
    upgrade.declare()
    upgrade.migrate(range(HALF))
    body = {"query": new_query(upgrade, 0), "limit": POINTS}
    text = refused(upgrade.query(body, "@v2", bridge="require"), 400)
    assert "'v1'" in text
    assert "'v2'" in text
    assert "/adapters" in text
    for headers in ({}, {"bridge": "off"}):
        found = upgrade.found(body, "@v2", **headers)
        assert sorted(found) == list(range(HALF))
    upgrade.fit()
    for headers in ({}, {"bridge": "require"}):
        assert any(one >= HALF for one in upgrade.found(body, "@v2", **headers))


def test_one_query_in_several_versions(upgrade: Upgrade) -> None:
    for place, query in enumerate(upgrade.queries[:5]):
        both = {"v1": query.tolist(), "v2": new_query(upgrade, place)}
        body: dict[str, Any] = {"query": {"versions": both}, "params": {"exact": True}}
        found = upgrade.found(body, "@v2")
        assert len(set(found) & set(upgrade.best(query))) >= 8
        assert len(set(found)) == 10
        packed = base64.b64encode(query.astype("<f4").tobytes()).decode()
        body["query"]["versions"]["v1"] = packed
        assert upgrade.found(body, "@v2") == found
        nested = {"prefetch": body, "query": {"fusion": "rrf"}}
        assert set(upgrade.found(nested, "@v2")) == set(found)
        batch = upgrade.http.post(
            f"{upgrade.path}@v2/points/query/batch", json={"searches": [body]}
        )
        assert [one["id"] for one in result(batch)[0]["points"]] == found


def test_candidates_are_ranked_anew(upgrade: Upgrade) -> None:
    query = upgrade.queries[6]
    best = upgrade.best(query, 5)
    both = {"v1": query.tolist(), "v2": new_query(upgrade, 6)}
    supplied = {str(one): upgrade.new[one].tolist() for one in range(HALF, POINTS)}
    asked = {
        "versions": both,
        "rescore_version": "v2",
        "rescore_limit": 100,
        "vectors": supplied,
    }
    found = upgrade.found({"query": asked, "limit": 5}, "@v2")
    assert found == best


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ({"versions": {}}, 422, "at least one version"),
        ({"versions": {"v1": [1.0]}}, 400, "expected dim"),
        ({"versions": {"v1": "?"}}, 400, "query.versions.v1"),
        ({"versions": {"v1": [1] * OLD, "v9": [1.0]}}, 404, "'v9'"),
        ({"versions": {"v1": [1] * OLD}, "rescore_limit": 5}, 400, "needs query.rescore_version"),
        ({"versions": {"v1": [1] * OLD}, "rescore_version": "v2"}, 400, "query of its own"),
        (
            {"versions": {"v2": [1] * NEW}, "rescore_version": "v2", "rescore_limit": 0},
            422,
            "query.rescore_limit",
        ),
        (
            {"versions": {"v2": [1] * NEW}, "rescore_version": "v2", "vectors": {"x": [1]}},
            400,
            "query.vectors",
        ),
        (
            {"versions": {"v2": [1] * NEW}, "rescore_version": "v2", "vectors": {"1": [1]}},
            400,
            "expected dim",
        ),
        ({"versions": {"v1": [1] * OLD}, "colour": 1}, 400, "colour"),
        ({"versions": [1]}, 400, "versions"),
    ],
)
def test_queries_that_are_refused(
    query: dict[str, Any], status: int, text: str, upgrade: Upgrade
) -> None:
    assert text in refused(upgrade.query({"query": query}, "@v2"), status)
    tree = {"prefetch": {"query": query}, "query": {"fusion": "rrf"}}
    assert text in refused(upgrade.query(tree, "@v2"), status)


def test_names_of_versions_in_queries(upgrade: Upgrade) -> None:
    old, new = upgrade.queries[8].tolist(), new_query(upgrade, 8)
    plain = {"query": old, "params": {"exact": True}}
    assert upgrade.found({**plain, "using": "@v1"}) == upgrade.found(plain)
    assert upgrade.found(plain, "@v1") == upgrade.found(plain)
    assert upgrade.found({**plain, "using": "@v1"}, "@v2") == upgrade.found(plain)
    asked = {"query": new, "params": {"exact": True}}
    assert upgrade.found({**asked, "using": "@v2"}) == upgrade.found(asked, "@v2")
    assert "@v9" in refused(upgrade.query({**asked, "using": "@v9"}), 400)


def test_scores_of_native_points_are_exact(upgrade: Upgrade) -> None:
    body = {"query": upgrade.new[7].tolist(), "limit": 1, "with_vector": True}
    (hit,) = result(upgrade.query(body, "@v2"))["points"]
    assert hit["id"] == 7
    assert hit["score"] == pytest.approx(1.0, abs=1e-5)
    assert np.allclose(hit["vector"], upgrade.new[7], atol=1e-6)
