"""Multi-vectors over HTTP: bodies, replies and refusals, and qdrant-client on real shapes."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from tests.api.replies import refused, result
from tests.api.served import BODY_LIMIT, Server
from tests.api.test_vectors import put, query, state, wait_for

MAX_SIM = {"comparator": "max_sim"}
PLANE = {"size": 2, "distance": "Dot", "multivector_config": MAX_SIM}
FIRST, SECOND = [[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5]]
POINTS = [{"id": 1, "vector": FIRST}, {"id": 2, "vector": SECOND}]

Make = Callable[..., str]


@pytest.fixture
def plane(make: Make, http: httpx.Client) -> str:
    name = make(vectors=PLANE)
    put(http, name, POINTS)
    return name


def found(http: httpx.Client, name: str, **body: Any) -> list[tuple[int, float]]:
    return [(hit["id"], hit["score"]) for hit in query(http, name, **body)]


def vectors_of(http: httpx.Client, name: str) -> dict[int, Any]:
    page = result(
        http.post(f"/collections/{name}/points/scroll", json={"with_vector": True, "limit": 100})
    )
    return {point["id"]: point["vector"] for point in page["points"]}


def test_sets_are_given_back_as_they_were_given(plane: str, http: httpx.Client) -> None:
    assert vectors_of(http, plane) == {1: FIRST, 2: SECOND}
    one = result(http.get(f"/collections/{plane}/points/1"))
    assert one["vector"] == FIRST
    both = result(http.post(f"/collections/{plane}/points", json={"ids": [2], "with_vector": [""]}))
    assert both[0]["vector"] == SECOND


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ([[1.0, 0.0], [0.0, 2.0]], [(1, 3.0), (2, 1.5)]),
        ([[1.0, 0.0]], [(1, 1.0), (2, 0.5)]),
        ([1.0, 0.0], [(1, 1.0), (2, 0.5)]),  # one vector is a set of one
        ({"nearest": [[0.0, -1.0]]}, [(1, 0.0), (2, -0.5)]),
        (2, [(1, 0.5)]),
        ({"recommend": {"positive": [1]}}, [(2, 1.0)]),
        (
            {"recommend": {"positive": [[[1.0, 0.0]]], "negative": [[0.0, 1.0]]}},
            [(1, 1.0), (2, 0.0)],
        ),
    ],
)
def test_queries(plane: str, http: httpx.Client, asked: Any, expected: Any) -> None:
    assert found(http, plane, query=asked) == expected


def test_the_older_calls(plane: str, http: httpx.Client) -> None:
    where = f"/collections/{plane}/points"
    set_of_two = [[1.0, 0.0], [0.0, 2.0]]
    for call, body in (
        ("search", {"vector": set_of_two}),
        ("search", {"vector": {"name": "", "vector": set_of_two}}),
        ("recommend", {"positive": [set_of_two]}),
        ("discover", {"target": set_of_two}),
    ):
        hits = result(http.post(f"{where}/{call}", json={"limit": 1, **body}))
        assert [hit["id"] for hit in hits] == [1], call
    groups = {"vector": set_of_two, "limit": 2, "group_by": "n", "group_size": 1}
    assert result(http.post(f"{where}/search/groups", json=groups))["groups"] == []


def test_columns_and_updates(make: Make, http: httpx.Client) -> None:
    name = make(vectors={"": PLANE, "other": {"size": 3, "distance": "Dot"}})
    where = f"/collections/{name}/points"
    columns = {"ids": [1, 2], "vectors": {"": [FIRST, SECOND], "other": [[1, 2, 3]] * 2}}
    result(http.put(f"{where}?wait=true", json={"batch": columns}))
    result(http.put(f"{where}?wait=true", json={"batch": {"ids": [3], "vectors": [SECOND]}}))
    change = {"points": [{"id": 2, "vector": {"": [[2.0, 2.0], [3.0, 4.0], [5.0, 6.0]]}}]}
    result(http.put(f"{where}/vectors?wait=true", json=change))
    result(http.post(f"{where}/vectors/delete?wait=true", json={"points": [1], "vector": [""]}))
    held = vectors_of(http, name)
    assert held[1] == {"other": [1.0, 2.0, 3.0]}
    assert held[2][""] == [[2.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    assert held[3] == SECOND
    filtered = {"must": [{"has_vector": ""}]}
    assert found(http, name, query=[[1.0, 0.0]], filter=filtered) == [(2, 5.0), (3, 0.5)]


def test_several_writes_in_one_request(plane: str, http: httpx.Client) -> None:
    operations = [
        {"upsert": {"points": [{"id": 3, "vector": [[9.0, 9.0]]}]}},
        {"update_vectors": {"points": [{"id": 1, "vector": [[0.0, 7.0]]}]}},
        {"delete": {"points": [2]}},
    ]
    result(
        http.post(f"/collections/{plane}/points/batch?wait=true", json={"operations": operations})
    )
    assert vectors_of(http, plane) == {1: [[0.0, 7.0]], 3: [[9.0, 9.0]]}


# What is no multi-vector of two numbers each, with status and words.
WRONG: dict[str, tuple[Any, int, str]] = {
    "one vector": ([1, 2], 400, "Conversion between multi and regular vectors failed"),
    "a sparse one": (
        {"indices": [1], "values": [1]},
        400,
        "Conversion between sparse and regular vectors failed",
    ),
    "none": ([], 400, "expected at least one vector, got none"),
    "an empty vector": ([[]], 422, "all vectors must be non-empty"),
    "an empty vector behind another": ([[1, 2], []], 422, "all vectors must be non-empty"),
    "ragged": (
        [[1, 2], [3]],
        422,
        "must have the same dimension, found vector with dimension 1 after one with 2",
    ),
    "other sizes": ([[1, 2, 3]], 400, "Vector dimension error: expected dim: 2, got 3"),
    "texts": ([["a", "b"]], 400, "expected a number"),
    "nulls": ([[None, 1]], 400, "expected a number"),
    "lists of lists": ([[[1, 2]]], 400, "expected a number"),
    "a vector behind a list": ([[1, 2], 3], 400, "expected '['"),
    "base64": ("AACAPwAAAEA=", 400, "expected a list of vectors"),
    "infinite": ([[1e39, 1]], 400, "NaN or Inf"),
    "too many": ([[1, 2]] * 4097, 400, "4097 vectors: expected at most 4096"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("form", ["points", "columns", "update"])
def test_one_wrong_set_refuses_the_batch_and_is_named(
    case: str, form: str, plane: str, http: httpx.Client
) -> None:
    wrong, status, words = WRONG[case]
    where = f"/collections/{plane}/points"
    points = [{"id": 1, "vector": [[7, 7]]}, {"id": 2, "vector": wrong}]
    if form == "update":
        if case == "none":  # of nothing there is nothing to update
            words, status = "must specify vectors to update for point", 422
        reply = http.put(f"{where}/vectors?wait=true", json={"points": points})
    elif form == "columns":
        columns = {"ids": [1, 2], "vectors": [point["vector"] for point in points]}
        reply = http.put(f"{where}?wait=true", json={"batch": columns})
    else:
        reply = http.put(f"{where}?wait=true", json={"points": points})
    text = refused(reply, status)
    assert words in text
    assert "point 2" in text or "points[1]" in text
    assert vectors_of(http, plane) == {1: FIRST, 2: SECOND}


def test_nan_is_no_json(plane: str, http: httpx.Client) -> None:
    body = b'{"points": [{"id": 1, "vector": [[1, NaN]]}]}'
    refused(http.put(f"/collections/{plane}/points", content=body), 400)


@pytest.mark.parametrize("case", sorted(WRONG.keys() - {"one vector", "base64", "none"}))
def test_what_is_no_query(case: str, plane: str, http: httpx.Client) -> None:
    wrong, status, words = WRONG[case]
    where = f"/collections/{plane}/points/query"
    for body in ({"query": wrong}, {"query": {"recommend": {"positive": [wrong]}}}):
        text = refused(http.post(where, json=body), status)
        if case != "a sparse one":
            assert words.removeprefix("4097 vectors: ") in text


def test_a_set_is_no_dense_vector(collection: str, http: httpx.Client) -> None:
    where = f"/collections/{collection}/points"
    points = [{"id": 1, "vector": [1, 2, 3]}, {"id": 2, "vector": [[1, 2, 3]]}]
    text = refused(http.put(where, json={"points": points}), 400)
    assert "Conversion between multi and regular vectors failed" in text
    assert "point 2" in text
    for body in ({"query": [[1, 2, 3]]}, {"query": {"discover": {"target": [[1, 2, 3]]}}}):
        text = refused(http.post(f"{where}/query", json=body), 400)
        assert "Conversion between multi and regular vectors failed" in text


def test_a_name_is_added_and_dropped(collection: str, http: httpx.Client) -> None:
    where = f"/collections/{collection}"
    body = {"dense": {"size": 2, "distance": "Dot", "multivector_config": MAX_SIM}}
    result(http.put(f"{where}/vectors/late?wait=true", json=body))
    result(http.put(f"{where}/vectors/late?wait=true", json=body))  # again
    put(http, collection, [{"id": 1, "vector": {"late": FIRST}}])
    assert found(http, collection, query=[[1, 1]], using="late") == [(1, 1.0)]
    assert state(http, collection)["config"]["params"]["vectors"]["late"] == body["dense"]
    del body["dense"]["multivector_config"]
    text = refused(http.put(f"{where}/vectors/late", json=body), 400)
    assert "different configuration" in text
    result(http.delete(f"{where}/vectors/late?wait=true"))
    assert vectors_of(http, collection) == {1: {}}


def test_how_sets_are_kept_is_told(make: Make, http: httpx.Client) -> None:
    own = {"vectors": {"late": {"fde": {"preset": "light"}, "pool": 2, "originals": "none"}}}
    name = make(
        vectors={"late": {**PLANE, "size": 32}, "plain": {"size": 2, "distance": "Dot"}},
        metadata={"palimpsest": own},
    )
    told = state(http, name)["palimpsest"]
    kept = told["multi_vectors"]["late"]
    assert told["vectors"].keys() == {"plain"}
    assert kept["comparator"] == "max_sim"
    assert kept["fde"]["preset"] == "light"
    assert kept["tokens"]["pool"] == 2
    assert (kept["originals"], kept["reads"]) == ("none", "codes")


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"fdee": {}}, "metadata.palimpsest.fdee: there is no such setting"),
        ({"fde": {"k": 1}}, "there are final, k_sim, preset, projected, repetitions, seed"),
        ({"tokens": {"bit": 4}}, "there are bits, got 4"),
        ({"vectors": {"": {"seal_rows": 9}}}, 'metadata.palimpsest.vectors."".seal_rows'),
        ({"tokens": {"bits": 3}}, "metadata.palimpsest.tokens.bits"),
        ({"fde": {"preset": "best"}}, "'light' or 'quality'"),
        ({"fde": {"k_sim": 77}}, "fde.k_sim: expected"),
        ({"max_vectors": 0}, "max_vectors: expected"),
        ({"originals": "int8"}, "metadata.palimpsest.originals"),
    ],
)
def test_settings_that_there_are_not(own: dict[str, Any], told: str, http: httpx.Client) -> None:
    body = {"vectors": PLANE, "metadata": {"palimpsest": own}}
    assert told in refused(http.put("/collections/never", json=body), 422)


def test_settings_of_nothing_are_named(make: Make, http: httpx.Client) -> None:
    own = {"pool": 2, "order": "shuffle", "vectors": {"nowhere": {"encoding": "8"}}}
    name = make(vectors={"size": 2, "distance": "Dot"}, metadata={"palimpsest": own})
    texts = [one["message"] for one in state(http, name)["warnings"]]
    assert texts == [
        'metadata.palimpsest.vectors.nowhere: {"encoding": "8"} is not carried out: there is no '
        "vector of that name",
        "metadata.palimpsest.pool: 2 is not carried out: it is of multi vectors, and there are "
        "none",
    ]


def test_a_limit_of_strict_mode(make: Make, http: httpx.Client) -> None:
    limits = {"enabled": True, "multivector_config": {"": {"max_vectors": 2}}}
    name = make(vectors=PLANE, strict_mode_config=limits)
    put(http, name, POINTS)
    three = {"points": [{"id": 3, "vector": [[1, 2]] * 3}]}
    text = refused(http.put(f"/collections/{name}/points", json=three), 400)
    assert "Multivector '' has a limit of 2 vectors, but 3 were provided!" in text
    assert vectors_of(http, name).keys() == {1, 2}


@pytest.mark.parametrize("distance", ["Cosine", "Dot", "Euclid", "Manhattan"])
def test_colbert_shapes_through_the_client(
    distance: str, server: Server, make: Make, http: httpx.Client
) -> None:
    """Documents of up to 134 vectors of 128 numbers, queries of 32; sealed and reopened rows."""
    rng = np.random.default_rng(6)
    documents = [
        _unit(rng.standard_normal((count, 128))) for count in rng.integers(1, 135, 24).tolist()
    ]
    name = make(
        vectors={
            "late": {"size": 128, "distance": distance, "multivector_config": MAX_SIM},
            "dense": {"size": 128, "distance": "Cosine"},
        },
        metadata={"palimpsest": {"quiet_rows": 1, "quiet_seconds": 0}},
    )
    client = QdrantClient(url=server.url, timeout=60)
    client.upload_points(
        name,
        [
            models.PointStruct(
                id=place, vector={"late": one, "dense": one.mean(axis=0)}, payload={"n": place % 3}
            )
            for place, one in enumerate(documents)
        ],
        wait=True,
        batch_size=8,
    )
    wait_for(http, name, lambda held: held["segments_count"] >= 2 and is_quiet(held))
    asked = _unit(documents[7][:32] + 0.1 * rng.standard_normal((len(documents[7][:32]), 128)))
    hits = client.query_points(name, asked, using="late", limit=24, with_vectors=["late"]).points
    expected = [_score(asked, one, distance) for one in documents]
    assert [hit.score for hit in hits] == pytest.approx([expected[hit.id] for hit in hits], 1e-4)
    best = sorted(range(24), key=lambda place: expected[place], reverse=_is_similarity(distance))
    assert [hit.id for hit in hits][:5] == best[:5]
    for hit in hits:
        np.testing.assert_allclose(hit.vector["late"], documents[hit.id], atol=1e-6)
    rescored = client.query_points(
        name,
        prefetch=models.Prefetch(query=documents[7].mean(axis=0), using="dense", limit=6),
        query=asked,
        using="late",
        limit=6,
    ).points
    order = [hit.id for hit in rescored]
    assert order == sorted(order, key=lambda place: best.index(place))
    assert 7 in order


def is_quiet(held: dict[str, Any]) -> bool:
    return held["status"] == "green" and "progress" not in held


def _unit(vectors: Any) -> Any:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _is_similarity(distance: str) -> bool:
    return distance in ("Cosine", "Dot")


def _score(query: Any, document: Any, distance: str) -> float:
    """MaxSim by its definition, in double."""
    q, d = query.astype(np.float64), document.astype(np.float64)
    if _is_similarity(distance):
        return float((q @ d.T).max(axis=1).sum())
    apart = q[:, None, :] - d[None, :, :]
    if distance == "Manhattan":
        return float(np.abs(apart).sum(axis=2).min(axis=1).sum())
    return float(np.sqrt(np.square(apart).sum(axis=2).min(axis=1).sum()))


def test_bodies_of_many_sets(make: Make, http: httpx.Client) -> None:
    """As many as fit into one body, with the fewest and the most vectors a set may have."""
    name = make(vectors=PLANE)
    counts = [1, 4096, 2, 17, 1, 512]
    rng = np.random.default_rng(9)
    sets = [rng.integers(-9, 10, (count, 2)).astype(float).tolist() for count in counts]
    body = {"points": [{"id": 2**63 + n, "vector": one} for n, one in enumerate(sets)]}
    assert len(json.dumps(body)) < BODY_LIMIT
    result(http.put(f"/collections/{name}/points?wait=true", json=body))
    assert vectors_of(http, name) == {2**63 + n: one for n, one in enumerate(sets)}


EXPLAINED = {"x-palimpsest-explain": "true"}


def explained(http: httpx.Client, path: str, body: Any) -> Any:
    return http.post(path, json=body, headers=EXPLAINED).json()["explain"]


def test_explained_hits_name_the_vectors_that_matched(plane: str, http: httpx.Client) -> None:
    where = f"/collections/{plane}/points/query"
    asked = [[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]]
    matched = [
        {"id": 1, "best": 0, "parts": [0, 1, 0], "scores": [1.0, 2.0, 3.0]},
        {"id": 2, "best": 0, "parts": [0, 0, 0], "scores": [0.5, 1.0, 2.0]},
    ]
    assert explained(http, where, {"query": asked})["matched"] == matched
    tree = {"prefetch": {"query": [1.0, 1.0], "limit": 5}, "query": asked, "limit": 1}
    assert explained(http, where, tree)["matched"] == matched[:1]
    batch = {"searches": [{"query": asked, "limit": 1}, {"query": [1.0, 0.0], "limit": 1}]}
    of_each = [one["matched"] for one in explained(http, f"{where}/batch", batch)]
    assert of_each == [matched[:1], [{"id": 1, "best": 0, "parts": [0], "scores": [1.0]}]]
    result(
        http.post(
            f"/collections/{plane}/points/payload?wait=true",
            json={"payload": {"n": 1}, "points": [2]},
        )
    )
    groups = {"query": asked, "group_by": "n"}
    assert explained(http, f"{where}/groups", groups)["matched"] == matched[1:]
    both = {"recommend": {"positive": [[[0.0, 1.0]], [[4.0, 4.0]]], "strategy": "best_score"}}
    (told,) = explained(http, where, {"query": both, "limit": 1})["matched"]
    assert told == {"id": 1, "best": 0, "parts": [0], "scores": [4.0], "example": 1}
    assert "matched" not in explained(http, where, {"query": {"sample": "random"}})
    assert "matched" not in http.post(where, json={"query": asked}).json()


def test_distances_of_what_matched_are_those_of_the_hit(make: Make, http: httpx.Client) -> None:
    name = make(vectors={**PLANE, "distance": "Euclid"})
    put(http, name, [{"id": 5, "vector": [[0.0, 0.0], [3.0, 4.0]]}])
    told = explained(http, f"/collections/{name}/points/query", {"query": [[3.0, 4.0], [0.0, 1.0]]})
    assert told["matched"] == [{"id": 5, "best": 1, "parts": [1, 0], "scores": [0.0, 1.0]}]
    found = query(http, name, query=[[3.0, 4.0], [0.0, 1.0]])
    assert found[0]["score"] == sum(told["matched"][0]["scores"])


def test_dense_hits_have_no_parts(collection: str, http: httpx.Client) -> None:
    put(http, collection, [{"id": 1, "vector": [1, 2, 3]}])
    told = explained(http, f"/collections/{collection}/points/query", {"query": [1, 2, 3]})
    assert "matched" not in told


def test_sets_survive_a_kill(tmp_path: Path) -> None:
    """What was acknowledged is there again, sealed and growing, and is found as before."""
    rng = np.random.default_rng(3)
    sets = [rng.integers(-9, 10, (count, 2)).astype(float).tolist() for count in range(1, 31)]
    asked = rng.integers(-9, 10, (5, 2)).astype(float).tolist()
    first = Server(tmp_path / "data")
    first.wait_until_ready()
    with httpx.Client(base_url=first.url, timeout=30) as http:
        own = {"quiet_rows": 1, "quiet_seconds": 0}
        body = {"vectors": PLANE, "metadata": {"palimpsest": own}}
        result(http.put("/collections/c", json=body))
        put(http, "c", [{"id": n, "vector": one} for n, one in enumerate(sets[:20])])
        wait_for(http, "c", lambda held: held["segments_count"] >= 1 and is_quiet(held))
        result(http.patch("/collections/c", json={"metadata": {"palimpsest": {}}}))
        put(http, "c", [{"id": n, "vector": one} for n, one in enumerate(sets[20:], 20)])
        before = found(http, "c", query=asked, limit=30)
    first.stop(signal.SIGKILL)
    second = Server(tmp_path / "data")
    second.wait_until_ready()
    with httpx.Client(base_url=second.url, timeout=30) as http:
        assert vectors_of(http, "c") == dict(enumerate(sets))
        assert found(http, "c", query=asked, limit=30) == before
    second.stop()
