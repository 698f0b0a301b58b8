"""Heads that were read before: the same replies as if every head was parsed, whoever sends them."""

from __future__ import annotations

import json
import random
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from palimpsest.app.protocol import QueryProtocol
from palimpsest.app.wire.connection import Connection
from tests.api.replies import result
from tests.api.served import Server, serving
from tests.api.test_protocol import points_of, receive, request

KEY = "an-owner-of-everything"
NAMES = ("docs", "страницы")
TARGETS = {
    name: "/collections/" + httpx.URL(f"http://h/{name}").raw_path[1:].decode() for name in NAMES
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("heads")
    with serving(folder, PALIMPSEST_API_KEY=KEY) as server:
        with httpx.Client(base_url=server.url, headers={"api-key": KEY}) as http:
            for target in TARGETS.values():
                vectors = {"size": 3, "distance": "Euclid"}
                result(http.put(target, json={"vectors": vectors}))
                points = [{"id": i, "vector": [i, i, i]} for i in range(50)]
                result(http.put(f"{target}/points?wait=true", json={"points": points}))
        yield server


@pytest.fixture
def connection(guarded: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=30) as opened:
        yield opened


def query(at: int, *more: str, name: str = "docs", key: str = KEY) -> bytes:
    body = json.dumps({"query": [at, at, at], "limit": 1}).encode()
    held = (f"api-key: {key}",) if key else ()
    return request(f"{TARGETS[name]}/points/query", body, *held, *more)


def first_of(reply: tuple[int, Any]) -> int:
    found: int = points_of(reply)[0]["id"]
    return found


def sent_apart(connection: socket.socket, *parts: bytes) -> tuple[int, Any]:
    for part in parts:
        connection.sendall(part)
        _settle(connection)
    (reply,) = receive(connection)
    return reply


def _settle(connection: socket.socket) -> None:
    """Let what was sent be read by itself."""
    connection.settimeout(0.02)
    try:
        assert connection.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        pass
    finally:
        connection.settimeout(30)


def test_a_head_that_is_known_is_answered_by_its_own_body(connection: socket.socket) -> None:
    for name in NAMES:
        for at in (3, 4, 3, 47, 12, 5):
            connection.sendall(query(at, name=name))
            (reply,) = receive(connection)
            assert first_of(reply) == at


def test_head_and_body_may_come_apart(connection: socket.socket) -> None:
    for at in (3, 4, 5, 46, 47):
        head, _, body = query(at).partition(b"\r\n\r\n")
        assert first_of(sent_apart(connection, head + b"\r\n\r\n", body)) == at
        assert first_of(sent_apart(connection, head + b"\r\n\r\n" + body[:5], body[5:])) == at
        halves = sent_apart(connection, head + b"\r\n\r\n", body[:5], body[5:])
        assert first_of(halves) == at
        assert first_of(sent_apart(connection, head[:20], head[20:] + b"\r\n\r\n" + body)) == at
        assert first_of(sent_apart(connection, b"\r\n", query(at))) == at


def test_a_key_is_looked_at_each_time(connection: socket.socket) -> None:
    for _ in range(3):
        connection.sendall(query(7))
        assert first_of(receive(connection)[0]) == 7
        for key in ("", "another"):
            connection.sendall(query(7, key=key))
            assert refused(connection).startswith(b"HTTP/1.1 401")


def refused(connection: socket.socket) -> bytes:
    """Read one refusal, whose body is no JSON."""
    received = b""
    while True:
        part = connection.recv(65_536)
        assert part, received
        received += part
        head, found, rest = received.partition(b"\r\n\r\n")
        if found and len(rest) == int(head.lower().split(b"content-length: ")[1].split()[0]):
            return received


def test_no_head_is_known_by_a_part_of_it(guarded: Server) -> None:
    """A header whose value looks like a request lends nobody its key."""
    anonymous = query(7, key="")
    target = f"{TARGETS['docs']}/points/query"
    before = f"POST {target} HTTP/1.1\r\napi-key: {KEY}\r\nx-seen: ".encode()
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", guarded.port), timeout=30) as connection:
            connection.sendall(before)
            _settle(connection)
            connection.sendall(anonymous)
            assert first_of(receive(connection)[0]) == 7
        with socket.create_connection(("127.0.0.1", guarded.port), timeout=30) as connection:
            connection.sendall(anonymous)
            assert refused(connection).startswith(b"HTTP/1.1 401")


def test_what_follows_a_known_head_is_not_lost(connection: socket.socket) -> None:
    one = query(8)
    for _ in range(2):
        connection.sendall(one)
        receive(connection)
    connection.sendall(one + one + query(9)[:40])
    assert [first_of(each) for each in receive(connection, 2)] == [8, 8]
    connection.sendall(query(9)[40:] + query(10))
    assert [first_of(each) for each in receive(connection, 2)] == [9, 10]
    connection.sendall(one + b"\r\n" + one)
    assert [first_of(each) for each in receive(connection, 2)] == [8, 8]


def test_a_known_head_before_a_body_that_does_not_come(guarded: Server) -> None:
    head, _, body = query(8).partition(b"\r\n\r\n")
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=30) as connection:
        connection.sendall(query(8))
        receive(connection)
        connection.sendall(head + b"\r\n\r\n")
        _settle(connection)
        connection.settimeout(3)  # it is reviewed meanwhile, and still waits
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(30)
        connection.sendall(body)
        assert first_of(receive(connection)[0]) == 8


