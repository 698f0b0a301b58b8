"""Rows that come over REST faster than they are sealed: what waits, and what searches pay.

The rows are synthetic, sent as JSON numbers by connections that come again when they are told to,
and made while they are sent: on two cores this process takes a part of them.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tests.api.served import Server, serving
from tests.bench import load
from tests.bench.corpora import drawn
from tests.bench.load import Load
from tests.bench.report import Result

ROWS = 600_000  # unless another number is asked for
_SIZE = 384
_QUERIES = 200
_BATCH, _WRITERS = 500, 4
_SEAL_ROWS = 65_536  # and less where few rows come, so that as many seals are made
_SEALS = 9
_BEAT = 0.02  # seconds between two searches whose latency is measured
_IDLE_SECONDS = 10.0
_LOOK = 0.05  # seconds between two looks at memory
_LIMIT_SECONDS = 900.0  # no load takes longer
_PATH = "/collections/c"


def measure(rows: int) -> Iterator[Result]:
    """Yield the rows of the table."""
    seal_rows = min(_SEAL_ROWS, max(2_048, rows // _SEALS))
    base, queries = np.split(drawn(rows + _QUERIES, _SIZE), [rows])
    yield from _whole(base, queries, seal_rows)
    few = base[: rows // 4]
    idle = _until_green(few, queries, seal_rows, busy=False)
    busy = _until_green(few, queries, seal_rows, busy=True)
    yield Result(
        f"{len(few):,} x {_SIZE} over REST until green, all cores kept busy by searches",
        "<= 3x idle",
        "",
        f"{busy / idle:.1f}x ({busy:.0f} s against {idle:.0f} s)",
    )


def _whole(
    base: NDArray[np.float32], queries: NDArray[np.float32], seal_rows: int
) -> Iterator[Result]:
    with _server(seal_rows) as server, _watched(server) as seen:
        requests = _searches(queries)
        meanwhile = _Searching(server.port, requests)
        begun = time.perf_counter()
        came = _bring(server, base)
        _wait_green(server, len(base))
        green = time.perf_counter() - begun
        busy = meanwhile.end()
        final = _anonymous(server.process.pid)
        idle = _Searching(server.port, requests)
        time.sleep(_IDLE_SECONDS)
        quiet = idle.end()
        told = _state(server)
    name = f"{len(base):,} x {_SIZE} over REST, seal_rows {seal_rows:,}"
    yield Result(
        f"{name}: growing rows at most",
        f"{2 * seal_rows:,}",
        "",
        f"{seen.rows:,} ({seen.rows / seal_rows:.2f}x), {seen.segments} segments at most",
    )
    yield Result(
        f"{name}: p99 of a search meanwhile, against idle",
        "<= 3x",
        "",
        f"{busy / quiet:.1f}x ({busy * 1e3:.1f} ms against {quiet * 1e3:.1f} ms)",
    )
    yield Result(
        f"{name}: until green",
        "<= 220 s",
        "",
        f"{green:.0f} s (rows came for {came.seconds:.0f} s, {came.refused} of "
        f"{came.sent} writes told to come again), {told['segments_count']} segments",
    )
    yield Result(
        f"{name}: peak of anonymous memory, against the end",
        "<= 2.5x",
        "",
        f"{seen.memory / final:.2f}x ({seen.memory / 1e6:.0f} MB against {final / 1e6:.0f} MB)",
    )


def _until_green(
    base: NDArray[np.float32], queries: NDArray[np.float32], seal_rows: int, *, busy: bool
) -> float:
    """Return the seconds until all rows are sealed."""
    with _server(seal_rows) as server, _saturated(server.port, queries, busy=busy):
        begun = time.perf_counter()
        _bring(server, base)
        _wait_green(server, len(base))
        return time.perf_counter() - begun


@contextmanager
def _server(seal_rows: int) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        declared = {
            "vectors": {"size": _SIZE, "distance": "Cosine"},
            "metadata": {"palimpsest": {"seal_rows": seal_rows}},
        }
        status, _, text = _call(server.port, "PUT", _PATH, msgspec.json.encode(declared))
        assert status == 200, text
        yield server


@dataclass(slots=True)
class Came:
    """How a load went; also what the threads that bring it share."""

    sent: int = 0
    refused: int = 0
    seconds: float = 0.0
    failed: list[BaseException] = field(default_factory=list)


def _bring(server: Server, base: NDArray[np.float32]) -> Came:
    """Upsert all rows from several connections; each comes again when it is told to."""
    came, lock, begun = Came(), threading.Lock(), time.perf_counter()
    starts = iter(range(0, len(base), _BATCH))

    def bring() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        try:
            while (start := _next(starts, lock)) is not None:
                body = _points(base[start : start + _BATCH], start)
                while (seconds := _put(connection, body)) > 0:
                    came.refused += 1
                    assert time.perf_counter() - begun < _LIMIT_SECONDS, "rows came for too long"
                    time.sleep(seconds)
                came.sent += 1
        except BaseException as error:
            came.failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=bring) for _ in range(_WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if came.failed:
        raise came.failed[0]
    came.seconds = time.perf_counter() - begun
    return came


def _next(starts: Iterator[int], lock: threading.Lock) -> int | None:
    with lock:
        return next(starts, None)


def _points(rows: NDArray[np.float32], first: int) -> bytes:
    rounded = np.round(rows.astype(np.float64), 6).tolist()
    batch = [{"id": first + i, "vector": row} for i, row in enumerate(rounded)]
    return msgspec.json.encode({"points": batch})


def _put(connection: http.client.HTTPConnection, body: bytes) -> int:
    """Send points; return the seconds after which to come again, 0 when they were taken."""
    connection.request("PUT", f"{_PATH}/points", body, {"Content-Type": "application/json"})
    reply = connection.getresponse()
    text = reply.read()
    if reply.status == 429:
        return int(reply.headers["retry-after"])
    assert reply.status == 200, text
    return 0


def _wait_green(server: Server, rows: int) -> None:
    deadline = time.perf_counter() + _LIMIT_SECONDS
    while (told := _state(server))["status"] != "green":
        assert time.perf_counter() < deadline, told
        time.sleep(0.1)
    assert told["points_count"] == rows, told


def _state(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_call(server.port, "GET", _PATH)[2])["result"]
    return found


def _call(port: int, method: str, path: str, body: bytes = b"") -> tuple[int, Any, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read()
    finally:
        connection.close()


@dataclass(slots=True)
class Seen:
    """The most that was seen of a server."""

    rows: int = 0
    segments: int = 0
    memory: int = 0


@contextmanager
def _watched(server: Server) -> Iterator[Seen]:
    seen, ended = Seen(), threading.Event()

    def watch() -> None:
        looks = 0
        while not ended.wait(_LOOK):
            seen.memory = max(seen.memory, _anonymous(server.process.pid))
            if (looks := looks + 1) % 4 == 0:
                told = _state(server)
                seen.rows = max(seen.rows, told["palimpsest"]["backlog"]["rows"])
                seen.segments = max(seen.segments, told["segments_count"])

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def _anonymous(pid: int) -> int:
    """Return the bytes of anonymous memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^RssAnon:\s+(\d+) kB", status, re.MULTILINE)
    assert found is not None
    return 1024 * int(found[1])


