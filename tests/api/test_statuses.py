"""Statuses and texts that clients tell apart, as Qdrant's server answers them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from palimpsest.app.schemas.changes import merge
from palimpsest.app.schemas.collections import CollectionChange
from tests.api.replies import refused, result

V = [1.0, 2.0, 3.0]
SPARSE = {"indices": [1], "values": [0.5]}
TWICE = {"indices": [1, 1], "values": [0.5, 0.5]}
UNEQUAL = {"indices": [1, 2], "values": [0.5]}


@pytest.fixture
def c(http: httpx.Client, collection: str) -> str:
    """A collection without versions: a dense vector, and a sparse one named "s"."""
    result(http.put(f"/collections/{collection}/vectors/s", json={"sparse": {}}))
    body = {"points": [{"id": n, "vector": {"": V, "s": SPARSE}} for n in (1, 2)]}
    result(http.put(f"/collections/{collection}/points?wait=true", json=body))
    return collection


QUERY = ("POST", "/points/query")
VECTORS = ("PUT", "/points/vectors")
POINTS = ("PUT", "/points")

ANSWERS: list[tuple[tuple[str, str], Any, int, str]] = [
    # Nothing to update, nothing to recommend by.
    (VECTORS, {"points": [{"id": 1, "vector": {}}]}, 422, "[points[0].vector: must specify"),
    (VECTORS, {"points": [{"id": 1, "vector": []}]}, 422, "[points[0].vector: must specify"),
    (VECTORS, {"points": [{"id": 1, "vector": {"s": []}}]}, 422, "points[0].vector"),
    (
        ("POST", "/points/batch"),
        {"operations": [{"update_vectors": {"points": [{"id": 1, "vector": {}}]}}]},
        422,
        "points[0].vector",
    ),
    (QUERY, {"query": {"recommend": {"positive": []}}}, 422, "At least one positive or negative"),
    (QUERY, {"query": {"recommend": {}}}, 422, "At least one positive or negative"),
    (
        QUERY,
        {"query": {"recommend": {"positive": [], "negative": []}}, "prefetch": {"query": V}},
        422,
        "At least one positive or negative",
    ),
    # What is not there.
    (QUERY, {"query": 9}, 404, "Not found: No point with id 9 found"),
    (QUERY, {"query": {"recommend": {"positive": [9]}}}, 404, "No point with id 9 found"),
    (VECTORS, {"points": [{"id": 9, "vector": V}]}, 404, "Not found: No point with id 9 found"),
    (
        ("POST", "/points/payload"),
        {"points": [9], "payload": {}},
        404,
        "Not found: No point with id 9 found",
    ),
    (
        QUERY,
        {"query": 1, "lookup_from": {"collection": "{c}", "vector": "zz"}},
        404,
        "Not found: Vectors with name 'zz' not found",
    ),
    (QUERY, {"query": 1, "lookup_from": {"collection": "no"}}, 404, "Collection `no` doesn't"),
    (
        ("POST", "/points/query/groups"),
        {"query": V, "group_by": "a", "with_lookup": "no"},
        404,
        "Not found: Collection `no` doesn't exist!",
    ),
    # Counts that are none.
    (QUERY, {"query": V, "limit": -1}, 400, "limit: expected an integer of 0 or more, got -1"),
    (QUERY, {"query": V, "offset": -1}, 400, "offset"),
    (QUERY, {"query": V, "params": {"hnsw_ef": -1}}, 400, "params.hnsw_ef"),
    (QUERY, {"query": V, "limit": 0}, 422, "limit: value 0 invalid"),
    (QUERY, {"query": V, "prefetch": {"query": V, "limit": -1}}, 400, "limit"),
    (("POST", "/points/query/groups"), {"query": V, "group_by": "a", "group_size": -1}, 400, "gr"),
    (("POST", "/points/scroll"), {"limit": -1}, 400, "limit"),
    (("POST", "/facet"), {"key": "a", "limit": -1}, 400, "limit"),
    (("POST", "/points/search/matrix/pairs"), {"sample": -1}, 400, "sample"),
    (
        ("POST", "/points/count"),
        {"filter": {"must": {"slice": {"total": 0, "index": 0}}}},
        400,
        "slice.total",
    ),
    # A malformed sparse vector comes before an unknown name.
    (POINTS, {"points": [{"id": 1, "vector": {"zz": TWICE}}]}, 422, "must be unique"),
    (POINTS, {"points": [{"id": 1, "vector": {"zz": V, "s": UNEQUAL}}]}, 422, "same length"),
    (POINTS, {"batch": {"ids": [1], "vectors": {"zz": [UNEQUAL]}}}, 422, "same length"),
    (VECTORS, {"points": [{"id": 1, "vector": {"zz": TWICE}}]}, 422, "must be unique"),
    (QUERY, {"query": TWICE, "using": "zz"}, 422, "must be unique"),
    (
        POINTS,
        {"points": [{"id": 1, "vector": {"zz": SPARSE}}]},
        400,
        "Wrong input: Not existing vector name error: zz",
    ),
    # idf is of sparse vectors.
    *(
        (QUERY, {"query": query, "params": {"idf": idf}}, 400, "Wrong input: `params.idf`")
        for query in (V, 1, {"nearest": V, "mmr": {"diversity": 0.5}})
        for idf in ("global", {"corpus": {}})
    ),
    (
        QUERY,
        {"prefetch": {"query": V, "params": {"idf": "global"}}, "query": {"fusion": "rrf"}},
        400,
        "Wrong input: `params.idf`",
    ),
    # How texts begin; no name of a version where there are none.
    (
        QUERY,
        {"query": V, "using": "a"},
        400,
        "Wrong input: Not existing vector name error: a (declared: '', 's')",
    ),
    (
        ("POST", "/points/search/matrix/pairs"),
        {"using": "a"},
        400,
        "Wrong input: Not existing vector name error: a (declared: '', 's')",
    ),
    (QUERY, {"query": [1]}, 400, "Wrong input: Vector dimension error: expected dim: 3, got 1"),
    (
        ("POST", "/points/vectors/delete"),
        {"points": [1], "vector": ["a"]},
        400,
        "Wrong input: Not existing vector name error: a (declared: '', 's')",
    ),
    (QUERY, {"query": {"fusion": "rrf"}}, 400, "Wrong input: "),
    (("POST", "/points/scroll"), {"order_by": "a"}, 400, "No range index for `order_by` key: `a`"),
    (("PUT", "/index"), {"field_name": "a", "field_schema": "nope"}, 400, "Wrong input: Unknown"),
    (
        ("PUT", "/index"),
        {"field_name": "a", "field_schema": {"type": "keyword", "on_disk": 1}},
        400,
        "Wrong input: Parameter `on_disk`",
    ),
]


@pytest.mark.parametrize("place", range(len(ANSWERS)))
def test_answers(place: int, http: httpx.Client, c: str) -> None:
    (method, path), body, status, expected = ANSWERS[place]
    if "lookup_from" in body and body["lookup_from"]["collection"] == "{c}":
        body = {**body, "lookup_from": {**body["lookup_from"], "collection": c}}
    text = refused(http.request(method, f"/collections/{c}{path}?wait=true", json=body), status)
    assert expected in text
    assert "@v1" not in text


def test_idf_of_sparse_vectors_is_answered(http: httpx.Client, c: str) -> None:
    for idf in ("global", {"corpus": {}}):
        body = {"query": SPARSE, "using": "s", "params": {"idf": idf}}
        assert result(http.post(f"/collections/{c}/points/query", json=body))["points"]


SETTINGS: list[tuple[Any, int, str]] = [
    *(
        ({name: count}, 400, f"{name}: expected an integer from 1")
        for name in ("shard_number", "replication_factor", "write_consistency_factor")
        for count in (-1, 0, 2**32)
    ),
    ({"hnsw_config": {"m": -1}}, 400, "hnsw_config.m"),
    ({"hnsw_config": {"ef_construct": -1}}, 400, "hnsw_config.ef_construct"),
    ({"hnsw_config": {"ef_construct": 3}}, 422, "hnsw_config.ef_construct"),
    ({"optimizers_config": {"indexing_threshold": -1}}, 400, "indexing_threshold"),
    ({"optimizers_config": {"indexing_threshold": 2**64}}, 400, "indexing_threshold"),
    ({"optimizers_config": {"deleted_threshold": -1}}, 422, "deleted_threshold"),
    ({"wal_config": {"wal_capacity_mb": -1}}, 400, "wal_capacity_mb"),
    ({"wal_config": {"wal_capacity_mb": 0}}, 422, "wal_capacity_mb"),
    ({"strict_mode_config": {"read_rate_limit": -1}}, 400, "read_rate_limit"),
    ({"strict_mode_config": {"read_rate_limit": 0}}, 422, "read_rate_limit"),
    ({"vectors": {"size": -1, "distance": "Dot"}}, 400, "vectors.size"),
    ({"vectors": {"size": 70_000, "distance": "Dot"}}, 422, "vectors.size"),
    ({"payload": {"memory": "pinned"}}, 422, "payload.memory"),
    ({"payload": {"memory": "hot"}}, 400, "payload.memory"),
    ({"sparse_vectors": {"s": {"index": {"datatype": "turbo4"}}}}, 422, "index.datatype"),
    ({"sparse_vectors": {"s": {"index": {"datatype": "turbo16"}}}}, 422, "index.datatype"),
    ({"sparse_vectors": {"s": {"index": {"datatype": "int8"}}}}, 400, "index.datatype"),
]


@pytest.mark.parametrize("place", range(len(SETTINGS)))
def test_settings(place: int, http: httpx.Client) -> None:
    change, status, expected = SETTINGS[place]
    body = {"vectors": {"size": 3, "distance": "Dot"}, **change}
    assert expected in refused(http.put("/collections/never", json=body), status)


def test_settings_of_changes_and_of_names(http: httpx.Client, c: str) -> None:
    path = f"/collections/{c}"
    refused(http.patch(path, json={"params": {"replication_factor": 0}}), 400)
    refused(http.patch(path, json={"params": {"payload": {"memory": "pinned"}}}), 422)
    refused(http.put(f"{path}/vectors/t", json={"sparse": {"datatype": "turbo4"}}), 422)


def test_what_earlier_releases_let_be_declared_can_still_be_changed() -> None:
    declared = {
        "vectors": {"size": 3, "distance": "Dot"},
        "shard_number": 2**40,
        "payload": {"memory": "pinned"},
        "sparse_vectors": {"s": {"index": {"datatype": "turbo4"}}},
    }
    assert merge(declared, CollectionChange()).shard_number == 2**40


@pytest.mark.parametrize("name", ["x" * 256, "é" * 128, "語" * 86])
def test_a_name_of_over_255_bytes(name: str, http: httpx.Client, c: str) -> None:
    body = {"vectors": {"size": 3, "distance": "Dot"}}
    for reply in (
        http.put(f"/collections/{name}", json=body),
        http.get(f"/collections/{name}"),
        http.post(f"/collections/{name}/points/query", json={"query": V}),
        http.post(f"/collections/{name}/points/count", json={}),
    ):
        assert "255 bytes" in refused(reply, 422)
    actions = [{"create_alias": {"collection_name": c, "alias_name": name}}]
    refused(http.post("/collections/aliases", json={"actions": actions}), 422)


@pytest.mark.parametrize("name", ["no", "no@v1"])
def test_no_such_collection(name: str, http: httpx.Client) -> None:
    calls: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("PATCH", "", {}),
        ("POST", "/points/query", {"query": V}),
        ("POST", "/points/search", {"vector": V, "limit": 1}),
        ("PUT", "/points", {"points": [{"id": 1, "vector": V}]}),
        ("GET", "/points/1", None),
        ("PUT", "/index", {"field_name": "a", "field_schema": "keyword"}),
        ("DELETE", "/index/a", None),
        ("POST", "/facet", {"key": "a"}),
        ("PUT", "/vectors/t", {"sparse": {}}),
        ("GET", "/versions", None),
        ("GET", "/adapters", None),
    ]
    for method, path, body in calls:
        text = refused(http.request(method, f"/collections/{name}{path}", json=body), 404)
        assert text == f"Not found: Collection `{name}` doesn't exist!"
    actions = [{"create_alias": {"collection_name": name, "alias_name": "a"}}]
    text = refused(http.post("/collections/aliases", json={"actions": actions}), 404)
    assert text == f"Not found: Collection `{name}` doesn't exist!"


def test_no_such_version_is_no_such_collection(http: httpx.Client, c: str) -> None:
    text = refused(http.get(f"/collections/{c}@v9"), 404)
    assert text.startswith(f"Not found: Collection `{c}@v9` doesn't exist!")


def test_a_missing_point_and_what_is_none(http: httpx.Client, c: str) -> None:
    path = f"/collections/{c}/points"
    assert refused(http.get(f"{path}/9"), 404) == "Not found: Point with id 9 does not exists!"
    text = refused(http.get(f"{path}/nine"), 400)
    assert text.startswith('Wrong input: Can not recognize "nine" as point id')
    text = refused(http.post(path, json={"ids": [-1]}), 400)
    assert text.startswith("Format error in JSON body: ")
    assert "value -1 is not a valid point ID, valid values are either an unsigned integer" in text


SIZES = [[], [0], [0, 0], [0] * 4, [1.0], [1.0] * 4, ""]


@pytest.mark.parametrize("vector", SIZES, ids=str)
@pytest.mark.parametrize("knobs", [{}, {"x-palimpsest-explain": "true"}], ids=["short", "long"])
def test_a_vector_of_another_size(
    vector: Any, knobs: dict[str, str], http: httpx.Client, c: str
) -> None:
    bodies: list[tuple[str, Any]] = [
        ("query", {"query": vector}),
        ("query", {"query": {"nearest": vector}}),
        ("query", {"query": {"nearest": vector, "mmr": {"diversity": 0.5}}}),
        ("query", {"query": {"recommend": {"positive": [vector]}}}),
        ("query", {"query": {"discover": {"target": vector, "context": []}}}),
        ("query", {"query": V, "prefetch": {"query": vector}}),
        ("query/batch", {"searches": [{"query": V}, {"query": vector}]}),
        ("query/groups", {"query": vector, "group_by": "g"}),
        ("search", {"vector": vector, "limit": 1}),
        ("search/groups", {"vector": vector, "limit": 1, "group_by": "g", "group_size": 1}),
        ("recommend", {"positive": [vector], "limit": 1}),
    ]
    for route, body in bodies:
        reply = http.post(f"/collections/{c}/points/{route}", json=body, headers=knobs)
        assert f"expected dim: 3, got {len(vector)}" in refused(reply, 400), (route, body)
