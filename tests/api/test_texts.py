"""Texts in the place of vectors, through a server, its provider, and clients as they are."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from qdrant_client import QdrantClient, models

from tests.api.providing import SIZE, Provider, letters, providing
from tests.api.replies import result
from tests.api.served import Server, serving

KEY = "sk-very-secret-1234567890"
BROKEN = (
    *("silent", "short", "torn", "half", "shuffled", "twice", "nan", "infinite", "words"),
    *("huge", "prose"),
)
TEXTS = ("the cat sat on the mat", "zebras jazz", "größe und höhe 東京", "quick brown foxes")


def declared(url: str) -> str:
    tables = [
        f"""
[embedders.letters]
url = "{url}/"
model = "counting"
size = {SIZE}
key_env = "LETTERS_KEY"
query_prefix = "query: "
passage_prefix = "passage: "
batch = 3
retries = 1
timeout = 2
"""
    ]
    for name in BROKEN:
        encoding = "base64" if name == "torn" else "float"
        tables.append(
            f'[embedders.{name}]\nurl = "{url}"\nmodel = "{name}"\nsize = {SIZE}\n'
            f'retries = 0\ntimeout = 0.5\nencoding = "{encoding}"\n'
        )
    tables.append(
        f'[embedders."org/packed.v1"]\nurl = "{url}"\nmodel = "m"\nsize = {SIZE}\n'
        'encoding = "base64"\n'
    )
    tables.append(
        '[embedders.gone]\nurl = "http://127.0.0.1:9/v1"\nmodel = "m"\nsize = 8\nretries = 0\n'
    )
    return "\n".join(tables)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with providing() as running:
        yield running


@pytest.fixture(scope="module")
def embedding(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("embedding")
    file = folder / "embedders.toml"
    file.write_text(declared(provider.url))
    environment = {**os.environ, "PALIMPSEST_EMBEDDERS": str(file), "LETTERS_KEY": KEY}
    with serving(folder / "data", **environment) as running:
        yield running


@pytest.fixture
def http(embedding: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=embedding.url, timeout=30) as client:
        body = {
            "vectors": {"": {"size": SIZE, "distance": "Cosine"}},
            "sparse_vectors": {"bm25": {"modifier": "idf"}},
        }
        result(client.put("/collections/c", json=body))
        yield client
        client.delete("/collections/c")


def text(of: str, model: str = "letters") -> dict[str, Any]:
    return {"text": of, "model": model}


def upsert(http: httpx.Client, *vectors: Any) -> httpx.Response:
    points = [
        {"id": i, "vector": each, "payload": {"big": 2**60, "text": "payload", "model": "x"}}
        for i, each in enumerate(vectors)
    ]
    return http.put("/collections/c/points?wait=true", json={"points": points})


def test_a_client_as_it_is_writes_and_asks_by_text(embedding: Server, provider: Provider) -> None:
    client = QdrantClient(url=embedding.url, timeout=30, cloud_inference=True)
    params = models.VectorParams(size=SIZE, distance=models.Distance.COSINE)
    client.create_collection("q", vectors_config=params)
    provider.calls.clear()
    provider.keys.clear()
    client.upsert(
        "q",
        [
            models.PointStruct(id=i, vector=models.Document(text=each, model="letters"))
            for i, each in enumerate(TEXTS)
        ],
    )
    assert sorted(provider.texts()) == sorted(f"passage: {each}" for each in TEXTS)
    assert provider.keys == [f"Bearer {KEY}"] * 2  # of three texts, and of one
    for i, each in enumerate(TEXTS):
        asked = models.Document(text=each, model="letters")
        by_text = client.query_points("q", query=asked, limit=4, with_vectors=True).points
        by_vector = client.query_points("q", query=letters(f"query: {each}"), limit=4).points
        assert [(p.id, p.score) for p in by_text] == [(p.id, p.score) for p in by_vector]
        assert by_text[0].id == i
    client.delete_collection("q")
    client.close()


def test_usage_is_told(http: httpx.Client) -> None:
    reply = upsert(http, text("one two"), text("three"), [1.0] * SIZE)
    assert result(reply)["status"] == "completed"
    assert reply.json()["usage"] == {"inference": {"models": {"letters": {"tokens": 5}}}}
    plain = upsert(http, [1.0] * SIZE)
    assert "usage" not in plain.json()


def test_texts_and_vectors_stand_side_by_side(http: httpx.Client, provider: Provider) -> None:
    provider.calls.clear()
    upsert(http, {"": text("a b"), "bm25": text("a cat", "Qdrant/BM25")}, {"": text("a b")}, {})
    assert provider.texts() == ["passage: a b"]  # the same text is embedded once
    found = result(http.post("/collections/c/points", json={"ids": [0, 1, 2], "with_vector": True}))
    by_id = {each["id"]: each for each in found}
    assert by_id[0]["vector"][""] == by_id[1]["vector"]
    assert len(by_id[0]["vector"]["bm25"]["indices"]) == 1  # "a" is a stop word
    assert by_id[2]["vector"] == {}
    assert by_id[0]["payload"] == {"big": 2**60, "text": "payload", "model": "x"}


@pytest.mark.parametrize(
    "body",
    [
        {"points": [{"id": 7, "vectors": text("x y")}]},
        {"batch": {"ids": [7], "vectors": [text("x y")]}},
        {"batch": {"ids": [7], "vectors": {"": [text("x y")]}}},
        {"points": [{"id": 7, "vector": {"": {**text("x y"), "options": None, "image": None}}}]},
    ],
)
def test_every_form_of_points_takes_texts(http: httpx.Client, body: dict[str, Any]) -> None:
    result(http.put("/collections/c/points?wait=true", json=body))
    asked = {"query": letters("passage: x y"), "limit": 1}
    hits = result(http.post("/collections/c/points/query", json=asked))["points"]
    assert hits[0]["id"] == 7
    assert hits[0]["score"] == pytest.approx(1.0)


def test_vectors_are_replaced_by_texts_alone_and_in_batches(http: httpx.Client) -> None:
    upsert(http, text("a"), text("b"))
    new = {"points": [{"id": 0, "vector": text("zzz")}]}
    result(http.put("/collections/c/points/vectors?wait=true", json=new))
    operations = [
        {"upsert": {"points": [{"id": 5, "vector": text("five")}]}},
        {"delete": {"points": [1]}},
        {"update_vectors": {"points": [{"id": 5, "vector": text("fünf")}]}},
    ]
    replies = http.post("/collections/c/points/batch?wait=true", json={"operations": operations})
    assert len(result(replies)) == 3
    for asked, expected in (("zzz", 0), ("fünf", 5)):
        query = {"query": letters(f"passage: {asked}"), "limit": 1}
        hits = result(http.post("/collections/c/points/query", json=query))["points"]
        assert (hits[0]["id"], round(hits[0]["score"], 6)) == (expected, 1.0)


A, B, C = "the cat sat", "zebras", "größe 東京"


@pytest.mark.parametrize(
    "asked",
    [
        lambda of: {"query": of(A)},
        lambda of: {"query": {"nearest": of(A), "mmr": {"diversity": 0.5}}},
        lambda of: {"query": {"recommend": {"positive": [of(A), 1], "negative": [of(B)]}}},
        lambda of: {"query": {"discover": {"target": of(A), "context": [pair(of)]}}},
        lambda of: {"query": {"discover": {"target": of(A), "context": pair(of)}}},
        lambda of: {"query": {"context": [pair(of)]}},
        lambda of: {"prefetch": {"query": of(A), "limit": 2}, "query": of(B)},
        lambda of: {
            "prefetch": [{"query": of(A)}, {"prefetch": [{"query": of(C)}], "query": of(B)}],
            "query": {"fusion": "rrf"},
        },
        lambda of: {
            "query": {
                "relevance_feedback": {
                    "target": of(A),
                    "feedback": [{"example": of(B), "score": 0.5}, {"example": 2, "score": 0.1}],
                    "strategy": {"naive": {"a": 1.0, "b": 1.0, "c": 1.0}},
                }
            }
        },
    ],
)
def test_texts_stand_wherever_vectors_do_in_queries(http: httpx.Client, asked: Any) -> None:
    upsert(http, *(text(each) for each in TEXTS))
    by_vector = asked(lambda of: letters(f"query: {of}"))
    path = "/collections/c/points/query"
    expected = result(http.post(path, json=by_vector))
    reply = http.post(path, json=asked(text))
    assert result(reply) == expected
    assert reply.json()["usage"]["inference"]["models"]["letters"]["tokens"] > 1
    several = http.post(f"{path}/batch", json={"searches": [asked(text), by_vector]})
    assert result(several) == [expected, expected]
    groups = {**asked(text), "group_by": "big", "limit": 1, "group_size": 10}
    assert len(result(http.post(f"{path}/groups", json=groups))["groups"]) == 1


def pair(of: Any) -> dict[str, Any]:
    return {"positive": of(B), "negative": of(C)}


def test_what_is_unknown_beside_a_text_is_left_out_as_ever(http: httpx.Client) -> None:
    upsert(http, text("a"), text("b"))
    reply = http.post("/collections/c/points/query", json={"query": text("a"), "unheard": 1})
    assert len(result(reply)["points"]) == 2
    assert "unheard" in reply.json()["warnings"][0]


@pytest.mark.parametrize(
    ("vector", "expected"),
    [
        (text("a", "other"), "no embedder 'other': this server has 'gone', 'half'"),
        ({**text("a"), "options": {"url": "http://10.0.0.1"}}, "`options` `url`"),
        (text(""), "`text` is empty"),
        (text(" \n"), "`text` is empty"),
        ({"image": "https://a.example/b.png", "model": "letters"}, "inference of `image`"),
        ({"object": {"a": 1}, "model": "letters"}, "inference of `object`"),
        ({**text("a"), "more": 1}, "unknown field `more`"),
        ({"text": 1, "model": "letters"}, "Expected `str`, got `int`"),
        ({**text("a", "qdrant/bm25"), "options": {"kk": 1}}, "Unknown option `kk` of BM25"),
    ],
)
def test_texts_that_no_one_embeds(
    http: httpx.Client, provider: Provider, vector: Any, expected: str
) -> None:
    provider.calls.clear()
    reply = upsert(http, text("fine"), vector)
    assert reply.status_code == 400, reply.text
    assert expected in reply.json()["status"]["error"]
    asked = http.post("/collections/c/points/query", json={"query": vector})
    assert asked.status_code == 400
    assert provider.calls == []  # nothing was paid for
    assert result(http.post("/collections/c/points/count", json={})) == {"count": 0}


@pytest.mark.parametrize(
    ("model", "status", "expected"),
    [
        ("silent", 504, "no reply within 0.5 s"),
        ("short", 502, "expected 8 dimensions, got 7"),
        ("torn", 502, "a vector cannot be read"),
        ("half", 502, "expected 2 vectors, got 1"),
        ("twice", 502, "each `index` from 0 to 1 once"),
        ("nan", 502, "OpenAI-compatible reply"),
        ("infinite", 502, "beyond float32"),
        ("words", 502, "a vector cannot be read"),
        ("huge", 502, "larger than"),
        ("prose", 502, "OpenAI-compatible reply"),
        ("gone", 502, "it cannot be reached"),
    ],
)
def test_a_model_that_fails_leaves_nothing_behind(
    http: httpx.Client, model: str, status: int, expected: str
) -> None:
    reply = upsert(http, text("fine"), text("first", model), text("second", model), [1.0] * SIZE)
    said = reply.json()["status"]["error"]
    assert (reply.status_code, f"embedder '{model}'" in said, expected in said) == (
        *(status, True, True),
    ), said
    assert "nothing was stored" in said
    assert result(http.post("/collections/c/points/count", json={})) == {"count": 0}


def test_vectors_are_put_in_order_whatever_theirs_is(http: httpx.Client) -> None:
    upsert(http, text("aaa", "shuffled"), text("bbb", "shuffled"), text("ccc", "org/packed.v1"))
    for i, each in enumerate(("aaa", "bbb", "ccc")):
        query = {"query": letters(each), "limit": 1}
        assert result(http.post("/collections/c/points/query", json=query))["points"][0]["id"] == i


def test_failures_that_pass_are_tried_again(http: httpx.Client, provider: Provider) -> None:
    provider.calls.clear()
    provider.failures.extend([(429, {"retry-after": "0"}, b'{"error": {"message": "slow down"}}')])
    assert result(upsert(http, text("a")))["status"] == "completed"
    provider.failures.extend([(500, {}, b"")])
    assert result(upsert(http, text("b")))["status"] == "completed"
    assert len(provider.calls) == 4


@pytest.mark.parametrize(
    ("failure", "status", "expected"),
    [
        ((429, {"retry-after": "3600"}, b"later"), 429, "it answered 429: later"),
        ((400, {}, b'{"error": {"message": "too\\nlong"}}'), 502, "it answered 400: too long"),
        ((401, {}, f"no such key {KEY}".encode()), 502, "check the key of the embedder"),
        ((400, {}, f"what is {KEY}?".encode()), 502, "what is ***?"),
        ((302, {"location": "http://127.0.0.1:1/"}, b""), 502, "redirects are not followed"),
        ((200, {"content-encoding": "gzip"}, b"x"), 502, "the reply is packed (gzip)"),
        ((200, {}, b"slowly" + b"." * 1000), 504, "no reply within 2 s"),
    ],
)
def test_failures_that_stay_are_told(
    http: httpx.Client, provider: Provider, failure: Any, status: int, expected: str
) -> None:
    provider.failures.append(failure)
    if status == 504:  # its other try
        provider.failures.append(failure)
    reply = upsert(http, text("a"))
    assert reply.status_code == status, reply.text
    assert expected in reply.json()["status"]["error"]
    assert KEY not in reply.text
    assert reply.headers.get("retry-after") == failure[1].get("retry-after")
    assert not provider.failures


def test_the_time_of_a_request_is_not_exceeded(http: httpx.Client, provider: Provider) -> None:
    provider.failures.append((200, {}, b"slowly" + b"." * 1000))
    body = {"query": text("a")}
    reply = http.post("/collections/c/points/query?timeout=1", json=body)
    assert reply.status_code == 408


def test_long_texts(http: httpx.Client, provider: Provider) -> None:
    long = "größe " * 150_000
    reply = upsert(http, text(long), text(long, "qdrant/bm25"))
    assert reply.status_code == 400  # a sparse vector has no place under the bare name
    assert result(upsert(http, {"": text(long), "bm25": text(long, "qdrant/bm25")}))
    assert provider.texts()[-1] == f"passage: {long}"


def test_bm25_ranks_as_bm25_does(http: httpx.Client) -> None:
    bm25 = {"model": "qdrant/bm25", "options": {"avg_len": 4.0}}
    vectors = [{"bm25": {"text": each, **bm25}} for each in TEXTS]
    result(upsert(http, *vectors))
    asked = {"query": {"text": "foxes on mats", **bm25}, "using": "bm25"}
    hits = result(http.post("/collections/c/points/query", json=asked))["points"]
    assert [each["id"] for each in hits] == [0, 3] or [each["id"] for each in hits] == [3, 0]
    both = {
        "prefetch": [asked, {"query": text("quick foxes"), "using": ""}],
        "query": {"fusion": "rrf"},
    }
    assert len(result(http.post("/collections/c/points/query", json=both))["points"]) == 2


@pytest.mark.parametrize(
    "points",
    [
        [{"id": 1, "vector": text("a")}, {"id": -1, "vector": [1.0] * SIZE}],
        [{"id": 1, "vector": text("a")}, {"id": 2, "vector": [1.0]}],
        [{"id": 1, "vector": {"bm25": text("a")}}],
        [{"id": 1, "vector": {"none": text("a")}}],
        [{"id": 1, "vector": text("a"), "payload": 3}],
        [{"id": i, "vector": text("a")} for i in range(3)],
    ],
)
def test_what_is_refused_costs_no_call(
    http: httpx.Client, provider: Provider, points: list[Any]
) -> None:
    strict = {"enabled": True, "upsert_max_batchsize": 2, "max_query_limit": 5}
    result(http.patch("/collections/c", json={"strict_mode_config": strict}))
    provider.calls.clear()
    body = {"points": points}
    several = {"operations": [{"upsert": body}]}
    replies = [
        http.put("/collections/c/points", json=body),
        http.post("/collections/c/points/batch", json=several),
    ]
    asked = {"query": text("a"), "limit": 6}
    path = "/collections/c/points/query"
    queries = [
        http.post(path, json=asked),
        http.post(f"{path}/batch", json={"searches": [asked]}),
        http.post(f"{path}/groups", json={**asked, "group_by": "g", "group_size": 1}),
    ]
    for reply in (*replies, *queries):
        assert reply.status_code == 400, reply.text
    assert provider.calls == []


def test_a_budget_is_charged_once_and_looked_at_first(
    http: httpx.Client, provider: Provider
) -> None:
    strict = {"enabled": True, "write_rate_limit": 2, "read_rate_limit": 1}
    result(http.patch("/collections/c", json={"strict_mode_config": strict}))
    for _ in range(2):
        assert result(upsert(http, text("a")))["status"] == "completed"
    path, asked = "/collections/c/points/query", {"query": text("a")}
    assert len(result(http.post(path, json=asked))["points"]) == 1
    provider.calls.clear()
    assert upsert(http, text("a")).status_code == 429
    assert http.post(path, json=asked).status_code == 429
    assert provider.calls == []


def test_nobody_is_asked_for_who_left(http: httpx.Client, provider: Provider) -> None:
    provider.calls.clear()
    provider.failures.extend([(503, {}, b"")] * 2)  # the second, later, for a client that is gone
    with httpx.Client(base_url=http.base_url, timeout=0.1) as hasty:
        with pytest.raises(httpx.ReadTimeout):
            hasty.post("/collections/c/points/query", json={"query": text("left")})
    time.sleep(0.5)  # beyond the longest pause before the second try
    assert provider.texts() == ["query: left"]
    provider.failures.clear()


def test_keys_are_in_no_log_and_no_metric(
    http: httpx.Client, provider: Provider, embedding: Server
) -> None:
    upsert(http, text("a"))
    metrics = http.get("/metrics").text
    assert KEY not in metrics
    assert 'palimpsest_embedded_texts_total{embedder="letters"}' in metrics
    assert 'palimpsest_embedding_failures_total{embedder="half",reason="reply"}' in metrics
    held = (p for p in embedding.data.rglob("*") if p.is_file())
    assert not any(KEY.encode() in path.read_bytes() for path in held)


def test_search_of_old_clients_says_where_texts_are_embedded(http: httpx.Client) -> None:
    asked = {"positive": [text("a")], "limit": 1}
    reply = http.post("/collections/c/points/recommend", json=asked)
    assert reply.status_code == 400
    assert "in `query` alone" in reply.json()["status"]["error"]


def test_a_model_that_changes_is_suspended(tmp_path: Path) -> None:
    with providing() as provider:
        file = tmp_path / "embedders.toml"
        file.write_text(
            f'[embedders.letters]\nurl = "{provider.url}"\nmodel = "m"\nsize = {SIZE}\n'
        )
        with serving(tmp_path / "data", PALIMPSEST_EMBEDDERS=str(file)) as running:
            with httpx.Client(base_url=running.url, timeout=30) as http:
                body = {"vectors": {"size": SIZE, "distance": "Cosine"}}
                result(http.put("/collections/c", json=body))
                wait_for(http, 'cosine{embedder="letters"} 1.0')
                result(upsert(http, text("a")))
                provider.turned = True
                running.process.send_signal(signal.SIGHUP)
                wait_for(http, 'suspended{embedder="letters"} 1.0')
                reply = upsert(http, text("b"))
                assert reply.status_code == 503
                assert "the model behind the name has changed" in reply.text
                assert result(upsert(http, [1.0] * SIZE))  # vectors are taken as ever
                provider.turned = False
                running.process.send_signal(signal.SIGHUP)
                wait_for(http, 'suspended{embedder="letters"} 0.0')
                result(upsert(http, text("b")))


def wait_for(http: httpx.Client, series: str) -> None:
    deadline = time.monotonic() + 20
    while f"palimpsest_embedder_{series}" not in http.get("/metrics").text:
        assert time.monotonic() < deadline, series
        time.sleep(0.02)
