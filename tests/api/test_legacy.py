"""The calls of before there was one query: answered as the query API answers the same question."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palimpsest.app.routes.table import POINT_ROUTES
from tests.api.replies import refused, result
from tests.api.upgrades import OLD, POINTS, Upgrade, rotation

NAME, OTHER = "legacy", "legacy-elsewhere"
SIZE, HELD, TERMS = 4, 90, 12
DENSE = {"": "Cosine", "euc": "Euclid", "man": "Manhattan", "ключ": "Dot"}
SPARSE = "sp"
CALLS = ("search", "recommend", "discover")
BATCH = "/batch"


def dense(seed: int) -> list[float]:
    rng = np.random.default_rng(seed)
    return [float(x) for x in rng.standard_normal(SIZE).astype(np.float32)]


def sparse(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    indices = rng.choice(TERMS, size=4, replace=False)
    return {"indices": indices.tolist(), "values": [0.25 * n + 0.5 for n in range(4)]}


def vector(name: str, seed: int) -> Any:
    return sparse(seed) if name == SPARSE else dense(seed)


def id_of(place: int) -> int | str:
    return place if place % 3 else f"00000000-0000-4000-8000-{place:012d}"


def fill(http: httpx.Client, name: str, salt: int) -> None:
    body = {
        "vectors": {each: {"size": SIZE, "distance": d} for each, d in DENSE.items()},
        "sparse_vectors": {SPARSE: {}},
    }
    result(http.put(f"/collections/{name}", json=body))
    points = [
        {
            "id": id_of(place),
            "vector": {each: vector(each, salt + place) for each in (*DENSE, SPARSE)},
            "payload": {"n": place, "tag": [f"t{place % 5}", place % 2], "цвет": f"ц{place % 3}"},
        }
        for place in range(HELD)
    ]
    result(http.put(f"/collections/{name}/points?wait=true", json={"points": points}))


@pytest.fixture(scope="module")
def filled(http: httpx.Client) -> Iterator[str]:
    for name, salt in ((NAME, 0), (OTHER, 1000)):
        fill(http, name, salt)
    yield f"/collections/{NAME}"
    for name in (NAME, OTHER):
        http.delete(f"/collections/{name}")


seeds = st.integers(2000, 3000)
names = st.sampled_from([*DENSE, SPARSE])
filters = st.sampled_from(
    [
        {"must": [{"key": "n", "range": {"lt": 60}}]},
        {"must_not": [{"key": "tag", "match": {"any": ["t1", "t2"]}}]},
        {"should": [{"has_id": [1, 2, 4, id_of(0)]}]},
    ]
)
params = st.sampled_from(
    [
        {"exact": True},
        {"hnsw_ef": 64, "quantization": {"rescore": True, "oversampling": 2.0}},
        {"indexed_only": False, "exact": False},
    ]
)
payloads = st.sampled_from(
    [True, False, ["n"], {"include": ["tag"]}, {"exclude": ["n"]}, {"include": ["tag[]"]}]
)
vectors = st.sampled_from([True, False, ["euc"], ["", SPARSE]])


@st.composite
def shared(draw: st.DrawFn) -> dict[str, Any]:
    """What both bodies hold in the same words."""
    body: dict[str, Any] = {"limit": draw(st.integers(1, 2 * HELD))}
    for field, values in {
        "filter": filters,
        "params": params,
        "with_payload": payloads,
        "with_vector": vectors,
    }.items():
        value = draw(st.none() | values)
        if value is not None:
            body[field] = value
    return body


def examples(draw: st.DrawFn, name: str, least: int, most: int) -> list[Any]:
    one = st.one_of(seeds.map(lambda seed: vector(name, seed)), st.integers(0, 80).map(id_of))
    return draw(st.lists(one, min_size=least, max_size=most))


@st.composite
def search(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    name, seed = draw(names), draw(seeds)
    given = vector(name, seed)
    wrapped: Any = {"name": name, "vector": given}
    asked = draw(st.sampled_from([wrapped, given])) if name == "" else wrapped
    return {"vector": asked}, {"query": given, "using": name}


@st.composite
def recommend(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    name = draw(names)
    strategy = draw(st.sampled_from([None, "average_vector", "best_score", "sum_scores"]))
    least = 1 if strategy in (None, "average_vector") or draw(st.booleans()) else 0
    given: dict[str, Any] = {"positive": examples(draw, name, least, 3)}
    given["negative"] = examples(draw, name, 1 - least, 2)
    if strategy is not None:
        given["strategy"] = strategy
    where = places(draw, name)
    return {**given, **where}, {"query": {"recommend": given}, **where}


@st.composite
def discover(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    name = draw(names)
    context = [
        dict(zip(("positive", "negative"), examples(draw, name, 2, 2), strict=True))
        for _ in range(draw(st.integers(0, 3)))
    ]
    where = places(draw, name)
    if context and draw(st.booleans()):
        return {"context": context, **where}, {"query": {"context": context}, **where}
    (target,) = examples(draw, name, 1, 1)
    given = {"target": target, "context": context}
    asked = {"target": target} if not context and draw(st.booleans()) else given
    return {**asked, **where}, {"query": {"discover": given}, **where}


def places(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """Where examples are compared and read."""
    lookup = draw(st.sampled_from([None, None, {"collection": OTHER, "vector": name}]))
    found: dict[str, Any] = {"using": name}
    if lookup is not None:
        found["lookup_from"] = lookup
    return found


QUESTIONS = {"search": search(), "recommend": recommend(), "discover": discover()}


@st.composite
def questions(draw: st.DrawFn, call: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """One question in the words of a call, and in those of the query API."""
    common, (asked, query) = draw(shared()), draw(QUESTIONS[call])
    offset = draw(st.none() | st.integers(0, 30))
    if offset is not None:
        common["offset"] = offset
    threshold = draw(st.none() | st.sampled_from([-0.5, 0.3, 2.0]))
    if threshold is not None and call != "discover":
        common["score_threshold"] = threshold
    return {**common, **asked}, {**common, **query}


repeatable = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("call", CALLS)
def test_one_question_has_one_answer(call: str, filled: str, http: httpx.Client) -> None:
    seen: list[int] = []

    @repeatable
    @given(question=questions(call))
    def check(question: tuple[dict[str, Any], dict[str, Any]]) -> None:
        asked, query = question
        found = http.post(f"{filled}/points/{call}", json=asked)
        expected = http.post(f"{filled}/points/query", json=query)
        assert result(found) == result(expected)["points"]
        seen.append(len(result(found)))

    check()
    assert max(seen) > 20


@pytest.mark.parametrize("call", CALLS)
def test_a_batch_is_a_list_of_lists(call: str, filled: str, http: httpx.Client) -> None:
    @settings(repeatable, max_examples=15)
    @given(batch=st.lists(questions(call), max_size=4))
    def check(batch: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
        asked = {"searches": [one for one, _ in batch]}
        query = {"searches": [one for _, one in batch]}
        found = result(http.post(f"{filled}/points/{call}/batch", json=asked))
        expected = result(http.post(f"{filled}/points/query/batch", json=query))
        assert found == [one["points"] for one in expected]

    check()


@pytest.mark.parametrize("call", ["search", "recommend"])
def test_groups_are_those_of_the_query(call: str, filled: str, http: httpx.Client) -> None:
    lookups = [None, OTHER, {"collection": OTHER, "with_payload": ["n"], "with_vectors": True}]

    @settings(repeatable, max_examples=40)
    @given(
        question=st.tuples(shared(), QUESTIONS[call]),
        by=st.sampled_from(["tag", "n", "цвет"]),
        size=st.integers(1, 4),
        lookup=st.sampled_from(lookups),
    )
    def check(question: Any, by: str, size: int, lookup: Any) -> None:
        common, (asked, query) = question
        common |= {"group_by": by, "group_size": size}
        if lookup is not None:
            common["with_lookup"] = lookup
        found = result(http.post(f"{filled}/points/{call}/groups", json={**common, **asked}))
        reply = http.post(f"{filled}/points/query/groups", json={**common, **query})
        assert found == result(reply)
        assert found["groups"]

    check()


def test_a_vector_may_come_as_base64(filled: str, http: httpx.Client) -> None:
    given = dense(2100)
    text = base64.b64encode(np.array(given, dtype="<f4").tobytes()).decode()
    for plain, short in ((given, text), ({"name": "euc", "vector": given},) * 2):
        both = [
            result(http.post(f"{filled}/points/search", json={"vector": each, "limit": 5}))
            for each in (plain, short)
        ]
        assert both[0] == both[1]


def test_where_a_body_holds_its_arrays_changes_nothing(filled: str, http: httpx.Client) -> None:
    parts = {
        "vector": {"vector": dense(2200), "name": "euc"},
        "filter": {"must": [{"has_id": [1, 2, 4, 5]}]},
        "with_payload": ["n"],
        "limit": 3,
    }
    replies = [
        result(http.post(f"{filled}/points/search", json={key: parts[key] for key in order}))
        for order in (parts, reversed(parts))
    ]
    assert replies[0] == replies[1]
    assert len(replies[0]) == 3


LEAST: dict[str, dict[str, Any]] = {
    "search": {"vector": dense(1), "limit": 3},
    "recommend": {"positive": [1], "limit": 3},
    "discover": {"target": 1, "limit": 3},
}
REFUSED: dict[str, tuple[str, Any, int, str]] = {
    "no limit": ("search", {"limit": ...}, 400, "missing required field `limit`"),
    "limit 0": ("search", {"limit": 0}, 422, "limit: value 0 invalid, must be 1 or larger"),
    "offset -1": ("recommend", {"offset": -1}, 400, "offset: expected an integer of 0 or more"),
    "no vector": ("search", {"vector": ...}, 400, "missing required field `vector`"),
    "null vector": ("search", {"vector": None}, 400, "vector"),
    "an id": ("search", {"vector": 7}, 400, "expected a vector, got 7"),
    "nameless": ("search", {"vector": {"vector": dense(1)}}, 400, "missing required field `name`"),
    "length": ("search", {"vector": [1, 2]}, 400, "expected dim: 4, got 2"),
    "unknown name": (
        "search",
        {"vector": {"name": "a", "vector": dense(1)}},
        400,
        "Not existing vector name error: a",
    ),
    "kind": (
        "search",
        {"vector": {"name": "euc", "vector": sparse(1)}},
        400,
        "Conversion between sparse and regular vectors failed",
    ),
    "several vectors": ("search", {"vector": [dense(1)]}, 400, "multi and regular"),
    "shard key": ("search", {"shard_key": "a"}, 400, "`shard_key` is not supported"),
    "shard key of examples": ("recommend", {"shard_key": "a"}, 400, "`shard_key` is not supported"),
    "no examples": (
        "recommend",
        {"positive": []},
        400,
        "Bad request: At least one positive vector ID required with this strategy",
    ),
    "no examples at all": (
        "recommend",
        {"positive": ..., "strategy": "best_score"},
        400,
        "Bad request: At least one positive or negative vector ID required with this strategy",
    ),
    "strategy": ("recommend", {"strategy": "worst"}, 400, "strategy"),
    "unknown example": ("recommend", {"positive": [7777]}, 404, "No point with id 7777 found"),
    "nothing to discover": (
        "discover",
        {"target": None},
        400,
        "Bad request: target and/or context_pairs must be specified",
    ),
    "half a pair": ("discover", {"context": [{"positive": 1}]}, 400, "`negative`"),
    "a single pair": (
        "discover",
        {"context": {"positive": 1, "negative": 2}},
        400,
        "context",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str, filled: str, http: httpx.Client) -> None:
    call, change, status, text = REFUSED[case]
    body = {key: value for key, value in {**LEAST[call], **change}.items() if value is not ...}
    assert text in refused(http.post(f"{filled}/points/{call}", json=body), status)
    batch = http.post(f"{filled}/points/{call}/batch", json={"searches": [LEAST[call], body]})
    assert text in refused(batch, status)


def test_groups_need_their_size_and_their_number(filled: str, http: httpx.Client) -> None:
    for call in ("search", "recommend"):
        whole = {**LEAST[call], "group_by": "tag", "group_size": 2}
        assert result(http.post(f"{filled}/points/{call}/groups", json=whole))["groups"]
        for field in ("group_by", "group_size", "limit"):
            body = {key: value for key, value in whole.items() if key != field}
            reply = http.post(f"{filled}/points/{call}/groups", json=body)
            assert f"missing required field `{field}`" in refused(reply, 400)
        for field in ("group_size", "limit"):
            reply = http.post(f"{filled}/points/{call}/groups", json={**whole, field: 0})
            assert f"{field}: value 0 invalid" in refused(reply, 422)


def test_bodies_that_are_no_json_are_refused(filled: str, http: httpx.Client) -> None:
    for (method, suffix), route in POINT_ROUTES.items():
        if route.deprecated:
            for text in (b"", b"{", b"[]", b'{"vector":[', b'"\xff"', b"[" * 10_000):
                reply = http.request(method, f"{filled}/{suffix}", content=text)
                assert refused(reply, 400).startswith("Format error in JSON body: ")
    refused(http.post("/collections/nowhere/points/search", json=LEAST["search"]), 404)


def test_strict_mode_and_rates_hold(http: httpx.Client, make: Any) -> None:
    strict = {"enabled": True, "max_query_limit": 5, "search_max_batchsize": 1}
    strict |= {"search_allow_exact": False, "unindexed_filtering_retrieve": False}
    path = (
        f"/collections/{make(vectors={'size': SIZE, 'distance': 'Dot'}, strict_mode_config=strict)}"
    )
    points = [{"id": n, "vector": dense(n), "payload": {"tag": n}} for n in range(9)]
    result(http.put(f"{path}/points?wait=true", json={"points": points}))
    field = {"key": "tag", "match": {"value": 1}}
    for call, body in LEAST.items():
        assert len(result(http.post(f"{path}/points/{call}", json=body))) == 3
        for change, text in (
            ({"limit": 6}, 'Limit exceeded 6 > 5 for "limit"'),
            ({"params": {"exact": True}}, "Exact search disabled!"),
            ({"filter": {"must": [field]}}, "Index required"),
        ):
            reply = http.post(f"{path}/points/{call}", json={**body, **change})
            assert text in refused(reply, 400)
        reply = http.post(f"{path}/points/{call}/batch", json={"searches": [body, body]})
        assert "search batch size" in refused(reply, 400)
    for call in ("search", "recommend"):
        body = {**LEAST[call], "group_by": "tag", "group_size": 1}
        assert "tag" in refused(http.post(f"{path}/points/{call}/groups", json=body), 400)
    limited = {"strict_mode_config": {"enabled": True, "read_rate_limit": 2}}
    result(http.patch(path, json=limited))
    statuses = [
        http.post(f"{path}/points/{call}", json=body).status_code
        for _ in range(2)
        for call, body in LEAST.items()
    ]
    assert 429 in statuses


def test_metrics_count_them_by_their_own_routes(filled: str, http: httpx.Client) -> None:
    def searches(text: str) -> float:
        name = "palimpsest_search_duration_seconds_count{"
        lines = [line for line in text.splitlines() if line.startswith(name)]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    before = searches(http.get("/metrics").text)
    result(http.post(f"{filled}/points/search", json=LEAST["search"]))
    result(http.post(f"{filled}/points/recommend/batch", json={"searches": [LEAST["recommend"]]}))
    text = http.get("/metrics").text
    assert searches(text) == before + 2
    for suffix in ("search", "recommend/batch"):
        assert f'route="/collections/{{collection_name}}/points/{suffix}",status="200"' in text


def test_versions_and_our_headers_hold(http: httpx.Client) -> None:
    name = "legacy-upgrade"
    result(http.put(f"/collections/{name}", json={"vectors": {"size": OLD, "distance": "Cosine"}}))
    upgrade = Upgrade(http, name)
    upgrade.fill()
    upgrade.declare()
    upgrade.migrate(range(POINTS // 2))
    upgrade.fit()
    new = (upgrade.queries[0] @ rotation()).tolist()
    bodies: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "search": ({"vector": new}, {"query": new}),
        "recommend": (
            {"positive": [new, 3], "negative": [9]},
            {"query": {"recommend": {"positive": [new, 3], "negative": [9]}}},
        ),
        "discover": (
            {"target": new, "context": [{"positive": 3, "negative": 7}]},
            {"query": {"discover": {"target": new, "context": [{"positive": 3, "negative": 7}]}}},
        ),
    }
    for bridge in ("on", "off"):
        headers = {"x-palimpsest-explain": "true", "x-palimpsest-bridge": bridge}
        for call, (asked, query) in bodies.items():
            path = f"{upgrade.path}@v2/points"
            limited = {**asked, "limit": 8}
            found = http.post(f"{path}/{call}", json=limited, headers=headers)
            expected = http.post(f"{path}/query", json={**query, "limit": 8}, headers=headers)
            assert result(found) == result(expected)["points"]
            ours, theirs = found.json()["explain"], expected.json()["explain"]
            assert ours["versions"] == theirs["versions"]
            batch = http.post(f"{path}/{call}/batch", json={"searches": [limited]}, headers=headers)
            assert result(batch) == [result(found)]
            assert len(batch.json()["explain"]) == 1
    wrong = {"x-palimpsest-bridge": "maybe"}
    reply = http.post(f"{upgrade.path}/points/search", json={"vector": [1]}, headers=wrong)
    assert "x-palimpsest-bridge" in refused(reply, 400)
    http.delete(upgrade.path)


def test_the_document_calls_them_deprecated(http: httpx.Client) -> None:
    paths = http.get("/openapi.json").json()["paths"]
    deprecated = {
        path.rpartition("points/")[2]
        for path, methods in paths.items()
        for operation in methods.values()
        if operation.get("deprecated")
    }
    assert deprecated == {
        "search",
        "search/batch",
        "search/groups",
        "recommend",
        "recommend/batch",
        "recommend/groups",
        "discover",
        "discover/batch",
    }
    assert "points/query" in json.dumps(paths)
