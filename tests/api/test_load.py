"""Requests under way, and the bytes of their bodies, have a limit that probes do not share."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.served import Server, serving

LIMIT = 8
BODY_LIMIT = 1_000_000

Begin = Callable[[Server, int], socket.socket]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    environment = {
        "PALIMPSEST_REQUEST_LIMIT": str(LIMIT),
        "PALIMPSEST_BODY_LIMIT": str(BODY_LIMIT),
        "PALIMPSEST_MEMORY_LIMIT": "1GiB",
    }
    with serving(tmp_path, **environment) as running:
        declare(running)
        yield running


def declare(server: Server) -> None:
    """Make the collection that is counted: bodies for one that is missing are not waited for."""
    vectors = {"vectors": {"size": 2, "distance": "Dot"}}
    assert httpx.put(f"{server.url}/collections/c", json=vectors).status_code == 200


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Return what sends a head that announces a body, and half of the body."""
    begun: list[socket.socket] = []

    def send(server: Server, length: int) -> socket.socket:
        begun.append(begin_one(server, length))
        return begun[-1]

    yield send
    for connection in begun:
        connection.close()


def begin_one(server: Server, length: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    head = b"POST /collections/c/points/count HTTP/1.1\r\nhost: 127.0.0.1\r\n"
    head += b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % length
    connection.sendall(head + b" " * (length // 2))
    return connection


def refused(http: httpx.Client, more: Callable[[], object]) -> httpx.Response:
    """Return the first refusal; the place of a request that was answered meanwhile is taken."""
    deadline = time.monotonic() + 10
    reply = http.get("/collections")
    while reply.status_code != 503 and time.monotonic() < deadline:
        time.sleep(0.05)
        more()
        reply = http.get("/collections")
    return reply


def test_requests_above_the_limit_are_told_to_come_again(server: Server, begin: Begin) -> None:
    with httpx.Client(base_url=server.url, timeout=30) as http:
        assert http.get("/collections").status_code == 200
        waiting = [begin(server, 100) for _ in range(2 * LIMIT)]  # some of which are refused
        reply = refused(http, lambda: waiting.append(begin(server, 100)))
        assert (reply.status_code, reply.headers.get("retry-after")) == (503, "1"), reply.text
        assert f"{LIMIT} requests" in reply.json()["status"]["error"]
        for path in ("/healthz", "/livez", "/readyz", "/metrics"):
            assert http.get(path).status_code == 200
        assert 'palimpsest_requests_refused_total{reason="requests"} 0.0' not in (
            http.get("/metrics").text
        )
        for connection in waiting:
            connection.close()
        deadline = time.monotonic() + 10
        while http.get("/collections").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_abandoned_and_failed_requests_are_counted_no_longer(server: Server, begin: Begin) -> None:
    with httpx.Client(base_url=server.url, timeout=30) as http:
        for _ in range(5 * LIMIT):
            begin(server, 100).close()
            assert http.post("/collections/c/points/count", json={}).status_code in (200, 503)
        time.sleep(0.5)
        assert "palimpsest_http_requests_in_flight 1.0" in http.get("/metrics").text
        assert http.get("/collections").status_code == 200


def test_bodies_that_come_at_once_have_a_share_of_the_memory(tmp_path: Path, begin: Begin) -> None:
    environment = {"PALIMPSEST_BODY_LIMIT": "1000000", "PALIMPSEST_MEMORY_LIMIT": "200MB"}
    with serving(tmp_path, **environment) as server:
        declare(server)
        with httpx.Client(base_url=server.url, timeout=30) as http:
            waiting = [begin(server, 900_000) for _ in range(70)]  # 63 MB, where 50 MB may be
            time.sleep(1)
            replies = []
            for connection in waiting:
                connection.settimeout(0.05)
                try:
                    replies.append(connection.recv(12))
                except TimeoutError:
                    replies.append(b"")
            assert replies.count(b"HTTP/1.1 503") in range(10, 20)
            assert http.get("/collections").status_code == 200
            assert 'refused_total{reason="bodies"} 0.0' not in http.get("/metrics").text
            for connection in waiting:
                connection.close()
