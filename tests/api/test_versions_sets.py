"""From single vectors to sets of them and back: versions of multi-vectors over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from tests.api.replies import refused, result
from tests.api.served import Server

MAX_SIM = {"comparator": "max_sim"}
N, SINGLE, TOKEN = 160, 8, 12

Make = Callable[..., str]
_rng = np.random.default_rng(5)
_TOPICS = _rng.standard_normal((N, 6))
_TOKENS = [topic + 0.4 * _rng.standard_normal((3 + i % 3, 6)) for i, topic in enumerate(_TOPICS)]
_TURNS = [np.linalg.qr(_rng.standard_normal((size, size)))[0][:6] for size in (SINGLE, TOKEN)]
OLD = [(topic @ _TURNS[0]).tolist() for topic in _TOPICS]
NEW = [(one @ _TURNS[1]).tolist() for one in _TOKENS]


@pytest.fixture
def docs(http: httpx.Client, make: Make) -> str:
    """A collection whose points hold single vectors, and a version of sets that none holds."""
    name = make(vectors={"size": SINGLE, "distance": "Cosine"})
    points = [{"id": i, "vector": one} for i, one in enumerate(OLD)]
    result(http.put(f"/collections/{name}/points?wait=true", json={"points": points}))
    declare(http, name)
    return name


def declare(http: httpx.Client, name: str, version: str = "v2", **body: Any) -> None:
    body = {"size": TOKEN, "multivector_config": MAX_SIM, **body}
    assert result(http.put(f"/collections/{name}/versions/{version}", json=body)) is True


def migrate(http: httpx.Client, name: str, ids: range) -> None:
    points = [{"id": i, "vector": {"@v2": NEW[i]}} for i in ids]
    result(http.put(f"/collections/{name}/points/vectors?wait=true", json={"points": points}))


def fit(http: httpx.Client, name: str, rows: str = "v1", queries: str = "v2", **body: Any) -> Any:
    body = {"rows": rows, "queries": queries, **body}
    return result(http.post(f"/collections/{name}/adapters", json=body))


def explained(http: httpx.Client, name: str, body: dict[str, Any]) -> Any:
    headers = {"x-palimpsest-explain": "true"}
    reply = http.post(f"/collections/{name}/points/query", json=body, headers=headers)
    assert reply.status_code == 200, reply.text
    return reply.json()


def versions(http: httpx.Client, name: str) -> dict[str, Any]:
    listed = result(http.get(f"/collections/{name}/versions"))["versions"]
    return {one["version"]: one for one in listed}


def test_an_upgrade_to_late_interaction_by_an_unmodified_client(
    server: Server, docs: str, http: httpx.Client
) -> None:
    client = QdrantClient(server.url, check_compatibility=False)
    new = f"{docs}@v2"
    described = client.get_collection(new).config.params.vectors
    assert isinstance(described, models.VectorParams)
    assert described.multivector_config is not None and described.size == TOKEN
    some = [models.PointVectors(id=i, vector=NEW[i]) for i in range(100)]
    client.update_vectors(new, some, wait=True)
    assert fit(http, docs)["report"]["verdict"]
    hits = client.query_points(new, query=NEW[3], limit=5).points
    assert hits[0].id == 3  # by its set
    hits = client.query_points(new, query=NEW[130], limit=5).points
    assert 130 in [one.id for one in hits]  # by its single vector, mapped
    assert hits[0].score <= len(NEW[130]) + 1e-3  # of the metric of sets
    found = client.query_points(new, query=NEW[5], limit=N).points
    assert sorted(one.id for one in found) == list(range(N))  # each point once
    (point,) = client.retrieve(new, [3], with_vectors=True)
    assert np.shape(point.vector) == np.shape(NEW[3])
    # nothing that clients of the old model see has changed
    assert client.query_points(docs, query=OLD[7], limit=1).points[0].id == 7
    some = [models.PointVectors(id=i, vector=NEW[i]) for i in range(100, N)]
    client.update_vectors(new, some, wait=True)
    result(http.post(f"/collections/{docs}/versions/v2/activate", json={}))
    assert client.query_points(docs, query=NEW[130], limit=1).points[0].id == 130
    assert client.query_points(f"{docs}@v1", query=OLD[7], limit=1).points[0].id == 7
    result(http.post(f"/collections/{docs}/versions/v1/activate", json={}))
    assert client.query_points(docs, query=OLD[7], limit=1).points[0].id == 7


def test_what_is_found_by_which_version_is_told(docs: str, http: httpx.Client) -> None:
    migrate(http, docs, range(80))
    fit(http, docs)
    reply = explained(http, docs, {"query": NEW[100], "using": "@v2", "limit": 10})
    explain = reply["explain"]
    ids = {hit["id"] for hit in reply["result"]["points"]}
    assert set(explain["estimated"]) == {one for one in ids if one >= 80}
    assert {one["id"] for one in explain["matched"]} == {one for one in ids if one < 80}
    assert [one["version"] for one in explain["versions"]] == ["v2", "v1"]
    both = {"query": {"versions": {"v1": OLD[100], "v2": NEW[100]}}, "limit": 10}
    reply = explained(http, docs, both)
    ids = [hit["id"] for hit in reply["result"]["points"]]
    assert ids[0] == 100
    matched = {one["id"] for one in reply["explain"]["matched"]}
    assert matched == {one for one in ids if one < 80}


def test_scores_of_prefetches_that_do_not_count_are_no_estimates(
    docs: str, http: httpx.Client
) -> None:
    migrate(http, docs, range(80))
    fit(http, docs)
    fit(http, docs, "v2", "v1")
    new = [{"id": N + i, "vector": {}} for i in range(20)]
    result(http.put(f"/collections/{docs}/points?wait=true", json={"points": new}))
    some = [{"id": N + i, "vector": {"@v2": NEW[i]}} for i in range(20)]
    result(http.put(f"/collections/{docs}/points/vectors?wait=true", json={"points": some}))
    first = {"query": OLD[5], "limit": N + 20}  # those of N and more over a bridge
    second = {"query": NEW[5], "using": "@v2", "limit": N + 20}
    told = explained(http, docs, {**second, "prefetch": first})["explain"]
    assert set(told["estimated"]) == set(range(80, N))  # and the others by their own sets
    assert {one["id"] for one in told["matched"]} == {*range(80), *range(N, N + 20)}
    fused = [{**second, "prefetch": first}, first]
    told = explained(http, docs, {"query": {"fusion": "rrf"}, "prefetch": fused, "limit": N + 20})
    assert set(told["explain"]["estimated"]) == set(range(80, N + 20))


def test_versions_of_sets_are_listed_backfilled_compared_and_dropped(
    docs: str, http: httpx.Client
) -> None:
    migrate(http, docs, range(80))
    path = f"/collections/{docs}"
    assert versions(http, docs)["v2"]["coverage"] == pytest.approx(0.5)
    assert fit(http, docs)["state"] == "fitted"
    left = result(http.get(f"{path}/backfill?version=v2&limit=200"))
    assert {one["id"] for one in left["points"]} == set(range(80, N))
    asked = {"v1": OLD[:20], "v2": NEW[:20]}
    body = {"old": "v1", "new": "v2", "queries": asked, "relevant": [[i] for i in range(20)]}
    told = result(http.post(f"{path}/compare", json={**body, "k": 5}))
    assert told["verdict"]
    result(http.post(f"{path}/compare", json={**body, "k": 5, "relevant": None}))
    refused(http.delete(f"{path}/versions/v1"), 409)
    result(http.delete(f"{path}/versions/v2"))
    assert set(versions(http, docs)) == {"v1"}


@pytest.mark.parametrize(
    ("method", "where", "body", "status", "text"),
    [
        (
            "put",
            "/points/vectors",
            {"points": [{"id": 1, "vector": {"@v2": OLD[1]}}]},
            400,
            "multi",
        ),
        ("put", "/points/vectors", {"points": [{"id": 1, "vector": NEW[1]}]}, 400, "multi"),
        ("put", "/points/vectors", {"points": [{"id": 1, "vector": {"@v2": [[1.0]]}}]}, 400, "12"),
        ("post", "/points/query", {"query": NEW[1]}, 400, "multi"),
        ("post", "/points/query", {"query": [[1.0, 2.0]], "using": "@v2"}, 400, "12"),
        ("post", "/points/query", {"query": {"versions": {"v1": NEW[1]}}}, 400, "one vector"),
        ("post", "/points/query", {"query": {"versions": {"v2": [[1.0]]}}}, 400, "12"),
        ("post", "/adapters", {"rows": "v1", "queries": "v2"}, 400, "0 points hold both"),
        (
            "post",
            "/adapters",
            {
                **{"rows": "v1", "queries": "v2", "kind": "ridge"},
                "pairs": {"rows": OLD[:20], "queries": [one[0] for one in NEW[:20]]},
            },
            400,
            "sets",
        ),
        (
            "post",
            "/compare",
            {"old": "v1", "new": "v2", "queries": {"v1": OLD[:2], "v2": OLD[:2]}},
            400,
            "list of vectors",
        ),
        ("put", "/versions/v2", {"size": TOKEN, "multivector_config": None}, 409, "multi"),
        ("put", "/versions/v3", {"size": TOKEN, "pool": 2}, 400, "multivector_config"),
        ("put", "/versions/v2", {"size": TOKEN, "fde": {"k_sim": 2}}, 409, "fde"),
        ("put", "/versions/v3", {"size": 4, "multivector_config": {"comparator": "x"}}, 400, "max"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_changes_nothing(
    docs: str,
    http: httpx.Client,
    method: str,
    where: str,
    body: dict[str, Any],
    status: int,
    text: str,
) -> None:
    before = versions(http, docs)
    reply = http.request(method, f"/collections/{docs}{where}", json=body)
    assert reply.status_code == status, reply.text
    assert text in reply.text
    assert versions(http, docs) == before


def test_two_settings_of_one_model_are_two_versions(docs: str, http: httpx.Client) -> None:
    declare(http, docs, "v3", fde={"preset": "light"}, tokens={"bits": 8})
    migrate(http, docs, range(N))
    points = [{"id": i, "vector": {"@v3": NEW[i]}} for i in range(60)]
    result(http.put(f"/collections/{docs}/points/vectors?wait=true", json={"points": points}))
    assert fit(http, docs, "v2", "v3", kind="identity")["kind"] == "identity"
    query = {"query": NEW[100], "using": "@v3", "limit": 5}
    (first, *_) = explained(http, docs, query)["result"]["points"]
    assert first["id"] == 100 and first["score"] == pytest.approx(len(NEW[100]), rel=1e-3)
