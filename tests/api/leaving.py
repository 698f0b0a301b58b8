"""Clients that ask for a lot and leave before they are answered."""

from __future__ import annotations

import base64
import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.api.served import Server

WORKING = 0.4  # seconds of CPU time after which requests have been read, and are worked at
LONGEST = 60.0  # seconds until then
TICKS = os.sysconf("SC_CLK_TCK")  # a second


def as_text(vector: NDArray[np.float32]) -> str:
    """Return a vector as base64, which bodies may hold in place of numbers."""
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def exact_batch(queries: NDArray[np.float32]) -> dict[str, Any]:
    """Return the body of a batch of searches that compare every vector."""
    return {
        "searches": [
            {"query": as_text(query), "params": {"exact": True}, "limit": 10} for query in queries
        ]
    }


def request_of(method: str, path: str, body: Any) -> bytes:
    text = json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    return head.encode() + b"content-length: %d\r\n\r\n" % len(text) + text


@contextmanager
def asking(server: Server, requests: Sequence[bytes]) -> Iterator[list[socket.socket]]:
    """Send each request on a connection of its own; all are closed at the end, unanswered."""
    connections: list[socket.socket] = []
    try:
        for request in requests:
            connections.append(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            connections[-1].sendall(request)
        yield connections
    finally:
        for connection in connections:
            connection.close()


def cpu_seconds(pid: int) -> float:
    """Return how long a process has kept cores busy."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextmanager
def occupied(server: Server, requests: Sequence[bytes]) -> Iterator[None]:
    """Ask as ``asking`` does, and wait until the server works, however busy the machine is."""
    before, deadline = cpu_seconds(server.process.pid), time.monotonic() + LONGEST
    with asking(server, requests):
        while cpu_seconds(server.process.pid) - before < WORKING:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield


def busy(pid: int, seconds: float) -> float:
    """Return how many cores a process keeps busy, from now on for so long."""
    before, started = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_seconds(pid) - before) / (time.monotonic() - started)
