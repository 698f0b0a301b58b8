"""Unknown fields, aliases and nulls: what Qdrant leaves out is left out and warned of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qdrant_client import models

from palimpsest.app.errors import Refusal
from palimpsest.app.main import create_app
from palimpsest.app.routes.table import POINT_ROUTES
from palimpsest.app.schemas import (
    aliases,
    analysis,
    collections,
    formulas,
    kinds,
    points,
    records,
    searches,
    spaces,
    updates,
)
from palimpsest.app.schemas.indexes import IndexBody
from palimpsest.app.schemas.tolerance import ALIASES, REFUSED, TYPES, prune
from palimpsest.app.settings import Settings
from palimpsest.app.warnings import Warnings
from tests.api.replies import refused, result
from tests.api.served import Server

V = [1.0, 2.0, 3.0]
INDEX = "/collections/{c}/index"
QUERY = "/collections/{c}/points/query"


@pytest.fixture
def c(http: httpx.Client, collection: str) -> str:
    """A collection of three points."""
    body = {"points": [{"id": n, "vector": V, "payload": {"n": n, "g": "a"}} for n in (1, 2, 3)]}
    result(http.put(f"/collections/{collection}/points?wait=true", json=body))
    return collection


# Method, path, body, and what the warnings name.
UNKNOWN: dict[str, tuple[str, str, Any, list[str]]] = {
    "query": ("POST", QUERY, {"query": V, "top": 3}, ["top"]),
    "param": ("POST", QUERY, {"query": V, "params": {"ef": 1}}, ["params.ef"]),
    "quantization": (
        "POST",
        QUERY,
        {"query": V, "params": {"quantization": {"x": 1}}},
        ["params.quantization.x"],
    ),
    "kind": ("POST", QUERY, {"query": {"nearest": V, "x": 1}}, ["query.x"]),
    "within a kind": (
        "POST",
        QUERY,
        {"query": {"recommend": {"positive": [1], "x": 1}}},
        ["query.recommend.x"],
    ),
    "pair": (
        "POST",
        QUERY,
        {"query": {"context": [{"positive": 1, "negative": 2, "x": 3}]}},
        ["query.context[].x"],
    ),
    "function": (
        "POST",
        QUERY,
        {
            "query": {"formula": {"sum": [1, {"div": {"left": 1, "right": 2, "x": 1}}], "y": 1}},
            "prefetch": {"query": V},
        },
        ["query.formula.sum[].div.x", "query.formula.y"],
    ),
    "prefetches": (
        "POST",
        QUERY,
        {
            "query": {"fusion": "rrf"},
            "prefetch": [{"prefetch": {"query": V, "x": 1}, "query": V}, {"query": V, "y": 1}],
        },
        ["prefetch[].prefetch.x", "prefetch[].y"],
    ),
    "payload selector": (
        "POST",
        QUERY,
        {"query": V, "with_payload": {"include": ["a"], "x": 1}},
        ["with_payload.x"],
    ),
    "batch": ("POST", QUERY + "/batch", {"searches": [{"query": V, "x": 1}]}, ["searches[].x"]),
    "groups": (
        "POST",
        QUERY + "/groups",
        {"query": V, "group_by": "g", "with_lookup": {"collection": "{c}", "x": 1}},
        ["with_lookup.x"],
    ),
    "scroll": ("POST", "/collections/{c}/points/scroll", {"x": 1}, ["x"]),
    "count": ("POST", "/collections/{c}/points/count", {"x": 1}, ["x"]),
    "retrieve": ("POST", "/collections/{c}/points", {"ids": [1], "x": 1}, ["x"]),
    "upsert": (
        "PUT",
        "/collections/{c}/points",
        {"points": [{"id": n, "vector": V, "x": 1} for n in range(5)], "y": 1},
        ["points[].x", "y"],
    ),
    "columns": (
        "PUT",
        "/collections/{c}/points",
        {"batch": {"ids": [1], "vectors": [V], "x": 1}},
        ["batch.x"],
    ),
    "payload beside a new vector": (
        "PUT",
        "/collections/{c}/points/vectors",
        {"points": [{"id": 1, "vector": V, "payload": {"a": 1}}]},
        ["points[].payload"],
    ),
    "payload": (
        "POST",
        "/collections/{c}/points/payload",
        {"points": [1], "payload": {"a": 1}, "x": 1},
        ["x"],
    ),
    "operations": (
        "POST",
        "/collections/{c}/points/batch",
        {"operations": [{"delete": {"points": [9], "x": 1}}]},
        ["operations[].delete.x"],
    ),
    "facet": ("POST", "/collections/{c}/facet", {"key": "g", "x": 1}, ["x"]),
    "matrix": ("POST", "/collections/{c}/points/search/matrix/pairs", {"x": 1}, ["x"]),
    "index": (
        "PUT",
        INDEX,
        {"field_name": "g", "field_schema": {"type": "keyword", "x": 1}, "y": 1},
        ["field_schema.x", "y"],
    ),
    "index alone": (
        "PUT",
        INDEX,
        {"field_name": "g", "field_schema": {"type": "keyword", "x": 1}},
        ["field_schema.x"],
    ),
    "text index": (
        "PUT",
        INDEX,
        {
            "field_name": "g",
            "field_schema": {
                "type": "text",
                "stopwords": {"languages": ["english"], "custom": None, "x": 1},
                "stemmer": {"type": "snowball", "language": "english", "y": 1},
            },
        },
        ["field_schema.stopwords.x", "field_schema.stemmer.y"],
    ),
    "change": (
        "PATCH",
        "/collections/{c}",
        {"hnsw_config": {"x": 1}, "vectors": {"": {"size": 4}}, "y": 1},
        ["hnsw_config.x", "vectors..size", "y"],
    ),
    "strict mode": (
        "PATCH",
        "/collections/{c}",
        {"strict_mode_config": {"max_everything": 1}},
        ["strict_mode_config.max_everything"],
    ),
    "aliases": (
        "POST",
        "/collections/aliases",
        {"actions": [], "x": 1},
        ["x"],
    ),
    "vector name": (
        "PUT",
        "/collections/{c}/vectors/more",
        {"dense": {"size": 2, "distance": "Dot", "x": 1}},
        ["dense.x"],
    ),
}


def of(template: Any, name: str) -> Any:
    return json.loads(json.dumps(template).replace("{c}", name))


@pytest.mark.parametrize("case", UNKNOWN)
def test_unknown_fields_are_left_out_and_named(case: str, http: httpx.Client, c: str) -> None:
    method, path, body, named = UNKNOWN[case]
    reply = http.request(method, of(path, c), json=of(body, c))
    result(reply)
    warned = [f"unknown field `{name}` was left out" for name in named]
    assert sorted(reply.json()["warnings"]) == sorted(warned)


def test_warnings_are_counted_by_kind(http: httpx.Client, c: str) -> None:
    def counted() -> float:
        lines = http.get("/metrics").text.splitlines()
        series = 'palimpsest_warnings_total{kind="unknown_field"} '
        return float(next(line for line in lines if line.startswith(series)).split()[-1])

    before = counted()
    http.post(of(QUERY, c), json={"query": V, "x": 1, "y": 1})
    http.patch(f"/collections/{c}", json={"z": 1})
    assert counted() == before + 3


@pytest.mark.parametrize(
    "unknown", [{"x": []}, {"must": [{"key": "a", "match": {"value": 1}, "x": 1}]}]
)
def test_filters_refuse_what_they_do_not_know(unknown: Any, http: httpx.Client, c: str) -> None:
    for path, body in (
        (QUERY, {"query": V, "filter": unknown, "z": 1}),
        ("/collections/{c}/points/delete", {"filter": unknown, "z": 1}),
        ("/collections/{c}/points/count", {"filter": unknown}),
    ):
        assert "unknown field `x`" in refused(http.post(of(path, c), json=body), 400)
    assert result(http.post(f"/collections/{c}/points/count", json={}))["count"] == 3


def test_a_server_set_to_refuse_refuses_everywhere(tmp_path: Path) -> None:
    server = Server(tmp_path, PALIMPSEST_UNKNOWN_FIELDS="refuse")
    try:
        server.wait_until_ready()
        with httpx.Client(base_url=server.url) as client:
            body = {"vectors": {"size": 3, "distance": "Dot"}}
            text = refused(client.put("/collections/c", json={**body, "x": 1}), 400)
            assert "unknown field `x`" in text
            result(client.put("/collections/c", json={**body, "init_from": None}))
            for case in ("query", "kind", "prefetches", "upsert", "index", "change"):
                method, path, body, _ = UNKNOWN[case]
                reply = client.request(method, of(path, "c"), json=body)
                assert "unknown" in refused(reply, 400).lower()
            result(client.post(of(QUERY, "c"), json={"query": V, "with_vectors": True}))
    finally:
        server.process.kill()
        server.process.wait()


def test_aliases_of_reads(http: httpx.Client, c: str) -> None:
    def read(path: str, **body: Any) -> Any:
        reply = http.post(f"/collections/{c}/points{path}", json=body)
        assert "warnings" not in reply.json()
        return result(reply)

    assert read("", ids=[1], with_vectors=True)[0]["vector"] == V
    assert read("/scroll", with_vectors=True)["points"][0]["vector"] == V
    assert read("/query", query=V, with_vectors=True)["points"][0]["vector"] == V
    found = read(
        "/query/groups",
        query=V,
        group_by="n",
        with_vectors=True,
        with_lookup={"collection": c, "with_vector": True},
    )["groups"][0]
    assert found["hits"][0]["vector"] == V
    assert found["lookup"]["vector"] == V


def test_aliases_of_writes(http: httpx.Client, c: str) -> None:
    path = f"/collections/{c}/points"
    result(http.put(f"{path}?wait=true", json={"points": [{"id": 7, "vectors": V}]}))
    assert result(http.get(f"{path}/7"))["vector"] == V
    body = {"points": [{"id": 7, "vectors": [3, 2, 1]}]}
    result(http.put(f"{path}/vectors?wait=true", json=body))
    assert result(http.get(f"{path}/7"))["vector"] == [3, 2, 1]
    result(http.post(f"{path}/vectors/delete?wait=true", json={"points": [7], "vectors": [""]}))
    assert result(http.get(f"{path}/7"))["vector"] == {}


def test_aliases_of_settings(http: httpx.Client, c: str) -> None:
    short = {
        "quantization": {"scalar": {"type": "int8"}},
        "optimizer_config": {
            "indexing_threshold_kb": 11,
            "memmap_threshold_kb": 12,
            "max_segment_size_kb": 13,
        },
        "hnsw_config": {"full_scan_threshold_kb": 14},
    }
    name = f"{c}-settings"
    vectors = {"vectors": {"size": 3, "distance": "Dot"}}
    for reply in (
        http.put(f"/collections/{name}", json={**vectors, **short}),
        http.patch(f"/collections/{c}", json=short),
    ):
        result(reply)
        assert "warnings" not in reply.json()
    for each in (name, c):
        config = result(http.get(f"/collections/{each}"))["config"]
        assert config["quantization_config"]["scalar"]["type"] == "int8"
        optimizers = config["optimizer_config"]
        assert optimizers["indexing_threshold"] == 11
        assert optimizers["memmap_threshold"] == 12
        assert optimizers["max_segment_size"] == 13
        assert config["hnsw_config"]["full_scan_threshold"] == 14
    http.delete(f"/collections/{name}")


@pytest.mark.parametrize(
    ("method", "path", "body", "name"),
    [
        ("POST", QUERY, {"query": V, "with_vector": True, "with_vectors": True}, "with_vector"),
        ("POST", QUERY, {"query": V, "with_vectors": True, "with_vector": False}, "with_vector"),
        (
            "PUT",
            "/collections/{c}/points",
            {"points": [{"id": 9, "vector": V, "vectors": V}]},
            "vector",
        ),
        (
            "PATCH",
            "/collections/{c}",
            {"optimizers_config": {}, "optimizer_config": {}},
            "optimizers_config",
        ),
    ],
)
def test_a_name_and_its_alias_at_once(
    method: str, path: str, body: Any, name: str, http: httpx.Client, c: str
) -> None:
    text = refused(http.request(method, of(path, c), json=body), 400)
    assert f"duplicate field `{name}`" in text


@pytest.mark.parametrize("kind", ALIASES, ids=lambda kind: kind.__name__)
def test_a_null_beside_an_alias_is_absent(kind: type) -> None:
    for alias, name in ALIASES[kind].items():
        warnings = Warnings()
        meant = msgspec.json.encode({name: 1})
        for sent in ({alias: 1, name: None}, {name: None, alias: 1}, {name: 1, alias: None}):
            assert prune(msgspec.json.encode(sent), kind, warnings, strict=False) == meant
        assert not warnings


def test_two_kinds_at_once_are_refused(http: httpx.Client, c: str) -> None:
    for body in ({"nearest": V, "fusion": "rrf"}, {"sample": "random", "order_by": "n"}):
        assert "unknown field" in refused(http.post(of(QUERY, c), json={"query": body}), 400)
    vectors = {"size": 3, "distance": "Dot"}
    codes = {"scalar": {"type": "int8"}, "binary": {}}
    body = {"vectors": vectors, "quantization_config": codes}
    text = refused(http.put(f"/collections/{c}-two", json=body), 400)
    assert "expected an object with `scalar`" in text
    body = {"dense": vectors, "sparse": {}}
    text = refused(http.put(f"/collections/{c}/vectors/two", json=body), 400)
    assert "expected an object with `dense` or `sparse`" in text


def test_what_qdrant_knows_and_we_do_not_is_refused_by_name(http: httpx.Client, c: str) -> None:
    body = {"vectors": {"size": 3, "distance": "Dot"}, "init_from": {"collection": c}}
    assert "`init_from`" in refused(http.put("/collections/never", json=body), 400)
    text = refused(http.post(of(QUERY, c), json={"query": V, "shard_key": "a"}), 400)
    assert "`shard_key`" in text


INFERENCE = (
    {"text": "words", "model": "m"},
    {"image": "http://x/y.png", "model": "m", "options": {"a": 1}},
    {"object": {"a": 1}, "model": "m"},
)


@pytest.mark.parametrize("asked", INFERENCE)
def test_inference_is_refused_by_name(asked: Any, http: httpx.Client, c: str) -> None:
    url = f"/collections/{c}/points"
    result(http.put(f"/collections/{c}/vectors/s", json={"sparse": {}}))
    for method, path, body in (
        ("PUT", "", {"points": [{"id": 8, "vector": asked}]}),
        ("PUT", "", {"points": [{"id": 8, "vector": {"": asked}}]}),
        ("PUT", "", {"points": [{"id": 8, "vector": {"s": asked}}]}),
        ("PUT", "", {"batch": {"ids": [8], "vectors": [asked]}}),
        ("PUT", "", {"batch": {"ids": [8], "vectors": {"s": [asked]}}}),
        ("PUT", "/vectors", {"points": [{"id": 1, "vector": asked}]}),
        ("POST", "/query", {"query": asked}),
        ("POST", "/query", {"query": {"nearest": asked}, "using": "s"}),
        ("POST", "/query", {"query": {"recommend": {"positive": [asked]}}}),
    ):
        text = refused(http.request(method, url + path, json=body), 400)
        assert ("no embedder 'm'" if "text" in asked else "inference of") in text


# Null in every optional field, at every level.
NULLS: list[tuple[str, str, Any]] = [
    (
        "POST",
        QUERY,
        {
            "query": {"nearest": V, "mmr": None},
            "prefetch": None,
            "using": None,
            "limit": None,
            "offset": None,
            "score_threshold": None,
            "params": {
                "hnsw_ef": None,
                "exact": None,
                "quantization": {"ignore": None, "rescore": None, "oversampling": None},
                "indexed_only": None,
                "acorn": {"enable": None, "max_selectivity": None},
                "idf": None,
            },
            "filter": {"must": None, "should": None, "must_not": None, "min_should": None},
            "lookup_from": None,
            "with_payload": None,
            "with_vector": None,
            "shard_key": None,
            "unknown": None,
        },
    ),
    ("POST", QUERY, {"query": {"discover": {"target": V, "context": None}}}),
    ("POST", QUERY, {"query": {"recommend": {"positive": [1], "negative": None}}}),
    ("POST", QUERY, {"query": {"nearest": None, "fusion": None, "sample": "random"}}),
    ("POST", QUERY, {"query": V, "with_vector": None, "with_vectors": True}),
    (
        "POST",
        QUERY,
        {
            "query": {"formula": {"mult": None, "sum": [1, {"neg": None, "abs": 2}]}},
            "prefetch": {"query": V},
        },
    ),
    (
        "POST",
        "/collections/{c}/points/count",
        {"filter": {"must": {"key": "n", "match": {"value": 1, "any": None}, "has_id": None}}},
    ),
    ("POST", QUERY, {"query": {"rrf": {"k": None, "weights": None}}, "prefetch": {"query": V}}),
    ("POST", QUERY, {"query": {"formula": 1, "defaults": None}, "prefetch": {"query": V}}),
    (
        "POST",
        QUERY,
        {
            "query": {"formula": {"div": {"left": 1, "right": 1, "by_zero_default": None}}},
            "prefetch": {"query": V},
        },
    ),
    ("POST", QUERY + "/groups", {"query": V, "group_by": "g", "with_lookup": None}),
    ("POST", "/collections/{c}/points/scroll", {"order_by": None, "offset": None, "limit": None}),
    ("POST", "/collections/{c}/points/count", {"filter": None, "exact": None}),
    (
        "PUT",
        "/collections/{c}/points",
        {
            "points": [{"id": 1, "vector": V, "payload": None}],
            "batch": None,
            "shard_key": None,
            "update_filter": None,
            "update_mode": None,
        },
    ),
    ("POST", "/collections/{c}/points/payload", {"points": [1], "payload": {}, "key": None}),
    ("POST", "/collections/{c}/points/batch", {"operations": [{"upsert": None, "delete": {
        "points": [9], "filter": None}}]}),
    ("PUT", INDEX, {"field_name": "g", "field_schema": {"type": "keyword", "on_disk": None}}),
    ("POST", "/collections/aliases", {"actions": []}),
    (
        "PATCH",
        "/collections/{c}",
        {
            name: None
            for name in (
                *("vectors", "sparse_vectors", "optimizers_config", "params", "hnsw_config"),
                *("quantization_config", "strict_mode_config", "metadata", "unknown"),
            )
        },
    ),
    ("PUT", "/collections/{c}/versions/v2", {"size": 3, "vector": None, "model": None}),
    ("POST", "/collections/{c}/versions/v1/activate", {"vector": None, "force": None}),
]  # fmt: skip


@pytest.mark.parametrize("place", range(len(NULLS)))
def test_null_is_as_good_as_absent(place: int, http: httpx.Client, c: str) -> None:
    method, path, body = NULLS[place]
    reply = http.request(method, of(path, c), json=body)
    result(reply)
    assert "warnings" not in reply.json()


def test_null_in_every_setting(http: httpx.Client, c: str) -> None:
    hnsw = dict.fromkeys(spaces.HnswBody.model_fields)
    vectors = {
        **dict.fromkeys(spaces.VectorBody.model_fields),
        "size": 3,
        "distance": "Dot",
        "hnsw_config": hnsw,
    }
    body = {
        **dict.fromkeys(collections.CollectionBody.model_fields),
        "init_from": None,
        "vectors": vectors,
        "sparse_vectors": {"s": {"index": dict.fromkeys(spaces.SparseIndexBody.model_fields)}},
        "optimizers_config": dict.fromkeys(collections.OptimizersBody.model_fields),
        "strict_mode_config": dict.fromkeys(collections.StrictModeBody.model_fields),
        "quantization_config": {
            "scalar": {"type": "int8", "quantile": None, "always_ram": None},
            "binary": None,
        },
    }
    reply = http.put(f"/collections/{c}-nulls", json=body)
    result(reply)
    assert "warnings" not in reply.json()
    http.delete(f"/collections/{c}-nulls")


def test_a_required_field_that_is_null_is_missing(http: httpx.Client, c: str) -> None:
    text = refused(http.post(f"/collections/{c}/points", json={"ids": None}), 400)
    assert "missing required field `ids`" in text


# Qdrant's models beside our bodies: what Qdrant documents is never taken for unknown.
DOCUMENTED: list[tuple[Any, Any]] = [
    (models.CreateCollection, collections.CollectionBody),
    (models.UpdateCollection, collections.CollectionChange),
    (models.CollectionParamsDiff, collections.ParamsChange),
    (models.OptimizersConfigDiff, collections.OptimizersBody),
    (models.WalConfigDiff, collections.WalBody),
    (models.StrictModeConfig, collections.StrictModeBody),
    (models.HnswConfigDiff, spaces.HnswBody),
    (models.VectorParams, spaces.VectorBody),
    (models.VectorParamsDiff, spaces.VectorChange),
    (models.SparseVectorParams, spaces.SparseBody),
    (models.SparseIndexParams, spaces.SparseIndexBody),
    (models.ScalarQuantizationConfig, spaces.ScalarBody),
    (models.ProductQuantizationConfig, spaces.ProductBody),
    (models.BinaryQuantizationConfig, spaces.BinaryBody),
    (models.PointStruct, points.PointBody),
    (models.PointVectors, points.PointVectorsBody),
    (models.Batch, points.BatchBody),
    (models.PointsList, points.UpsertBody),
    (models.PointsBatch, points.UpsertBody),
    (models.SetPayload, updates.SetPayloadBody),
    (models.DeletePayload, updates.DeletePayloadBody),
    (models.UpdateVectors, updates.UpdateVectorsBody),
    (models.DeleteVectors, updates.DeleteVectorsBody),
    (models.FilterSelector, updates.SelectionBody),
    (models.PointIdsList, updates.SelectionBody),
    (models.UpdateOperations, updates.OperationsBody),
    (models.QueryRequest, searches.QueryBody),
    (models.QueryGroupsRequest, searches.GroupsBody),
    (models.Prefetch, searches.LevelBody),
    (models.SearchParams, searches.ParamsBody),
    (models.QuantizationSearchParams, searches.QuantizationBody),
    (models.AcornSearchParams, searches.AcornBody),
    (models.LookupLocation, searches.LookupBody),
    (models.WithLookup, searches.WithLookupBody),
    (models.NearestQuery, kinds.NearestBody),
    (models.Mmr, kinds.MmrBody),
    (models.RecommendInput, kinds.RecommendInput),
    (models.DiscoverInput, kinds.DiscoverInput),
    (models.ContextPair, kinds.PairBody),
    (models.OrderBy, kinds.OrderByInput),
    (models.Rrf, kinds.RrfInput),
    (models.FormulaQuery, kinds.FormulaBody),
    (models.DecayParamsExpression, formulas.DecayBody),
    (models.ScrollRequest, records.ScrollBody),
    (models.PointRequest, records.RetrieveBody),
    (models.CountRequest, records.CountBody),
    (models.FacetRequest, analysis.FacetBody),
    (models.SearchMatrixRequest, analysis.MatrixBody),
    (models.CreateFieldIndex, IndexBody),
    (models.ChangeAliasesOperation, aliases.AliasesBody),
]


@pytest.mark.parametrize(("theirs", "ours"), DOCUMENTED, ids=lambda each: each.__name__)
def test_every_field_that_qdrant_documents_is_known(theirs: Any, ours: Any) -> None:
    fields = TYPES.fields(ours)
    assert set(theirs.model_fields) <= fields.known.keys() | fields.refused


def test_aliases_name_fields_that_exist() -> None:
    for kind, names in ALIASES.items():
        known = TYPES.fields(kind).known
        assert set(names.values()) <= known.keys()
        assert not names.keys() & known.keys()
    for kind, refused_names in REFUSED.items():
        assert not refused_names & TYPES.fields(kind).known.keys()


BODIES = [route.body for route in POINT_ROUTES.values() if route.body is not None]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["query", "points", "vector", "params", "prefetch", "formula", "sum", "x"]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(value=JSON, kind=st.sampled_from(BODIES))
def test_pruning_never_fails_and_is_done_once(value: Any, kind: Any) -> None:
    text = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    try:
        pruned = prune(text, kind, Warnings(), False)
    except Refusal as refusal:
        assert refusal.status == 400
        return
    again = Warnings()
    assert prune(pruned, kind, again, False) is pruned
    assert not again


def test_payloads_filters_and_numbers_keep_their_text() -> None:
    payload = b'{"x":1.50,"x2":18446744073709551616,"\xd1\x86":[ 1 , 2 ]}'
    text = b'{"points":[{"id":1,"vector":[1.0,2e0],"payload":%b,"y":null}],"z":1}' % payload
    pruned = prune(text, points.UpsertBody, Warnings(), False)
    assert payload in pruned
    assert b"[1.0,2e0]" in pruned
    decoded = msgspec.json.decode(pruned, type=points.UpsertBody)
    assert decoded.points is not None and bytes(decoded.points[0].payload) == payload


def test_the_setting_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIMPSEST_UNKNOWN_FIELDS", "refuse")
    assert create_app(Settings()).context.settings.unknown_fields == "refuse"
