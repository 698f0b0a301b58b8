"""A bounded HTTP load generator: prepared requests, keep-alive connections, one event loop.

Each connection sends its next request when the answer to the last has come (closed loop), or on a
fixed beat (`pause`). It understands just enough HTTP to find the end of an answer: a status line
and a Content-Length.
"""

from __future__ import annotations

import asyncio
import gc
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import uvloop

_HEAD = re.compile(rb"(?is)HTTP/1\.1 (\d+).*?\r\ncontent-length: *(\d+).*?\r\n\r\n")

LIMIT_SECONDS = 600.0  # no run lasts longer, whatever it was asked for


@dataclass(slots=True)
class Answers:
    """What came back: per request its number, when it was sent, its seconds, and maybe its body."""

    numbers: list[int] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    elapsed: float = 0.0

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.numbers) / self.elapsed


@dataclass(frozen=True, slots=True)
class Load:
    """How requests are sent: stop after `count` of them or `seconds`, whichever is first."""

    connections: int = 1
    count: int = 1_000_000
    seconds: float = LIMIT_SECONDS
    pause: float = 0.0  # seconds between two requests of a connection; 0 = closed loop
    keep_bodies: bool = False


def request(method: str, path: str, body: bytes = b"", key: str = "") -> bytes:
    """Write one HTTP/1.1 request, with an API key if one is given."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    held = f"api-key: {key}\r\n" if key else ""
    return f"{head}{held}Content-Length: {len(body)}\r\n\r\n".encode() + body


def run(
    port: int, requests: Sequence[bytes], load: Load, until: Callable[[], bool] | None = None
) -> Answers:
    """Send `requests` in order, round and round, and collect the answers.

    Raises RuntimeError on an answer other than 200 and ConnectionError when the server hangs up.
    """
    gc.collect()
    gc.disable()  # a collection over the caller's corpora would count as the server's latency
    try:
        return uvloop.run(_run(port, _Turns(requests, load, until or (lambda: False))))
    finally:
        gc.enable()


async def _run(port: int, turns: _Turns) -> Answers:
    loop = asyncio.get_running_loop()
    begin = time.perf_counter()
    opened = [
        loop.create_connection(partial(_Connection, turns, loop.create_future()), "127.0.0.1", port)
        for _ in range(turns.load.connections)
    ]
    connections = [connection for _, connection in await asyncio.gather(*opened)]
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            await asyncio.gather(*(connection.finished for connection in connections))
    finally:
        for connection in connections:
            connection.close()
    turns.answers.elapsed = time.perf_counter() - begin
    return turns.answers


class _Turns:
    """What all connections of one run share: the next request, and the answers."""

    def __init__(self, requests: Sequence[bytes], load: Load, until: Callable[[], bool]) -> None:
        self.answers = Answers()
        self.load = load
        self._requests = requests
        self._until = until
        self._next = 0
        self._deadline = time.perf_counter() + min(load.seconds, LIMIT_SECONDS)

    def take(self, now: float) -> tuple[int, bytes] | None:
        """Return the next request and its number, or None when the run is over."""
        number = self._next
        if number >= self.load.count or now >= self._deadline or self._until():
            return None
        self._next = number + 1
        return number, self._requests[number % len(self._requests)]


class _Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way; no task, only callbacks."""

    def __init__(self, turns: _Turns, finished: asyncio.Future[None]) -> None:
        self.finished = finished
        self._turns = turns
        self._received = b""
        self._number = 0
        self._sent = 0.0

    def close(self) -> None:
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._received = self._received + data if self._received else data
        head = _HEAD.match(self._received)
        if head is None or len(self._received) < head.end() + int(head[2]):
            return
        answer, self._received = self._received, b""
        if head[1] != b"200":
            self._fail(RuntimeError(f"HTTP {answer[9:500].decode(errors='replace')}"))
            return
        self._keep(answer[head.end() :])
        spare = self._turns.load.pause - (time.perf_counter() - self._sent)
        if spare > 0:
            asyncio.get_running_loop().call_later(spare, self._ask)
        else:
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionError("the server closed the connection"))

    def _ask(self) -> None:
        now = time.perf_counter()
        turn = self._turns.take(now)
        if turn is not None:
            self._number, message = turn
            self._sent = now
            self._transport.write(message)
        elif not self.finished.done():
            self.finished.set_result(None)

    def _keep(self, body: bytes) -> None:
        answers = self._turns.answers
        answers.numbers.append(self._number)
        answers.sent.append(self._sent)
        answers.seconds.append(time.perf_counter() - self._sent)
        if self._turns.load.keep_bodies:
            answers.bodies.append(body)

    def _fail(self, error: Exception) -> None:
        if not self.finished.done():
            self.finished.set_exception(error)
