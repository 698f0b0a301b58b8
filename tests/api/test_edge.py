"""The ways through the server's outer layers: what runs where, and is done once."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from uvicorn.server import ServerState

from palimpsest.app.context import INLINE_BODY, Call
from palimpsest.app.edge import EARLY, Edge
from palimpsest.app.main import create_app
from palimpsest.app.protocol import QueryProtocol
from palimpsest.app.routes import in_event_loop, points, query, updates
from palimpsest.app.schemas import query as bodies
from palimpsest.app.schemas.query import decode_query
from palimpsest.app.schemas.unresolved import Unresolved
from palimpsest.app.server import server_config
from palimpsest.app.settings import Settings
from palimpsest.app.warnings import Warnings
from palimpsest.index import (
    Collection,
    CollectionConfig,
    Distance,
    NamedVectors,
    PointBatch,
    VectorConfig,
)
from palimpsest.index.write import changes
from tests.api.replies import refused, result
from tests.api.served import Server

Endpoint = Callable[[Call], Awaitable[Any]]

ROWS = 1_000
MANY = b'{"query":[1,2,3],"limit":500}'  # short to search, with a reply above the gzip floor
SERIES = (
    'palimpsest_http_requests_total{method="POST",'
    'route="/collections/{collection_name}/points/query",status="200"}',
    "palimpsest_search_duration_seconds_count",
)


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    """A server that is not listening, with a collection "c"."""
    app = create_app(Settings(data=tmp_path, threads=1))
    app.context.open()
    config = CollectionConfig(vectors={"": VectorConfig(size=3, distance=Distance.EUCLID)})
    collection = app.context.database.create("c", config)
    collection.upsert(batch(*range(ROWS))).result()
    yield app
    app.context.close()


@pytest.fixture
def opened(edge: Edge) -> Collection:
    """The collection of ``edge``."""
    return edge.context.database.get("c")


def batch(*ids: int) -> PointBatch:
    values = np.array([[i, i, i] for i in ids], dtype=np.float32)
    vectors = {"": NamedVectors(np.arange(len(ids)), values)}
    return PointBatch(ids, vectors, [b'{"a":1}'] * len(ids))


def request(body: bytes, *headers: str) -> bytes:
    lines = ["POST /collections/c/points/query HTTP/1.1", "host: localhost", *headers]
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body


class Loop:
    """An event loop that only remembers its timers."""

    def __init__(self) -> None:
        self.timers: list[Any] = []

    def call_later(self, *given: Any) -> None:
        self.timers.append(given)


class Transport:
    """A connection that only remembers what was written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, part: bytes) -> None:
        self.written.append(part)

    def get_extra_info(self, _: str) -> None:
        return None


def connect(edge: Edge) -> tuple[QueryProtocol, Loop, Transport]:
    loop: Any = Loop()
    transport: Any = Transport()
    config = server_config(edge, edge.context.settings)
    protocol = QueryProtocol(config, ServerState(), {}, loop)
    protocol.connection_made(transport)
    return protocol, loop, transport


def test_short_replies_arm_no_timer(edge: Edge) -> None:
    """One sweep ends all connections: a timer each would cost as much as the whole way in."""
    protocol, loop, transport = connect(edge)
    protocol.data_received(request(b'{"query":[1,2,3]}') * 3)
    assert len(transport.written) == 3
    protocol.data_received(request(b'{"query":[1,2,3]}')[:40])
    assert not loop.timers


def test_large_replies_take_the_short_way_uncompressed(edge: Edge) -> None:
    protocol, _, transport = connect(edge)
    protocol.data_received(request(MANY, "accept-encoding: br, gzip;q=0"))
    (reply,) = transport.written
    assert len(reply) > edge.context.settings.gzip_floor
    assert len(json.loads(reply.partition(b"\r\n\r\n")[2])["result"]["points"]) == 500


