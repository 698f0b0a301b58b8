"""Queries of several connections that come at once: each gets the reply that it gets alone."""

from __future__ import annotations

import asyncio
import json
import random
import select
import socket
from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest

from palimpsest.app.routes.short_queries import Asked, ShortQueries
from palimpsest.app.turn import Turn
from palimpsest.app.wire.heads import Head
from tests.api.replies import result
from tests.api.served import Server
from tests.api.test_protocol import receive, request

CLIENTS = 12
SIZE = 400  # points


@pytest.fixture
def path(http: httpx.Client, collection: str) -> str:
    points = [{"id": i, "vector": [i, i, i]} for i in range(SIZE)]
    below = f"/collections/{collection}/points"
    result(http.put(f"{below}?wait=true", json={"points": points}))
    return f"{below}/query"


@pytest.fixture
def connections(server: Server) -> Iterator[list[socket.socket]]:
    opened = [
        socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in range(CLIENTS)
    ]
    yield opened
    for each in opened:
        each.close()


def body_of(drawn: random.Random) -> tuple[bytes, int]:
    """Return a body, and the status of its reply."""
    at = drawn.randrange(SIZE)
    kind = drawn.randrange(10)
    if kind == 0:
        return b'{"query":[1,2],"limit":3}', 400
    if kind == 1:
        return b'{"query":[1,2,3],"limit":0}', 422
    if kind == 2:
        return b'{"query":[1,2,', 400
    if kind == 3:
        return json.dumps({"query": at, "limit": 2}).encode(), 200
    query: dict[str, Any] = {"query": [at, at, at + 0.25], "limit": drawn.choice((1, 1, 1, 3))}
    if kind == 4:
        query["with_payload"] = True
    if kind == 5:
        query["filter"] = {"must": [{"has_id": [at, 5]}]}
    return json.dumps(query).encode(), 200


def told(reply: tuple[int, Any]) -> tuple[int, Any]:
    """Return what of a reply is the same each time."""
    status, body = reply
    return status, body["result"] if status == 200 else body["status"]


@pytest.mark.parametrize("seed", range(4))
def test_replies_are_those_of_each_alone(
    seed: int, connections: list[socket.socket], path: str
) -> None:
    drawn = random.Random(seed)
    for _ in range(15):
        bodies = [body_of(drawn) for _ in connections]
        alone = []
        for body, status in bodies:
            connections[0].sendall(request(path, body))
            (reply,) = receive(connections[0])
            assert reply[0] == status, reply
            alone.append(told(reply))
        for connection, (body, _) in zip(connections, bodies, strict=True):
            connection.sendall(request(path, body))
        together = [told(receive(connection)[0]) for connection in connections]
        assert together == alone


def test_clients_that_leave_take_no_reply_of_others(
    server: Server, connections: list[socket.socket], path: str
) -> None:
    bodies = [json.dumps({"query": [i, i, i], "limit": 1}).encode() for i in range(CLIENTS)]
    for _ in range(10):
        for connection, body in zip(connections, bodies, strict=True):
            connection.sendall(request(path, body))
        leaving = [
            socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in range(6)
        ]
        for connection in leaving:
            connection.sendall(request(path, bodies[3]))
            connection.close()
        for place, connection in enumerate(connections):
            ((status, reply),) = receive(connection)
            assert status == 200
            assert [hit["id"] for hit in reply["result"]["points"]] == [place]


def test_a_second_request_waits_for_the_reply_to_the_first(
    connections: list[socket.socket], path: str
) -> None:
    first = json.dumps({"query": [7, 7, 7], "limit": 1}).encode()
    count = request(path.replace("/query", "/count"), b"{}")
    for connection in connections:
        connection.sendall(request(path, first))
        receive(connection)
    for _ in range(10):
        for connection in connections:
            connection.sendall(request(path, first))
        for connection in connections:
            connection.sendall(count)
            connection.sendall(request(path, first))
        for connection in connections:
            one, two, three = receive(connection, 3)
            assert one[1]["result"]["points"][0]["id"] == 7
            assert two[1]["result"] == {"count": SIZE}
            assert three[1]["result"] == one[1]["result"]
    ready, _, _ = select.select(connections, [], [], 0.05)
    assert ready == []  # no reply was sent twice


class Echo:
    """Replies with the body, in the place of a search."""

    def answer_all(self, asked: list[Asked]) -> list[bytes | None]:
        return [each.body for each in asked]


class Client:
    """A connection; one that ``fails`` cannot be written to."""

    def __init__(self, *, fails: bool) -> None:
        self.fails = fails
        self.told: list[bytes | None | str] = []

    def replied(self, head: Head, asked: Asked, reply: bytes | None) -> None:
        if self.fails:
            raise RuntimeError("the transport is closed")
        self.told.append(reply)

    def drop(self, reason: str) -> None:
        self.told.append(reason)


def test_a_connection_that_fails_takes_no_reply_of_others() -> None:
    async def told() -> list[list[bytes | None | str]]:
        turn = Turn(cast(ShortQueries, Echo()))
        clients = [Client(fails=place in (0, 70)) for place in range(100)]
        for place, client in enumerate(clients):
            turn.add(client, Head(b"", "docs", [], 2), b"%02d" % place)
        await asyncio.sleep(0)
        return [client.told for client in clients]

    found = asyncio.run(told())
    assert found == [["failed"] if i in (0, 70) else [b"%02d" % i] for i in range(100)]