def _searches(queries: NDArray[np.float32]) -> list[bytes]:
    bodies = (msgspec.json.encode({"query": row.tolist(), "limit": 10}) for row in queries)
    return [load.request("POST", f"{_PATH}/points/query", body) for body in bodies]


class _Searching:
    """One search after the other on a fixed beat, in a process of its own until it is ended."""

    def __init__(self, port: int, requests: list[bytes]) -> None:
        context = multiprocessing.get_context("spawn")
        self._ended = context.Event()
        self._found, found = context.Pipe(duplex=False)
        arguments = (port, requests, self._ended, found)
        self._process = context.Process(target=_search, args=arguments, daemon=True)
        self._process.start()

    def end(self) -> float:
        """Return the 99th percentile of the latencies in seconds."""
        self._ended.set()
        seconds: list[float] = self._found.recv()
        self._process.join()
        return float(np.percentile(seconds, 99))


def _search(port: int, requests: list[bytes], ended: Any, found: Any) -> None:
    until: Callable[[], bool] = ended.is_set
    found.send(load.run(port, requests, Load(pause=_BEAT, seconds=600), until).seconds)


@contextmanager
def _saturated(port: int, queries: NDArray[np.float32], *, busy: bool) -> Iterator[None]:
    """Keep all cores busy inside by searches, from a process of its own."""
    if not busy:
        yield
        return
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_saturate, args=(port, _searches(queries)), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _saturate(port: int, requests: list[bytes]) -> None:
    load.run(port, requests, Load(connections=4 * (os.cpu_count() or 1), seconds=600))