def test_compressed_replies_are_found_and_counted_once(http: httpx.Client, collection: str) -> None:
    below = f"/collections/{collection}/points"
    stored = [{"id": i, "vector": [i, i, i]} for i in range(ROWS)]
    result(http.put(below, json={"points": stored}))

    def counted() -> list[float]:
        lines = http.get("/metrics").text.splitlines()
        return [
            sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(series))
            for series in SERIES
        ]

    before = counted()
    with http.stream("POST", f"{below}/query", content=MANY) as reply:
        raw = b"".join(reply.iter_raw())
    assert reply.headers["content-encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(raw))["result"]["points"]) == 500
    assert counted() == [count + 1 for count in before]


def test_the_short_way_keeps_the_body_limit(tmp_path: Path) -> None:
    running = Server(tmp_path, PALIMPSEST_BODY_LIMIT="1024")
    try:
        running.wait_until_ready()
        create = {"vectors": {"size": 3, "distance": "Dot"}}
        result(httpx.put(f"{running.url}/collections/c", json=create))
        where = f"{running.url}/collections/c/points/query"
        short = b'{"query":[1,2,3]}'
        result(httpx.post(where, content=short.ljust(1024)))
        text = refused(httpx.post(where, content=short.ljust(1025)), 400)
        assert text == "JSON payload (1025 bytes) is larger than allowed (limit: 1024 bytes)."
    finally:
        running.process.kill()
        running.process.wait()


def test_large_answers_are_gathered_beside_the_event_loop(edge: Edge, opened: Collection) -> None:
    def now(body: bytes) -> Any:
        early = in_event_loop.read_now(edge.context, opened, body)
        assert early is not None
        return in_event_loop.answer_now(edge.context, opened, early, Warnings())

    assert now(b'{"query":[1,2,3],"with_payload":true}') is not None
    assert now(b'{"query":[1,2,3],"limit":8000,"with_payload":true}') is None
    assert now(b'{"query":[1,2,3],"limit":8000,"with_vector":true}') is None


READS: dict[str, tuple[Endpoint, bytes]] = {
    "get": (points.get, b""),
    "retrieve": (points.retrieve, b'{"ids":[1],"with_vector":true}'),
    "scroll": (points.scroll, b'{"offset":1,"limit":1,"with_vector":true}'),
    "query": (query.query, b'{"query":[1,1,1],"limit":1,"with_vector":true}'),
    "query by id": (query.query, b'{"query":1,"limit":1}'),
    "batch": (query.query_batch, b'{"searches":[{"query":[1,1,1],"limit":1,"with_vector":true}]}'),
}


@pytest.mark.parametrize("kind", READS)
def test_the_event_loop_never_waits_for_a_write(
    kind: str, edge: Edge, opened: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, applied = threading.Event(), threading.Event()
    apply = changes.apply

    def apply_late(*given: Any) -> Any:
        stored.set()
        applied.wait()
        return apply(*given)

    monkeypatch.setattr("palimpsest.index.write.writer.apply", apply_late)
    written = opened.upsert(batch(1))
    stored.wait()
    endpoint, body = READS[kind]

    async def read() -> Any:
        reading = asyncio.ensure_future(endpoint(Call(edge.context, opened, b"", body, "1")))
        # Only a free event loop gets to this; before it, the read could not have ended.
        asyncio.get_running_loop().call_soon(applied.set)
        return await reading

    try:
        assert asyncio.run(read())
    finally:
        applied.set()
    written.result()


BODIES: dict[str, tuple[Any, Endpoint, bytes]] = {
    "_SELECTION": (updates, updates.delete, b'{"points":[1]}'),
    "_RETRIEVE": (points, points.retrieve, b'{"ids":[1]}'),
    "_SCROLL": (points, points.scroll, b"{}"),
    "_COUNT": (points, points.count, b"{}"),
    "_QUERIES": (bodies, query.query_batch, b'{"searches":[{"query":[1,2,3]}]}'),
}


@pytest.mark.parametrize("decoder", BODIES)
def test_large_bodies_are_decoded_beside_the_event_loop(
    decoder: str, edge: Edge, opened: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes, endpoint, body = BODIES[decoder]
    decode = getattr(routes, decoder).decode
    threads: list[int] = []

    class Watched:
        type = getattr(routes, decoder).type

        def decode(self, text: bytes) -> Any:
            threads.append(threading.get_ident())
            return decode(text)

    monkeypatch.setattr(routes, decoder, Watched())
    for length in (INLINE_BODY, INLINE_BODY + 1):
        call = Call(edge.context, opened, b"", body.ljust(length), "")
        run(endpoint(call))
    assert [each == threading.get_ident() for each in threads] == [True, False]


def test_large_queries_are_decoded_beside_the_event_loop(
    edge: Edge, opened: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = decode_query
    threads: list[int] = []

    def watched(*given: Any) -> Any:
        threads.append(threading.get_ident())
        return decode(*given)

    monkeypatch.setattr(query, "decode_query", watched)
    body = b'{"query":[1,2,3]}'.ljust(INLINE_BODY + 1)
    assert run(query.query(Call(edge.context, opened, b"", body, ""))).points
    assert threads
    assert threading.get_ident() not in threads


QUERIES: dict[str, tuple[Endpoint, bytes, bool]] = {  # whether it is short
    "plain": (query.query, b'{"query":[1,2,3]}', True),
    "slow": (query.query, b'{"query":[1,2,3],"limit":8000,"with_payload":true}', False),
    "tree": (query.query, b'{"prefetch":[{"query":[1,2,3]}],"query":{"fusion":"rrf"}}', False),
}


@pytest.mark.parametrize("kind", QUERIES)
def test_a_body_is_read_once_whichever_way_it_goes(
    kind: str, edge: Edge, opened: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, body, is_short = QUERIES[kind]
    read: list[bytes] = []

    def watched(text: bytes, config: Any) -> Any:
        read.append(text)
        return decode_query(text, config)

    monkeypatch.setattr(in_event_loop, "decode_query", watched)
    monkeypatch.setattr(query, "decode_query", watched)
    scope: dict[str, Any] = {"headers": []}
    reply = edge.short.answer(opened.name, body, scope)
    assert (reply is not None) == is_short
    if reply is None:
        call = Call(edge.context, opened, b"", body, "", early=scope[EARLY])
        assert run(endpoint(call)).points
    assert read == [body]
    read.clear()
    assert run(endpoint(Call(edge.context, opened, b"", body, ""))).points
    assert read == [body]


def test_what_has_to_be_made_into_vectors_is_awaited_before_it_is_checked(
    edge: Edge, opened: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def later(asked: Any) -> Unresolved[Any]:
        async def make() -> Any:
            await asyncio.sleep(0)
            made.append(type(asked).__name__)
            return asked

        return Unresolved(make)

    monkeypatch.setattr(in_event_loop, "decode_query", lambda *given: later(decode_query(*given)))
    monkeypatch.setattr(query, "decode_query", lambda *given: later(decode_query(*given)))
    to_upsert = updates.to_upsert
    monkeypatch.setattr(updates, "to_upsert", lambda *given: later(to_upsert(*given)))
    scope: dict[str, Any] = {"headers": []}
    body = b'{"query":[1,2,3]}'
    assert edge.short.answer(opened.name, body, scope) is None
    assert made == []
    call = Call(edge.context, opened, b"", body, "", early=scope[EARLY])
    assert run(query.query(call)).points
    points_body = b'{"points":[{"id":1,"vector":[1,2,3]}]}'
    assert run(updates.upsert(Call(edge.context, opened, b"", points_body, ""))).status
    assert made == ["Query", "Update"]


ASKED: dict[str, tuple[Endpoint, bytes]] = {
    "query": (query.query, b'{"query":[1,1,2],"limit":1}'),
    "batch": (query.query_batch, b'{"searches":[{"query":[1,1,2],"limit":1}]}'),
}


@pytest.mark.parametrize("kind", ASKED)
def test_a_query_means_what_names_mean_when_it_runs(
    kind: str, edge: Edge, opened: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = VectorConfig(size=3, distance=Distance.DOT)
    opened.versions.declare("", "v2", space, declared={"size": 3, "distance": "Dot"})
    named = {"@v2": NamedVectors(np.arange(1), np.ones((1, 3), np.float32))}
    opened.update_vectors(PointBatch([1], named, [None])).result()
    endpoint, body = ASKED[kind]

    def while_it_waits_for_a_thread(*_: Any) -> Any:
        if opened.config.shown_version("").version != "v2":
            opened.versions.activate("", "v2", force=True)
        return np.inf if kind == "batch" else None

    monkeypatch.setattr(query, "answer_now", while_it_waits_for_a_thread)
    monkeypatch.setattr(query, "seconds_of", while_it_waits_for_a_thread)
    reply = run(endpoint(Call(edge.context, opened, b"", body, "")))
    (hit,) = (reply[0] if kind == "batch" else reply).points
    assert (hit.id, hit.score) == (1, 4.0)


@pytest.mark.parametrize("endpoint", [updates.upsert, updates.batch])
def test_a_write_whose_body_takes_long_to_read_was_begun_in_time(
    endpoint: Endpoint, edge: Edge, opened: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_utf8 = updates.require_utf8

    def slowly(body: bytes) -> None:
        time.sleep(0.1)
        require_utf8(body)

    monkeypatch.setattr(updates, "require_utf8", slowly)
    write = b'{"points":[{"id":5000,"vector":[1,2,3]}]}'
    body = write if endpoint is updates.upsert else b'{"operations":[{"upsert":%b}]}' % write
    since = time.monotonic() - 0.95
    call = Call(edge.context, opened, b"timeout=1", body.ljust(INLINE_BODY + 1), "", since=since)
    run(endpoint(call))
    opened.writer.call(lambda: None).result()  # it was queued before
    assert [one.id for one in opened.retrieve([5000])] == [5000]


RACES: dict[str, tuple[str, Endpoint, Any]] = {
    "upsert": ("PUT", updates.upsert, {"points": [{"id": 1, "vector": [1, 2, 3]}]}),
    "delete": ("POST", updates.delete, {"points": [1]}),
    "retrieve": ("POST", points.retrieve, {"ids": [1]}),
    "scroll": ("POST", points.scroll, {"limit": 100}),
    "query": ("POST", query.query, {"query": [1, 2, 3], "with_payload": True, "limit": 900}),
}


@pytest.mark.parametrize("kind", RACES)
def test_a_drop_during_a_request_answers_not_found(kind: str, edge: Edge) -> None:
    method, endpoint, body = RACES[kind]

    async def endpoint_after_drop(call: Call) -> Any:
        edge.context.database.drop("c")
        return await endpoint(call)

    racing = Edge(edge.app, edge.context, {(method, "points"): endpoint_after_drop})

    async def send() -> httpx.Response:
        transport: Any = httpx.ASGITransport(app=racing)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, "/collections/c/points", json=body)

    assert refused(run(send()), 404) == "Not found: Collection `c` doesn't exist!"


def test_what_fails_before_a_route_is_answered_as_ever(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise LookupError("of a secret")

    async def send() -> httpx.Response:
        transport: Any = httpx.ASGITransport(app=edge)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/collections")

    monkeypatch.setattr(edge.context.gate, "who", fail)
    reply = run(send())
    assert reply.status_code == 500
    assert reply.json()["status"]["error"] == "Service internal error: LookupError"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert edge.context.metrics.in_flight == 0


def run(endpoint: Awaitable[Any]) -> Any:
    async def awaited() -> Any:
        return await endpoint

    return asyncio.run(awaited())
