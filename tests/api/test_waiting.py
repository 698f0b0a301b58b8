"""Clients that send slowly, too much, or nothing, and those that do not read: ended in time."""

from __future__ import annotations

import json
import re
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from palimpsest.app.reloading import Reloading
from palimpsest.app.settings import Settings
from palimpsest.app.wire.connections import Connections
from tests.api.replies import result
from tests.api.served import Server, serving

HEAD, BODY, IDLE, SEND = 0.8, 1.2, 2.5, 2.0  # seconds
LATE = 4.0  # seconds after which what is to be ended is certainly ended
HEADER_LIMIT = 8 * 1024
CONNECTIONS = 60
GET = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n"
PUT = b"PUT /collections/c/points HTTP/1.1\r\nhost: localhost\r\n"
QUERY = b"POST /collections/c/points/query HTTP/1.1\r\nhost: localhost\r\n"


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits for little, with a collection "c"."""
    with serving(
        tmp_path_factory.mktemp("slow"),
        PALIMPSEST_HEAD_TIMEOUT=str(HEAD),
        PALIMPSEST_BODY_TIMEOUT=str(BODY),
        PALIMPSEST_IDLE_TIMEOUT=str(IDLE),
        PALIMPSEST_SEND_TIMEOUT=str(SEND),
        PALIMPSEST_HEADER_LIMIT=str(HEADER_LIMIT),
        PALIMPSEST_CONNECTION_LIMIT=str(CONNECTIONS),
        PALIMPSEST_BODY_LIMIT="200000",
    ) as server:
        create = {"vectors": {"size": 3, "distance": "Dot"}}
        result(httpx.put(f"{server.url}/collections/c", json=create))
        point = {"id": 1, "vector": [1, 2, 3], "payload": {"a": "x" * 150_000}}
        result(httpx.put(f"{server.url}/collections/c/points", json={"points": [point]}))
        yield server


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def read(connection: socket.socket) -> bytes:
    """Read until the server closes."""
    received = b""
    try:
        while part := connection.recv(65_536):
            received += part
    except ConnectionResetError:
        pass
    return received


def answered(server: Server, sent: bytes) -> tuple[list[int], bytes]:
    """Send bytes and read until the server closes; return the statuses of its replies."""
    with connect(server) as connection:
        try:
            connection.sendall(sent)
        except (BrokenPipeError, ConnectionResetError):
            pass
        received = read(connection)
    return [int(each) for each in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)], received


def ended(server: Server) -> dict[str, int]:
    """Return how many connections the server ended, by reason."""
    prefix = 'palimpsest_connections_ended_total{reason="'
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    found = (line[len(prefix) :].split('"} ') for line in lines if line.startswith(prefix))
    return {reason: int(float(count)) for reason, count in found}


def test_a_head_comes_in_time(slow: Server) -> None:
    before = ended(slow)
    for sent in (b"G", GET, GET + b"x: " + b"a" * 100, b"\r\n\r\nGET /", QUERY):
        started = time.monotonic()
        statuses, received = answered(slow, sent)
        assert statuses == [408], sent
        assert b"PALIMPSEST_HEAD_TIMEOUT" in received
        assert b"connection: close" in received
        assert HEAD * 0.5 < time.monotonic() - started < LATE
    assert ended(slow)["head_timeout"] == before["head_timeout"] + 5


def test_a_head_of_a_byte_now_and_then_is_ended(slow: Server) -> None:
    with connect(slow) as connection:
        started = time.monotonic()
        try:
            for byte in GET * 100:
                connection.sendall(bytes((byte,)))
                time.sleep(0.05)
                if time.monotonic() - started > LATE:
                    break
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert time.monotonic() - started < LATE + HEAD


@pytest.mark.parametrize("head", [PUT, QUERY])
@pytest.mark.parametrize(
    "length", [b"content-length: 1000\r\n\r\n", b"transfer-encoding: chunked\r\n\r\n"]
)
def test_a_body_comes_in_time(slow: Server, head: bytes, length: bytes) -> None:
    for part in (b"", b"3e8\r\n{" if b"chunked" in length else b"{"):
        started = time.monotonic()
        statuses, received = answered(slow, head + length + part)
        assert statuses == [408]
        assert b"PALIMPSEST_BODY_TIMEOUT" in received
        assert BODY * 0.5 < time.monotonic() - started < LATE


def test_a_slow_but_honest_upload_passes(slow: Server) -> None:
    """At about twice the slowest rate that is allowed, for longer than a body may take to begin."""
    body = json.dumps({"points": [{"id": 2, "vector": [1, 2, 3], "payload": {"a": "x" * 150_000}}]})
    with connect(slow) as connection:
        connection.sendall(PUT + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body))
        for start in range(0, len(body), 8_000):
            connection.sendall(body[start : start + 8_000].encode())
            time.sleep(0.12)
        assert read(connection).startswith(b"HTTP/1.1 200 OK")


def test_a_connection_without_a_request_is_ended(slow: Server) -> None:
    for sent in (b"", b"\r\n\r\n", GET + b"\r\n"):
        with connect(slow) as connection:
            started = time.monotonic()
            connection.sendall(sent)
            received = read(connection)
            assert received.count(b"HTTP/1.1 ") == (1 if sent.startswith(b"GET") else 0)
            assert IDLE * 0.5 < time.monotonic() - started < IDLE + LATE


def test_a_connection_is_kept_between_requests(slow: Server) -> None:
    with connect(slow) as connection:
        for pause in (0, 0.3, 1.6, 0.01):
            time.sleep(pause)
            connection.sendall(QUERY + b'content-length: 17\r\n\r\n{"query":[1,2,3]}')
            received = b""
            while b'"status":"ok"' not in received:
                received += connection.recv(65_536)


def test_a_reply_that_is_not_read_is_dropped(slow: Server) -> None:
    before = ended(slow)["unread"]
    get = b"GET /collections/c/points/1 HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(30)
        connection.connect(("127.0.0.1", slow.port))
        connection.sendall(get * 60)  # nine megabytes of replies
        deadline = time.monotonic() + SEND + 2 * LATE
        while ended(slow)["unread"] == before:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_large_heads_are_refused(slow: Server) -> None:
    limit = HEADER_LIMIT
    for sent in (
        GET + b"x: " + b"a" * limit + b"\r\n\r\n",
        GET + b"x: " + b"a" * (limit + 1),
        GET + b"x: " + b"a" * 20 * limit,
        GET + b"a: b\r\n" * 2_000,
        GET + b"a: b\r\n" * 300 + b"\r\n",
        b"GET /" + b"a" * limit + b" HTTP/1.1\r\n\r\n",
        GET + b"x" * 20 * limit,
        QUERY + b"x: " + b"a" * limit + b'\r\ncontent-length: 17\r\n\r\n{"query":[1,2,3]}',
    ):
        statuses, received = answered(slow, sent)
        assert statuses == [431], (sent[:80], received)
        assert b"PALIMPSEST_HEADER_LIMIT" in received
    within = GET + b"x: " + b"a" * (limit - 200) + b"\r\nconnection: close\r\n\r\n"
    assert answered(slow, within)[0] == [200]
    assert answered(slow, GET + b"a: b\r\n" * 200 + b"connection: close\r\n\r\n")[0] == [200]


def test_requests_before_a_large_head_are_answered(slow: Server) -> None:
    body = b'content-length: 17\r\n\r\n{"query":[1,2,3]}'
    for first in (GET + b"\r\n", QUERY + body, PUT.replace(b"PUT", b"GET") + b"\r\n"):
        large = b"x: " + b"a" * 2 * HEADER_LIMIT + b"\r\n\r\n"
        statuses, _ = answered(slow, first + GET + large)
        assert statuses[1:] == [431], first


@pytest.mark.parametrize(
    "rest",
    [
        b"content-length: 3\r\ncontent-length: 3\r\n\r\nabc",
        b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        b"content-length: -1\r\n\r\n",
        b"content-length: +3\r\n\r\nabc",
        b"content-length: 3, 3\r\n\r\nabc",
        b"content-length: 99999999999999999999999\r\n\r\n",
        b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: identity\r\ncontent-length: 3\r\n\r\nabc",
        b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
        b"x: a\r\n b\r\n\r\n",
        b"x: a\x00b\r\n\r\n",
        b"x\n\r\n",
        b"transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        b"transfer-encoding: chunked\r\n\r\n-1\r\n",
        b"transfer-encoding: chunked\r\n\r\n0x3\r\nabc\r\n",
        b"transfer-encoding: chunked\r\n\r\n3\nabc\n0\n\n",
        b"transfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\n3;" + b"a" * 1_000_000,
        b"transfer-encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 100_000,
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(slow: Server, rest: bytes) -> None:
    for head in (PUT, QUERY):
        statuses, received = answered(slow, head + rest + GET)
        assert statuses == [400], received[:300]


def test_a_huge_chunk_is_refused_by_the_body_limit(slow: Server) -> None:
    huge = b"transfer-encoding: chunked\r\n\r\n7fffffffffffffff\r\n" + b"a" * 200_001
    for head in (PUT, QUERY):
        with connect(slow) as connection:
            connection.sendall(head + huge)
            received = b""
            while b"larger than allowed" not in received:
                received += connection.recv(65_536)


def test_other_protocols_are_refused(slow: Server) -> None:
    for sent in (
        b"GET / HTTP/2.0\r\nhost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\r\n\r\n",
        b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"CONNECT localhost:80 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET ftp://localhost/ HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ):
        statuses, _ = answered(slow, sent)
        assert statuses == [400], sent


def test_an_upgrade_is_answered_by_http_and_nothing_after_it(slow: Server) -> None:
    upgrade = GET + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n"
    assert answered(slow, upgrade + GET + b"\r\n")[0] == [200]


def test_nothing_is_read_after_the_last_request(slow: Server) -> None:
    create = b"PUT /collections/after HTTP/1.1\r\nhost: localhost\r\ncontent-length: 44\r\n\r\n"
    create += b'{"vectors":{"size":3,"distance":"Dot"}}     '
    assert answered(slow, GET + b"connection: close\r\n\r\n" + create)[0] == [200]
    assert httpx.get(f"{slow.url}/collections/after").status_code == 404


def test_trailers_are_no_headers(slow: Server) -> None:
    body = b'{"query":[1,2,3]}'
    rest = b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n11\r\n" + body + b"\r\n0\r\n"
    for trailer in (b"host: evil.example", b"x-palimpsest-bridge: nonsense", b"origin: null"):
        assert answered(slow, QUERY + rest + trailer + b"\r\n\r\n")[0] == [200]


def test_a_refused_upload_is_not_read_for_ever(slow: Server) -> None:
    with connect(slow) as connection:
        connection.sendall(PUT + b"content-length: 1000000000000\r\n\r\n")
        assert b" 400 Bad Request" in connection.recv(65_536)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(10_000):
                connection.sendall(bytes(65_536))


def test_requests_that_wait_on_one_connection_are_bounded(slow: Server) -> None:
    statuses, _ = answered(slow, (PUT.replace(b"PUT", b"GET") + b"\r\n") * 2_000)
    assert statuses[-1] == 400
    assert 200 < len(statuses) < 600


def test_the_longest_idle_connection_gives_way(slow: Server) -> None:
    before = ended(slow)["displaced"]
    with ExitStack() as stack:
        held = [stack.enter_context(connect(slow)) for _ in range(CONNECTIONS + 10)]
        assert httpx.get(f"{slow.url}/healthz").status_code == 200
        assert read(held[0]) == b""
        held[-1].sendall(GET + b"connection: close\r\n\r\n")
        assert read(held[-1]).startswith(b"HTTP/1.1 200")
    assert ended(slow)["displaced"] >= before + 10


def test_a_new_connection_is_refused_where_all_are_busy(slow: Server) -> None:
    with ExitStack() as stack:
        held = [stack.enter_context(connect(slow)) for _ in range(CONNECTIONS)]
        for each in held:
            each.sendall(PUT + b"content-length: 100\r\n\r\n")
        time.sleep(0.3)
        received = read(stack.enter_context(connect(slow)))
        assert received.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"PALIMPSEST_CONNECTION_LIMIT" in received
    time.sleep(0.1)
    assert httpx.get(f"{slow.url}/healthz").status_code == 200


def test_others_are_served_meanwhile(slow: Server) -> None:
    """Idle connections, unfinished heads and slow bodies: all are ended, and nobody waits."""
    stop = threading.Event()
    slowest = 0.0

    def ask() -> None:
        nonlocal slowest
        with httpx.Client(base_url=slow.url) as client:
            while not stop.is_set():
                started = time.perf_counter()
                result(client.post("/collections/c/points/query", json={"query": [1, 2, 3]}))
                slowest = max(slowest, time.perf_counter() - started)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        with ExitStack() as stack:
            held = [stack.enter_context(connect(slow)) for _ in range(45)]
            for each in held[:15]:
                each.sendall(GET)
            for each in held[15:30]:
                each.sendall(PUT + b"content-length: 100\r\n\r\n{")
            for each in held:
                read(each)  # until it is ended
    finally:
        stop.set()
        asking.join()
    assert slowest < 1.0


@pytest.mark.parametrize("asked", [{}, {"connection_limit": 20_000}])
def test_a_lower_limit_of_descriptors_lowers_that_of_connections(
    asked: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    connections = Connections(Settings(**asked), Reloading())
    caplog.set_level("INFO", "palimpsest")
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(2_000, limits[1]), limits[1]))
        connections.fit_descriptors()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert connections._limit < 1_500
    assert [each.levelname for each in caplog.records] == ["WARNING" if asked else "INFO"]
