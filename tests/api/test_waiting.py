"""Clients that send slowly, too much, or nothing, and those that do not read: ended in time."""

from __future__ import annotations

import json
import resource
import socket
import threading
import time
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from palimpsest.app.reloading import Reloading
from palimpsest.app.settings import Settings
from palimpsest.app.wire.connections import Connections
from tests.api.raw import (
    BODY,
    CONNECTIONS,
    GET,
    HEAD,
    IDLE,
    LATE,
    PUT,
    QUERY,
    SEND,
    answered,
    connect,
    ended,
    read,
)
from tests.api.replies import result
from tests.api.served import Server


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