def test_wrong_bodies_below_a_known_head(connection: socket.socket) -> None:
    one = query(8)
    head, _, body = one.partition(b"\r\n\r\n")
    connection.sendall(one)
    receive(connection)
    for wrong in (b"{" * len(body), body.replace(b"1}", b"0}"), body.replace(b"8, 8]", b"8   ]")):
        assert len(wrong) == len(body)
        connection.sendall(head + b"\r\n\r\n" + wrong)
        ((status, reply),) = receive(connection)
        assert status in (400, 422)
        assert reply["status"]["error"]
    connection.sendall(one)
    assert first_of(receive(connection)[0]) == 8


def test_a_head_without_its_body_is_refused_by_a_server_that_ends(tmp_path: Path) -> None:
    """It was read: no client is left to guess what became of its request."""
    with serving(tmp_path) as server:
        result(
            httpx.put(
                f"{server.url}{TARGETS['docs']}",
                json={"vectors": {"size": 3, "distance": "Euclid"}},
            )
        )
        known, new = query(8, key=""), query(8, "x-new: 1", key="")
        opened = [socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in "12"]
        opened[0].sendall(known)
        receive(opened[0])
        for connection, each in zip(opened, (known, new), strict=True):
            connection.sendall(each.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
            _settle(connection)
        server.process.send_signal(signal.SIGTERM)
        for connection in opened:
            assert refused(connection).startswith(b"HTTP/1.1 503")
            connection.close()
        assert server.process.wait(timeout=30) == 0


def test_nothing_that_came_is_kept_when_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []
    protocol = QueryProtocol.__new__(QueryProtocol)
    monkeypatch.setattr(Connection, "data_received", lambda self, data: seen.append(self._parsed))
    protocol._parse(b"a part of a long body")
    assert seen == [b"a part of a long body"]
    assert protocol._parsed == b""


@pytest.mark.parametrize("seed", range(8))
def test_however_bytes_are_cut_replies_are_the_same(seed: int, connection: socket.socket) -> None:
    drawn = random.Random(seed)
    ats = [drawn.randrange(50) for _ in range(60)]
    mores = [(), ("x-a: 1",), ("x-b: é",), ("expect: 100-continue",), ("origin: http://localhost",)]
    sent = b"".join(query(at, *drawn.choice(mores), name=drawn.choice(NAMES)) for at in ats)
    cuts = sorted(drawn.sample(range(1, len(sent)), drawn.choice((0, 5, 60))))
    for start, stop in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        connection.sendall(sent[start:stop])
        if drawn.random() < 0.2:
            _settle_quickly(connection)
    assert [first_of(each) for each in receive(connection, len(ats))] == ats


def _settle_quickly(connection: socket.socket) -> None:
    connection.settimeout(0.002)
    try:
        connection.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        pass
    finally:
        connection.settimeout(30)
