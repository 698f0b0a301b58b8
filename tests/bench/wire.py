"""Many slow clients: what they cost a server in memory, and its other clients in time."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import resource
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.report import Result
from tests.bench.servers import Server, palimpsest, running

IDLE, HEADS, BODIES = 10_000, 1_000, 100
TARGET = "/collections/wire/points/query"
QUERY = json.dumps({"query": [1.0, 2.0, 3.0], "limit": 3}).encode()
ASKED = 3_000  # queries of the other client, one after another
HEADERS = b"host: localhost\r\n"
ENDED = 30.0  # seconds after which all are ended: the time-outs are set to half of that
TIMEOUTS = ("--idle-timeout", "15", "--body-timeout", "10", "--head-timeout", "10")


def measure() -> Iterator[Result]:
    """Connect them, ask beside them, and wait until they are ended."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        command = [*palimpsest(Path(folder)), *TIMEOUTS]
        with running(command) as server, contextlib.ExitStack() as held:
            server.call("PUT", "/collections/wire", {"vectors": {"size": 3, "distance": "Dot"}})
            _ask(server)  # until what grows at first has grown
            alone, before = _ask(server), _resident(server)
            for _ in range(IDLE):
                _connect(server, held, b"")
            for _ in range(HEADS):
                _connect(server, held, b"GET / HTTP/1.1\r\n" + HEADERS + b"x: ")
            slow = [_connect(server, held, _BODY) for _ in range(BODIES)]
            beside = _ask(server, slow)
            grown = _resident(server) - before
            left = _left_after(server, ENDED)
    name = f"{IDLE:,} idle connections, {HEADS:,} unfinished heads, {BODIES} slow bodies"
    yield Result(f"{name}: p99 of others", "<= 3x", "", f"{beside / alone:.2f}x")
    yield Result(f"{name}: memory", "<= 50 MB", "", f"{grown:.0f} MB")
    yield Result(f"{name}: left open", "0", "", str(left))


_BODY = b"PUT /collections/wire/points HTTP/1.1\r\n" + HEADERS + b"content-length: 100000\r\n\r\n"


def _connect(server: Server, held: contextlib.ExitStack, sent: bytes) -> socket.socket:
    connection = held.enter_context(socket.create_connection(("127.0.0.1", server.port)))
    if sent:
        connection.sendall(sent)
    return connection


def _ask(server: Server, slow: list[socket.socket] | None = None) -> float:
    """Return the p99 of queries in seconds; each slow body gets a byte a second meanwhile."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    taken = []
    sent = time.perf_counter()
    for _ in range(ASKED):
        started = time.perf_counter()
        connection.request("POST", TARGET, QUERY, {"content-type": "application/json"})
        connection.getresponse().read()
        taken.append(time.perf_counter() - started)
        if slow and started - sent > 1.0:
            sent = started
            for each in slow:
                with contextlib.suppress(OSError):
                    each.sendall(b" ")
    connection.close()
    return sorted(taken)[ASKED * 99 // 100]


def _resident(server: Server) -> float:
    """Return the megabytes that a server holds in memory."""
    return _series(server, "process_resident_memory_bytes") / 2**20


def _left_after(server: Server, seconds: float) -> int:
    """Return how many connections are open in the end, without the one that asks."""
    deadline = time.monotonic() + seconds
    while True:
        states = ("waiting", "active")
        left = sum(_series(server, f'palimpsest_connections{{state="{each}"}}') for each in states)
        if left <= 1 or time.monotonic() > deadline:
            return int(left) - 1
        time.sleep(1)


def _series(server: Server, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", server.call("GET", "/metrics"), re.MULTILINE)
    assert found is not None, name
    return float(found[1])
