"""A gateway before a real server: it refuses, hangs up and forgets answers as it is told."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

import httpx

from tests.answering import Answering, listening

Whim = Literal["pass", "refuse", "hang up", "forget"]


class Asked(NamedTuple):
    """A request that came, and what became of it."""

    method: str
    path: str
    body: bytes
    whim: Whim


class Gateway:
    """Where it listens, what it got, and by which whims it goes on."""

    def __init__(self, url: str, whim: Callable[[Asked], Whim]) -> None:
        self.url = url
        self.whim = whim
        self.asked: list[Asked] = []
        self.lock = threading.Lock()

    def decide(self, method: str, path: str, body: bytes) -> Whim:
        """Return what is to become of a request, and keep it."""
        with self.lock:
            whim = self.whim(Asked(method, path, body, "pass"))
            self.asked.append(Asked(method, path, body, whim))
        return whim

    @property
    def written(self) -> list[Asked]:
        """Return the writes of points that reached the server."""
        return [
            one
            for one in self.asked
            if one.method == "PUT" and "/points" in one.path and one.whim in ("pass", "forget")
        ]


def at_whim(seed: int, share: float) -> Callable[[Asked], Whim]:
    """Return whims of which a share is bad."""
    rng = random.Random(seed)
    bad: tuple[Whim, ...] = ("refuse", "hang up", "forget")
    return lambda _: rng.choice(bad) if rng.random() < share else "pass"


@contextmanager
def gateway(server: str, whim: Callable[[Asked], Whim] = lambda _: "pass") -> Iterator[Gateway]:
    """Serve before a server."""
    with httpx.Client(base_url=server, timeout=60) as behind:

        class Handler(Answering):
            def answer(self) -> None:
                body = self.body()
                whim = served.decide(self.command, self.path, body)
                if whim == "hang up":
                    self.close_connection = True
                    return
                if whim == "refuse":
                    text = b'{"status": {"error": "no room"}}'
                    self.send(429, text, {"retry-after": "0"})
                    return
                head = {"content-type": "application/json"}
                reply = behind.request(self.command, self.path, content=body, headers=head)
                if whim == "forget":
                    self.close_connection = True
                    return
                self.send(reply.status_code, reply.content, {})

        with listening(Handler) as url:
            served = Gateway(url, whim)
            yield served
