"""Vectors as values, and the settings about them, over plain HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from tests.api.replies import refused, result

AT_ONCE = {"palimpsest": {"quiet_rows": 1, "quiet_seconds": 0}}
ZERO = [0.0, 0.0, 0.0]


def put(http: httpx.Client, name: str, points: list[dict[str, Any]]) -> None:
    result(http.put(f"/collections/{name}/points?wait=true", json={"points": points}))


def query(http: httpx.Client, name: str, **body: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = result(
        http.post(f"/collections/{name}/points/query", json={"limit": 10, **body})
    )["points"]
    return found


def scores(hits: list[dict[str, Any]]) -> dict[Any, float]:
    return {hit["id"]: hit["score"] for hit in hits}


def state(http: httpx.Client, name: str) -> dict[str, Any]:
    found: dict[str, Any] = result(http.get(f"/collections/{name}"))
    return found


def wait_for(http: httpx.Client, name: str, wanted: Callable[[dict[str, Any]], bool]) -> None:
    deadline = time.monotonic() + 60
    while not wanted(held := state(http, name)):
        assert time.monotonic() < deadline, held
        time.sleep(0.02)


def is_sealed(held: dict[str, Any]) -> bool:
    return held["status"] == "green" and held["indexed_vectors_count"] == held["points_count"]


BYTES = [[3.7, -1, 300], [0.99, 1, 254.5], [1e10, 0, 2]]
HALVES = [[1e10, 0.125, -1e10], [1, 2, 3], [0, 2049, 1e-9]]
AS_BYTES = [[3, 0, 255], [0, 1, 254], [255, 0, 2]]
AS_HALVES = [[65504, 0.125, -65504], [1, 2, 3], [0, 2048, 0]]


@pytest.mark.parametrize(
    ("datatype", "given", "kept"),
    [
        ("uint8", BYTES, AS_BYTES),
        ("float16", HALVES, AS_HALVES),
        ("turbo16", HALVES, AS_HALVES),
    ],
)
def test_values_are_of_the_datatype_from_the_first_moment(
    datatype: str,
    given: list[list[float]],
    kept: list[list[float]],
    http: httpx.Client,
    make: Callable[..., str],
) -> None:
    space = {"size": 3, "distance": "Dot", "datatype": datatype}
    name = make(vectors={"a": space}, metadata=AT_ONCE)
    put(http, name, [{"id": i, "vector": {"a": row}} for i, row in enumerate(given)])
    asked = {"query": given[0], "using": "a", "with_vector": True, "params": {"exact": True}}
    first = query(http, name, **asked)
    assert {hit["id"]: hit["vector"]["a"] for hit in first} == dict(enumerate(kept))
    if datatype != "turbo16":  # whose queries stay as they are
        assert scores(first) == pytest.approx(
            {i: float(np.dot(row, kept[0])) for i, row in enumerate(kept)}
        )
    wait_for(http, name, is_sealed)
    assert query(http, name, **asked) == first
    update = {"points": [{"id": 1, "vector": {"a": given[0]}}]}
    result(http.put(f"/collections/{name}/points/vectors?wait=true", json=update))
    assert query(http, name, **asked)[0]["vector"]["a"] == kept[0]


def test_bytes_under_cosine_are_given_back_as_bytes(
    http: httpx.Client, make: Callable[..., str]
) -> None:
    space = {"size": 3, "distance": "Cosine", "datatype": "uint8"}
    name = make(vectors=space, metadata=AT_ONCE)
    given = [[2, 2, 2], [10, 20, 30.5], [0.5, 0, 0.9], [255, 1, 0], [1, 2, 3]]
    kept = [[2, 2, 2], [10, 20, 30], [0, 0, 0], [255, 1, 0], [1, 2, 3]]
    points = [{"id": i, "vector": row} for i, row in enumerate(given)]
    put(http, name, [*points, *({"id": i, "vector": [i % 251, 7, 9]} for i in range(5, 1_500))])
    asked = {"query": [1.9, 2.2, 3], "with_vector": True, "limit": 1_500, "params": {"exact": True}}
    first = query(http, name, **asked)
    read = {hit["id"]: hit["vector"] for hit in first}
    assert [read[i] for i in range(5)] == kept
    unit = np.array([1, 2, 3]) / 14**0.5
    for hit in first:
        row = np.array(hit["vector"])
        assert hit["score"] == pytest.approx(row @ unit / max(np.linalg.norm(row), 1), abs=1e-6)
    assert scores(first)[1] == scores(first)[4] == 1.0
    wait_for(http, name, is_sealed)
    assert query(http, name, **asked) == first
    assert [hit["id"] for hit in query(http, name, query=4, limit=1)] == [1]
    page = {"with_vector": True, "limit": 5}
    held = result(http.post(f"/collections/{name}/points/scroll", json=page))["points"]
    assert [point["vector"] for point in held] == kept


def test_zero_vectors_under_cosine_everywhere(http: httpx.Client, make: Callable[..., str]) -> None:
    name = make(vectors={"size": 3, "distance": "Cosine"}, metadata=AT_ONCE)
    points = [{"id": i, "vector": [1.0, i, -i], "payload": {"n": i}} for i in range(1, 1_000)]
    put(http, name, [{"id": 0, "vector": ZERO, "payload": {"n": 0}}, *points])
    for _ in ("growing", "sealed"):
        assert result(http.get(f"/collections/{name}/points/0"))["vector"] == ZERO
        asked: list[Any] = [
            ZERO,
            0,
            {"nearest": ZERO, "mmr": {"diversity": 0.5}},
            {"recommend": {"positive": [ZERO]}},
            {"recommend": {"positive": [0], "strategy": "best_score"}},
            {"recommend": {"positive": [3], "negative": [0], "strategy": "sum_scores"}},
            {"discover": {"target": ZERO, "context": [{"positive": 3, "negative": 0}]}},
            {"context": [{"positive": 0, "negative": ZERO}]},
            {
                "relevance_feedback": {
                    "target": ZERO,
                    "feedback": [{"example": 0, "score": 0.5}],
                    "strategy": {"naive": {"a": 1, "b": 1, "c": 1}},
                }
            },
        ]
        for one in asked:
            assert len(query(http, name, query=one)) == 10, one
        assert scores(query(http, name, query=ZERO)) == dict.fromkeys(range(10), 0.0)
        some = {"must": [{"key": "n", "range": {"gte": 500}}]}
        pages = [
            [hit["id"] for hit in query(http, name, query=ZERO, filter=some, offset=at)]
            for at in (0, 10)
        ]
        assert pages == [list(range(500, 510)), list(range(510, 520))]
        everything = query(http, name, query=[1.0, 2.0, 3.0], limit=1_000)
        assert scores(everything)[0] == 0.0
        assert query(http, name, query=ZERO, score_threshold=0) == []
        below = query(http, name, query=ZERO, score_threshold=-0.1, limit=3)
        assert [hit["id"] for hit in below] == [0, 1, 2]
        fused = {"prefetch": [{"query": ZERO}, {"query": 5}], "query": {"fusion": "rrf"}}
        assert len(query(http, name, **fused)) == 10
        only = {"filter": {"must": [{"has_id": [0, 1, 2]}]}, "sample": 3, "limit": 2}
        pairs = result(http.post(f"/collections/{name}/points/search/matrix/pairs", json=only))
        zero = [pair["score"] for pair in pairs["pairs"] if 0 in (pair["a"], pair["b"])]
        assert zero and set(zero) == {0.0}
        wait_for(http, name, is_sealed)
    broken = {"points": [{"id": 5_000, "vector": [1e39, 0, 0]}]}
    assert http.put(f"/collections/{name}/points", json=broken).status_code in (400, 422)


def test_versions_and_adapters_take_zero_vectors(
    http: httpx.Client, make: Callable[..., str]
) -> None:
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((300, 8))
    name = make(vectors={"size": 8, "distance": "Cosine"})
    old, new = latent, latent @ rng.standard_normal((8, 6))
    old[::10], new[::15] = 0, 0
    put(http, name, [{"id": i, "vector": row.tolist()} for i, row in enumerate(old)])
    result(http.put(f"/collections/{name}/versions/v2", json={"size": 6}))
    rows = [{"id": i, "vector": {"@v2": row.tolist()}} for i, row in enumerate(new[:200])]
    result(http.put(f"/collections/{name}/points/vectors?wait=true", json={"points": rows}))
    for kind in ("ridge", "procrustes", "auto"):
        fit = {"rows": "v1", "queries": "v2", "kind": kind}
        result(http.post(f"/collections/{name}/adapters", json=fit))
        hits = query(http, f"{name}@v2", query=new[1].tolist(), limit=300)
        assert len(hits) == 300
        assert scores(hits)[0] == scores(hits)[150] == 0.0
        blank = query(http, f"{name}@v2", query=[0.0] * 6, limit=300)
        assert scores(blank) == dict.fromkeys(range(300), 0.0)
        assert [hit["id"] for hit in blank] == list(range(300))
        both = {"versions": {"v1": [0.0] * 8, "v2": [0.0] * 6}}
        assert query(http, name, query=both, limit=300) == blank


@pytest.mark.parametrize("distance", ["Dot", "Euclid", "Manhattan", "Cosine"])
def test_vectors_may_be_1e18_long(
    distance: str, http: httpx.Client, make: Callable[..., str]
) -> None:
    name = make(vectors={"size": 3, "distance": distance}, metadata=AT_ONCE)
    put(http, name, [{"id": 1, "vector": [1e18, 0, 0]}, {"id": 2, "vector": [0, -1e18, 0]}])
    hits = query(http, name, query=[1e18, 0, 0])
    assert [hit["id"] for hit in hits] == [1, 2]
    assert np.isfinite([hit["score"] for hit in hits]).all()
    if distance != "Cosine":
        body = {"points": [{"id": 3, "vector": [1, 0, 2e18]}]}
        text = refused(http.put(f"/collections/{name}/points?wait=true", json=body), 400)
        assert "point 3 is longer than 1e+18" in text
        asked = http.post(f"/collections/{name}/points/query", json={"query": [2e18, 0, 0]})
        assert "query vector is longer than 1e+18" in refused(asked, 400)


@pytest.mark.parametrize("distance", ["Dot", "Euclid", "Manhattan", "Cosine"])
def test_turbo4_goes_with_every_distance(
    distance: str, http: httpx.Client, make: Callable[..., str]
) -> None:
    turbo = {"turbo": {"bits": "bits4"}}
    for space in ({"datatype": "turbo4"}, {"quantization_config": turbo}):
        name = make(vectors={"size": 8, "distance": distance, **space}, metadata=AT_ONCE)
        rows = np.random.default_rng(0).standard_normal((100, 8))
        put(http, name, [{"id": i, "vector": row.tolist()} for i, row in enumerate(rows)])
        wait_for(http, name, is_sealed)
        found = [query(http, name, query=row.tolist(), limit=1)[0]["id"] for row in rows[:20]]
        assert np.mean([one == i for i, one in enumerate(found)]) > (distance != "Dot") * 0.9


def test_a_low_threshold_is_honoured_and_0_is_none(
    http: httpx.Client, make: Callable[..., str]
) -> None:
    rows = np.random.default_rng(0).standard_normal((100, 4)).tolist()
    points = [{"id": i, "vector": row} for i, row in enumerate(rows)]
    space = {"size": 4, "distance": "Cosine"}
    low = make(vectors=space, optimizers_config={"indexing_threshold": 1})
    put(http, low, points)
    assert state(http, low)["status"] == "yellow"
    wait_for(http, low, is_sealed)
    # as a benchmark does: off while rows are written, then on
    name = make(vectors=space)

    def change(threshold: int) -> None:
        body = {"optimizers_config": {"indexing_threshold": threshold}}
        result(http.patch(f"/collections/{name}", json=body))

    change(0)
    put(http, name, points)
    time.sleep(1.5)
    held = state(http, name)
    assert (held["status"], held["indexed_vectors_count"]) == ("green", 0)
    change(2)  # 128 rows of 16 bytes: more than there are
    assert (state(http, name)["status"], state(http, name)["indexed_vectors_count"]) == ("green", 0)
    change(1)
    assert state(http, name)["status"] == "yellow"
    wait_for(http, name, is_sealed)


def test_m_0_means_no_graph(http: httpx.Client, make: Callable[..., str]) -> None:
    n = 2_000
    rows = np.random.default_rng(0).standard_normal((n, 16)).tolist()
    plain = {"size": 16, "distance": "Cosine"}
    name = make(
        vectors={"a": plain, "b": {**plain, "hnsw_config": {"m": 0, "payload_m": 16}}},
        metadata=AT_ONCE,
    )
    points = [
        {"id": i, "vector": {"a": r, "b": r}, "payload": {"n": i}} for i, r in enumerate(rows)
    ]
    put(http, name, points)
    wait_for(http, name, lambda held: held["status"] == "green")
    described = state(http, name)["config"]["params"]["vectors"]["b"]["hnsw_config"]
    assert described == {"m": 0, "payload_m": 16}
    assert state(http, name)["indexed_vectors_count"] == n  # those of a
    some = {"must": [{"key": "n", "range": {"lt": 1_500}}]}

    def require_found() -> None:
        for i in range(0, 1_500, 100):
            for using in ("a", "b"):
                assert query(http, name, query=rows[i], using=using, limit=1)[0]["id"] == i
                hit = query(http, name, query=rows[i], using=using, limit=1, filter=some)[0]
                assert (hit["id"], hit["score"]) == (i, 1.0)

    require_found()
    for m, indexed in ((16, 2 * n), (0, n)):
        body = {"vectors": {"b": {"hnsw_config": {"m": m}}}}
        result(http.patch(f"/collections/{name}", json=body))
        assert state(http, name)["status"] == "yellow"
        wait_for(http, name, lambda held: held["status"] == "green")
        assert state(http, name)["indexed_vectors_count"] == indexed
        require_found()


def test_m_0_of_the_collection_is_shown_and_overridden(
    http: httpx.Client, make: Callable[..., str]
) -> None:
    space = {"size": 4, "distance": "Dot"}
    name = make(vectors={"a": space, "b": {**space, "hnsw_config": {"m": 8}}}, hnsw_config={"m": 0})
    config = state(http, name)["config"]
    assert config["hnsw_config"]["m"] == 0
    assert config["params"]["vectors"]["b"]["hnsw_config"] == {"m": 8}


@pytest.mark.parametrize("distance", ["Cosine", "Dot", "Euclid", "Manhattan"])
@pytest.mark.parametrize("datatype", ["float32", "float16", "uint8"])
def test_a_point_is_the_same_query_by_its_id_its_values_and_as_an_example(
    http: httpx.Client, datatype: str, distance: str
) -> None:
    name = f"examples-{datatype}-{distance}"
    rng = np.random.default_rng(7)
    rows = rng.integers(0, 256, (60, 12)).tolist()
    declared = {"size": 12, "distance": distance, "datatype": datatype}
    result(http.put(f"/collections/{name}", json={"vectors": declared}))
    put(http, name, [{"id": i, "vector": row} for i, row in enumerate(rows)])
    others = {"must_not": [{"has_id": [5]}]}
    expected = scores(query(http, name, query=rows[5], filter=others, params={"exact": True}))
    ways: list[Any] = [
        5,
        {"recommend": {"positive": [5]}},
        {"recommend": {"positive": [5, 5]}},
        {"recommend": {"positive": [rows[5]]}},
        {"nearest": 5, "mmr": {"diversity": 0, "candidates_limit": 60}},
    ]
    for way in ways:
        found = scores(query(http, name, query=way, filter=others, params={"exact": True}))
        assert found == pytest.approx(expected, rel=1e-3), way
    body = {"sample": 60, "limit": 59}
    pairs = result(http.post(f"/collections/{name}/points/search/matrix/pairs", json=body))["pairs"]
    of_one = {pair["b"]: pair["score"] for pair in pairs if pair["a"] == 5}
    assert {one: of_one[one] for one in expected} == pytest.approx(expected, rel=1e-3)
    similar = query(http, name, query={"recommend": {"positive": [5], "strategy": "best_score"}})
    assert similar[0]["id"] == next(iter(expected))
