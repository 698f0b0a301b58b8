"""Queries through an unmodified client: a real server against the client's in-memory mode."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from tests.api.served import Server
from tests.unit.query import cases, corpus
from tests.unit.query.cases import LOW, NAMES, PAIRS, V, fused, near, recommend
from tests.unit.query.corpus import POINTS, create, points, same, text_of

OURS, OTHER = "queried", "queried-elsewhere"
INDEXES = {"n": "integer", "ratio": "float", "day": "datetime", "many": "integer"}


@pytest.fixture(scope="module")
def remote(server: Server) -> Iterator[QdrantClient]:
    client = QdrantClient(url=server.url, timeout=30)
    for name in (OURS, OTHER):
        create(client, name)
    for key, kind in INDEXES.items():
        client.create_payload_index(OURS, key, models.PayloadSchemaType(kind), wait=True)
    yield client
    for name in (OURS, OTHER):
        client.delete_collection(name)
    client.close()


@pytest.fixture(scope="module")
def local() -> Iterator[QdrantClient]:
    client = QdrantClient(":memory:")
    for name in (OURS, OTHER):
        create(client, name)
    yield client
    client.close()


def ask(client: QdrantClient, asked: Iterable[dict[str, Any]]) -> list[list[models.ScoredPoint]]:
    requests = [models.QueryRequest(**each) for each in asked]
    return [reply.points for reply in client.query_batch_points(OURS, requests)]


def compare(remote: QdrantClient, local: QdrantClient, asked: Iterable[dict[str, Any]]) -> None:
    asked = [{**each, "with_payload": True} for each in asked]
    for each, ours, theirs in zip(asked, ask(remote, asked), ask(local, asked), strict=True):
        try:
            same([(p.id, p.score) for p in ours], [(p.id, p.score) for p in theirs])
        except AssertionError as error:
            raise AssertionError(each) from error
        payloads = {point.id: point.payload for point in theirs}
        assert all(payloads.get(p.id, p.payload) == p.payload for p in ours)


@pytest.mark.parametrize("using", [*NAMES, "sp", "idf"])
def test_searches_by_vectors(using: str, remote: QdrantClient, local: QdrantClient) -> None:
    compare(remote, local, cases.by_vectors(using))


@pytest.mark.parametrize(
    "kind", [cases.fusions, cases.hybrids, cases.formulas, cases.idf_corpora], ids=repr
)
def test_trees(kind: Any, remote: QdrantClient, local: QdrantClient) -> None:
    compare(remote, local, kind())


@pytest.mark.parametrize("using", NAMES)
def test_feedback(using: str, remote: QdrantClient, local: QdrantClient) -> None:
    compare(remote, local, cases.feedbacks(using))


@pytest.mark.parametrize("order", cases.ORDERS, ids=str)
def test_orders(order: Any, remote: QdrantClient, local: QdrantClient) -> None:
    asked: list[dict[str, Any]] = [
        {"query": {"order_by": order}, **more}
        for more in ({}, {"limit": 60}, {"offset": 4}, {"filter": LOW})
    ]
    for ours, theirs in zip(ask(remote, asked), ask(local, asked), strict=True):
        assert [point.order_value for point in ours] == [point.order_value for point in theirs]
        assert all(point.score == 1 for point in ours)


def test_points_by_id_and_at_random(remote: QdrantClient, local: QdrantClient) -> None:
    asked: list[dict[str, Any]] = [{}, {"limit": 60}, {"filter": LOW, "offset": 3}, {"offset": 58}]
    for ours, theirs in zip(ask(remote, asked), ask(local, asked), strict=True):
        assert [point.id for point in ours] == [point.id for point in theirs]
    (drawn,) = ask(remote, [{"query": {"sample": "random"}, "limit": 20}])
    assert len({point.id for point in drawn}) == 20


def test_selectors(remote: QdrantClient, local: QdrantClient) -> None:
    for query in ({"fusion": "rrf"}, {"formula": "$score"}):
        asked = fused(query, near("cos"), near("sp"))
        asked |= {"with_payload": ["city", "tags"], "with_vector": ["cos", "sp"]}
        ((ours,), (theirs,)) = ask(remote, [asked]), ask(local, [asked])
        found = {point.id: point for point in theirs}
        for point in ours:
            assert point.payload == found[point.id].payload
            assert isinstance(point.vector, dict)
            assert point.vector.keys() == dict(found[point.id].vector or {}).keys()
        (bare,) = ask(remote, [{**asked, "with_payload": None, "with_vector": None}])
        assert all(point.payload is None and point.vector is None for point in bare)


def test_examples_of_another_collection(remote: QdrantClient, local: QdrantClient) -> None:
    compare(
        remote,
        local,
        (
            near("cos", query, lookup_from={"collection": name, "vector": "dot"}, limit=60)
            for name in (OURS, OTHER)
            for query in (4, recommend([1], [7], "best_score"), {"context": PAIRS})
        ),
    )


def grouped(client: QdrantClient, asked: dict[str, Any], **more: Any) -> list[models.PointGroup]:
    given = models.QueryGroupsRequest(**asked)
    return client.query_points_groups(
        OURS,
        group_by=given.group_by,
        query=given.query,
        using=given.using,
        prefetch=given.prefetch,
        query_filter=given.filter,
        limit=given.limit or 10,
        group_size=given.group_size or 3,
        **more,
    ).groups


@pytest.mark.parametrize("asked", cases.GROUPED, ids=str)
def test_groups(asked: dict[str, Any], remote: QdrantClient, local: QdrantClient) -> None:
    ours = grouped(remote, asked)
    theirs = corpus.grouped(local, OURS, models.QueryGroupsRequest(**asked))
    assert {group.id for group in ours} == {group.id for group in theirs}
    expected = {group.id: group.hits for group in theirs}
    for group in ours:
        pairs = [(hit.id, hit.score) for hit in group.hits]
        same(pairs, [(hit.id, hit.score) for hit in expected[group.id]])
        assert all(hit.payload for hit in group.hits)


def test_groups_with_lookup(remote: QdrantClient, local: QdrantClient) -> None:
    chosen = models.WithLookup(collection=OTHER, with_payload=["n"], with_vectors=["cos"])
    for lookup in (OTHER, chosen):
        for key in ("n", "city"):
            asked = near("cos", group_by=key)
            ours, theirs = (grouped(c, asked, with_lookup=lookup) for c in (remote, local))
            expected = {group.id: group.lookup for group in theirs}
            for group in ours:
                other = expected[group.id]
                assert (group.lookup and group.lookup.payload) == (other and other.payload)
                assert (group.lookup and group.lookup.id) == (other and other.id)
                if group.lookup is not None and lookup is chosen:
                    assert other is not None and other.vector is not None
                    assert np.allclose(group.lookup.vector["cos"], other.vector["cos"])


@pytest.mark.parametrize("using", [*NAMES, "sp"])
def test_matrix(using: str, remote: QdrantClient, local: QdrantClient) -> None:
    given: dict[str, Any] = {"using": using, "sample": POINTS, "limit": 4}
    given["query_filter"] = models.Filter(**LOW)
    ours, theirs = (c.search_matrix_pairs(OURS, **given).pairs for c in (remote, local))
    assert len(ours) == len(theirs)
    for one in {pair.a for pair in theirs}:
        same(
            [(pair.b, pair.score) for pair in ours if pair.a == one],
            [(pair.b, pair.score) for pair in theirs if pair.a == one],
        )
    offsets = remote.search_matrix_offsets(OURS, **given)
    assert [offsets.ids[row] for row in offsets.offsets_row] == [pair.a for pair in ours]
    assert offsets.scores == [pair.score for pair in ours]


@pytest.mark.parametrize("key", ["city", "n", "tags", "many", "ratio", "where.lon", "absent"])
def test_facets(key: str, remote: QdrantClient, local: QdrantClient) -> None:
    for more in ({}, {"limit": 2}, {"facet_filter": models.Filter(**LOW), "exact": True}):
        ours, theirs = (c.facet(OURS, key, **more).hits for c in (remote, local))
        assert [(hit.value, hit.count) for hit in ours] == [(h.value, h.count) for h in theirs]


@pytest.mark.parametrize("asked", cases.REFUSED, ids=str)
def test_refusals(asked: dict[str, Any], remote: QdrantClient) -> None:
    with pytest.raises(UnexpectedResponse) as raised:
        ask(remote, [asked])
    assert raised.value.status_code in (400, 404, 422)


def test_an_order_needs_an_index(http: httpx.Client, remote: QdrantClient) -> None:
    body = {"query": {"order_by": "city"}}
    reply = http.post(f"/collections/{OURS}/points/query", json=body)
    assert reply.status_code == 400
    text = reply.json()["status"]["error"]
    assert text.startswith("Bad request: No range index for `order_by` key: `city`")


TOO_STEEP = {
    "relevance_feedback": {
        "target": V,
        "feedback": [{"example": V, "score": 1e10}, {"example": 1, "score": 1}],
        "strategy": {"naive": {"a": 1, "b": 1e10, "c": 1}},
    }
}
TOO_LARGE = {"formula": "$score", "defaults": {"$score": 10**400}}
BAD_BODIES: list[tuple[str, dict[str, Any], int]] = [
    ("points/query/groups", {"query": V, "using": "cos"}, 400),
    ("points/query/groups", {"query": V, "using": "cos", "group_by": "a..b"}, 400),
    ("points/query/groups", {"query": V, "using": "cos", "group_by": "n", "group_size": 0}, 422),
    ("points/query/groups", {"query": V, "using": "cos", "group_by": "n", "with_lookup": "x"}, 404),
    ("points/query/batch", {"searches": [{"query": V, "using": "cos", "limit": 0}]}, 422),
    ("points/query", {"query": 4, "using": "cos", "lookup_from": {"collection": "x"}}, 404),
    ("points/search/matrix/pairs", {"using": "absent"}, 400),
    ("points/search/matrix/pairs", {"sample": 1}, 422),
    ("points/search/matrix/offsets", {"limit": 0, "using": "cos"}, 422),
    ("points/search/matrix/offsets", {"sample": 2**64, "using": "cos"}, 422),
    ("points/query", {"query": TOO_STEEP, "using": "cos"}, 400),
    ("points/query", {"query": TOO_LARGE, "prefetch": {"query": V, "using": "cos"}}, 400),
    ("points/search/matrix/offsets", {"more": 0}, 400),
    ("facet", {}, 400),
    ("facet", {"key": "n", "limit": 0}, 422),
    ("facet", {"key": "n..m"}, 400),
]


@pytest.mark.parametrize(("path", "body", "status"), BAD_BODIES, ids=str)
def test_bad_bodies(
    path: str, body: dict[str, Any], status: int, http: httpx.Client, remote: QdrantClient
) -> None:
    reply = http.post(f"/collections/{OURS}/{path}", json=body)
    assert reply.status_code == status, reply.text
    assert reply.json()["status"]["error"]


@pytest.fixture
def changing(remote: QdrantClient, server: Server) -> Iterator[str]:
    """A collection most of whose points are deleted and written again all the time."""
    name, stopped = "changing", threading.Event()
    create(remote, name)
    remote.create_payload_index(name, "n", models.PayloadSchemaType.INTEGER, wait=True)
    rows = [
        {"id": text_of(p.id), "vector": dict(p.vectors), "payload": p.payload}
        for p in points()[20:]
    ]

    def change() -> None:
        with httpx.Client(base_url=f"{server.url}/collections/{name}/points") as http:
            for at in itertools.count():
                if stopped.is_set():
                    return
                some = [rows[(at * 7 + step * 3) % len(rows)] for step in range(8)]
                http.post("delete?wait=true", json={"points": [row["id"] for row in some]})
                http.put("?wait=true", json={"points": some})

    writer = threading.Thread(target=change)
    writer.start()
    yield name
    stopped.set()
    writer.join()
    remote.delete_collection(name)


def test_queries_of_what_changes(changing: str, http: httpx.Client) -> None:
    asked = [*cases.by_vectors("cos"), *cases.by_vectors("sp"), *cases.hybrids()]
    asked += [*cases.formulas(), {"query": {"order_by": "n"}}]
    for each in asked:
        body = {**each, "with_payload": True, "with_vector": True}
        reply = http.post(f"/collections/{changing}/points/query", json=body)
        assert reply.status_code == 200, (each, reply.text)
    for each in cases.GROUPED:
        reply = http.post(f"/collections/{changing}/points/query/groups", json=each)
        assert reply.status_code == 200, (each, reply.text)
    for using in ("cos", "sp"):
        for kind in ("pairs", "offsets"):
            path = f"/collections/{changing}/points/search/matrix/{kind}"
            reply = http.post(path, json={"using": using, "sample": POINTS})
            assert reply.status_code == 200, reply.text
