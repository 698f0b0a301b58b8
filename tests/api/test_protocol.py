"""Queries answered the short way: the same replies, however the bytes come."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.replies import result
from tests.api.served import Server

BODY = json.dumps({"query": [1.0, 2.0, 3.0], "limit": 3}).encode()


@pytest.fixture
def connection(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as opened:
        yield opened


@pytest.fixture
def path(http: httpx.Client, collection: str) -> str:
    points = [{"id": i, "vector": [i, i, i]} for i in range(50)]
    below = f"/collections/{collection}/points"
    result(http.put(f"{below}?wait=true", json={"points": points}))
    return f"{below}/query"


def request(path: str, body: bytes = BODY, *more: str, version: str = "1.1") -> bytes:
    lines = [
        f"POST {path} HTTP/{version}",
        "host: localhost",
        f"content-length: {len(body)}",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def receive(connection: socket.socket, count: int = 1) -> list[tuple[int, Any]]:
    """Read so many replies; return their statuses and bodies."""
    replies: list[tuple[int, Any]] = []
    received = b""
    while len(replies) < count:
        head, found, rest = received.partition(b"\r\n\r\n")
        fields = dict(
            line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line
        )
        length = int(fields.get(b"content-length", b"0"))
        if found and head.startswith(b"HTTP/1.1 100"):
            received = rest
        elif found and len(rest) >= length:
            replies.append((int(head.split()[1]), json.loads(rest[:length])))
            received = rest[length:]
        else:
            part = connection.recv(65_536)
            assert part, received
            received += part
    assert not received
    return replies


def points_of(reply: tuple[int, Any]) -> Any:
    status, body = reply
    assert status == 200, body
    assert body["status"] == "ok"
    return body["result"]["points"]


def test_both_ways_answer_the_same(
    connection: socket.socket, http: httpx.Client, path: str
) -> None:
    expected = result(http.post(f"{path}?consistency=all", content=BODY))["points"]
    assert [hit["id"] for hit in expected] == [2, 1, 3]
    for sent in (
        request(path),
        request(f"{path}/"),
        request(f"{path}?timeout=5"),
        request(path.replace("/c", "/%63", 1)),
        request(path, BODY + b" " * 200_000),
        request(path, BODY, "expect: 100-continue"),
        request(path, BODY, "connection: keep-alive"),
    ):
        connection.sendall(sent)
        (reply,) = receive(connection)
        assert points_of(reply) == expected


def test_a_request_may_come_in_pieces(connection: socket.socket, path: str) -> None:
    sent = request(path)
    for size in (1, 7, len(sent) - 1):
        for start in range(0, len(sent), size):
            connection.sendall(sent[start : start + size])
            if size > 1:
                time.sleep(0.001)
        (reply,) = receive(connection)
        assert [hit["id"] for hit in points_of(reply)] == [2, 1, 3]


def test_replies_keep_the_order_of_requests(connection: socket.socket, path: str) -> None:
    count = path.replace("/query", "/count")
    bodies = [json.dumps({"query": [i, i, i], "limit": 1}).encode() for i in range(20)]
    connection.sendall(b"".join(request(path, body) for body in bodies))
    assert [points_of(each)[0]["id"] for each in receive(connection, 20)] == list(range(20))
    mixed = [request(path, bodies[5]), request(count, b"{}"), request(path, bodies[7])]
    connection.sendall(b"".join(mixed))
    first, second, third = receive(connection, 3)
    assert points_of(first)[0]["id"] == 5
    assert second[1]["result"] == {"count": 50}
    assert points_of(third)[0]["id"] == 7


def test_errors_are_worded_the_long_way(connection: socket.socket, path: str) -> None:
    unknown = "/collections/unknown/points/query"
    for where, body, status in (
        (path, b"{", 400),
        (path, b'{"query":[1]}', 400),
        (path, b'{"query":[1,2,3],"limit":0}', 422),
        (unknown, BODY, 404),
    ):
        connection.sendall(request(where, body))
        (reply,) = receive(connection)
        assert reply[0] == status
        assert reply[1]["status"]["error"]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_connection_may_ask_to_be_closed(
    version: str, connection: socket.socket, path: str
) -> None:
    connection.sendall(request(path, BODY, "connection: close", version=version))
    (reply,) = receive(connection)
    assert len(points_of(reply)) == 3
    assert connection.recv(1) == b""


def test_short_answers_are_counted(
    connection: socket.socket, http: httpx.Client, path: str
) -> None:
    route = "/collections/{collection_name}/points/query"
    series = f'palimpsest_http_requests_total{{method="POST",route="{route}",status="200"}}'

    def counted() -> float:
        lines = http.get("/metrics").text.splitlines()
        return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(series))

    before = counted()
    for _ in range(5):
        connection.sendall(request(path))
        receive(connection)
    assert counted() == before + 5
