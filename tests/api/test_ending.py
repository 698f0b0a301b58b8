"""A server that is told to stop under full load: what it answered stays, and it ends in time."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.api.leaving import as_text
from tests.api.served import Server, serving

SIZE, WRITERS, READERS, BATCH = 32, 3, 3, 50
DRAIN = 1.0  # seconds
LONGEST = 20.0  # seconds: drains, and what requests under way are given, with room for the machine


@dataclass(eq=False)
class Client(threading.Thread):
    """Asks one thing after another on a connection that stays, until there is no server."""

    url: str
    number: int
    writes: bool
    answered: list[tuple[float, int]] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def run(self) -> None:
        rng = np.random.default_rng(self.number)
        with httpx.Client(base_url=self.url, timeout=60) as http:
            for first in range(self.number * 1_000_000, (self.number + 1) * 1_000_000, BATCH):
                vectors = rng.standard_normal((BATCH, SIZE)).astype(np.float32)
                try:
                    reply = (
                        self._write(http, first, vectors)
                        if self.writes
                        else http.post(
                            "/collections/c/points/query", json={"query": as_text(vectors[0])}
                        )
                    )
                except httpx.TransportError:
                    if not self.answered or self._is_gone():
                        return
                    continue  # that connection was closed between two requests
                self.answered.append((time.monotonic(), reply.status_code))
                if self.writes and reply.status_code == 200:
                    self.acknowledged += range(first, first + BATCH)

    def _write(self, http: httpx.Client, first: int, vectors: np.ndarray) -> httpx.Response:
        points = [
            {"id": first + n, "vector": as_text(one), "payload": {"ж": first + n}}
            for n, one in enumerate(vectors)
        ]
        return http.put("/collections/c/points", json={"points": points})

    def _is_gone(self) -> bool:
        port = httpx.URL(self.url).port
        assert port is not None
        return not is_listening(port)


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=10).close()
    except OSError:
        return False
    return True


def closing_time(server: Server) -> float:
    """Wait until nothing listens any more; return when that was."""
    until = time.monotonic() + LONGEST
    while is_listening(server.port):
        assert time.monotonic() < until, "it went on listening"
        time.sleep(0.01)
    return time.monotonic()


@pytest.fixture
def loaded(tmp_path: Path) -> Iterator[tuple[Server, list[Client]]]:
    """A server at full load for a second."""
    server = Server(tmp_path, PALIMPSEST_DRAIN_SECONDS=str(DRAIN), PALIMPSEST_THREADS="2")
    try:
        server.wait_until_ready()
        body = {
            "vectors": {"size": SIZE, "distance": "Euclid"},
            "metadata": {"palimpsest": {"seal_rows": 1_000}},
        }
        assert httpx.put(f"{server.url}/collections/c", json=body).status_code == 200
        clients = [Client(server.url, n, n < WRITERS) for n in range(WRITERS + READERS)]
        for one in clients:
            one.start()
        until = time.monotonic() + LONGEST
        while not all(len(one.answered) > 5 for one in clients) and time.monotonic() < until:
            time.sleep(0.05)
        yield server, clients
        for one in clients:
            one.join(LONGEST)
            assert not one.is_alive()
    finally:
        server.process.kill()
        server.process.wait()


def test_under_load_nothing_answered_is_lost_and_no_one_is_failed_late(
    loaded: tuple[Server, list[Client]], tmp_path: Path
) -> None:
    server, clients = loaded
    told = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    closed = closing_time(server)
    assert server.process.wait(LONGEST) == 0
    assert time.monotonic() - told < LONGEST
    for one in clients:
        one.join(LONGEST)
    answered = [reply for one in clients for reply in one.answered]
    late = [status for at, status in answered if at > closed + 0.05 and status >= 500]
    assert late == []
    # Before, none but 503 (it drains: ask another) and 429 (rows come too fast).
    assert {status for _, status in answered} <= {200, 429, 503}
    acknowledged = [number for one in clients for number in one.acknowledged]
    assert len(acknowledged) >= WRITERS * 5 * BATCH
    with serving(tmp_path) as again:
        count = httpx.post(f"{again.url}/collections/c/points/count", json={"exact": True}).json()
        assert count["result"]["count"] >= len(acknowledged)
        for start in range(0, len(acknowledged), 1_000):
            some = acknowledged[start : start + 1_000]
            reply = httpx.post(
                f"{again.url}/collections/c/points",
                json={"ids": some, "with_payload": True},
                timeout=60,
            )
            found = {one["id"]: one["payload"] for one in reply.json()["result"]}
            assert found == {number: {"ж": number} for number in some}
