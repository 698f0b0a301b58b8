"""What comes on a connection: read in one way or refused, and nothing after the last request."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.api.raw import (
    GET,
    HEADER_LIMIT,
    PUT,
    QUERY,
    answered,
    connect,
)
from tests.api.served import Server


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


def test_what_cannot_be_read_has_an_id_too(slow: Server) -> None:
    """What is broken is told of under the id that it brings, or one of its own."""
    broken = b"content-length: -1\r\n\r\n"
    large = b"x: " + b"a" * 2 * HEADER_LIMIT + b"\r\n\r\n"
    found = set()
    for sent in (b"nonsense\r\n\r\n", PUT + broken, PUT + large, GET + b"\r\n" + PUT + broken):
        last = answered(slow, sent)[1].rpartition(b"HTTP/1.1 4")[2]
        found |= set(re.findall(rb"\r\nx-request-id: (\S+)\r\n", last))
    assert len(found) == 4
    for rest in (broken, large, b"content-length: 9\r\n\r\n"):  # the last is awaited in vain
        received = answered(slow, PUT + b"X-Request-Id: mine-7\r\n" + rest)[1]
        assert re.findall(rb"\r\nx-request-id: (\S+)\r\n", received) == [b"mine-7"], received
    insane = PUT + b"x-request-id: a b\r\n" + broken
    assert b"a b" not in answered(slow, insane)[1]


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
