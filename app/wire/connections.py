"""All connections of one server: how many there may be, and the sweep that ends the slow ones.

A connection without a request waits in a few hundred bytes (``app.wire.waiting``) and is swept in
the order in which waiting began; one with a request (``app.wire.connection``) is reviewed every
``rounds`` ticks. There is one timer for all, and none while nobody is connected. Everything runs in
the event loop's thread.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from palimpsest.app.reloading import Reloading
from palimpsest.app.settings import Settings
from palimpsest.app.wire.ends import REASONS
from palimpsest.app.wire.tls import Certificates

log = logging.getLogger("palimpsest")

MAX_TICK = 0.25  # seconds
ROUNDS = 4  # ticks until every connection with a request was reviewed
TICKS = 32  # in the shortest time-out
STALL = 4  # ticks; a loop that stood still for longer has not listened either
MAX_HEADERS = 256
CROWD = 1_000  # connections with a request from which on they give way without delay
RESERVED = 4  # one descriptor in so many is left to segments, or 64 when those are more


class Limits(NamedTuple):
    """What a connection may take; seconds and bytes."""

    header_limit: int
    head_timeout: float
    body_timeout: float
    idle_timeout: float
    send_timeout: float
    body_limit: int
    snapshot_limit: int


class Reviewed(Protocol):
    """A connection with a request, or just after one."""

    def review(self, now: float) -> None:
        """End it when it took too long, or let it wait when it has nothing to do."""

    def drop(self, reason: str) -> None:
        """End it at once."""


class Idle(Protocol):
    """A connection without a request."""

    since: float

    def end(self) -> None:
        """Close it."""


class Connections(Collector):
    """Those of one server. Raises Misconfigured when its certificates cannot be used."""

    def __init__(self, settings: Settings, reloading: Reloading) -> None:
        self.limits = Limits(
            settings.header_limit,
            settings.head_timeout,
            settings.body_timeout,
            settings.idle_timeout,
            settings.send_timeout,
            settings.body_limit,
            settings.snapshot_limit,
        )
        self.certificates = Certificates.of(settings)
        if self.certificates is not None:
            reloading.register("certificates", self.certificates.read_again)
        self.now = 0.0  # seconds in which the event loop listened; as of the last tick
        self.ended: dict[str, int] = dict.fromkeys(REASONS, 0)
        self._limit = settings.connection_limit
        self._is_asked_for = "connection_limit" in settings.model_fields_set
        self._tick_seconds = min(MAX_TICK, min(self.limits[1:5]) / TICKS)
        self._waiting: OrderedDict[Idle, None] = OrderedDict()
        self._rounds: tuple[set[Reviewed], ...] = tuple(set() for _ in range(ROUNDS))
        self._entered = 0  # the round of the one that came last: they are spread evenly
        self._active = 0  # connections in all rounds
        self._turn = 0
        self._ticked = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def fit_descriptors(self) -> None:
        """Lower the limit to what the process may open beside its files, and say so."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY:
            return
        left = soft - len(os.listdir("/proc/self/fd")) - max(64, soft // RESERVED)
        if left < self._limit:
            self._limit = max(1, left)
            log.log(
                logging.WARNING if self._is_asked_for else logging.INFO,
                "at most %d connections at once: this process may open %d files (ulimit -n)",
                self._limit,
                soft,
            )

    @property
    def pace(self) -> float:
        """Seconds between two reviews of a connection."""
        return self._tick_seconds * ROUNDS

    @property
    def is_crowded(self) -> bool:
        """Whether so many connections have requests that their memory counts."""
        return self._active > CROWD

    @property
    def are_several(self) -> bool:
        """Whether more than one connection has requests, or just had."""
        return self._active > 1

    def admits(self) -> bool:
        """Make room for one more connection; tell whether there is any.

        Above the limit the connection that has waited longest without a request is closed.
        """
        if len(self) < self._limit:
            return True
        if not self._waiting:
            self.ended["full"] += 1
            return False
        idlest, _ = self._waiting.popitem(last=False)
        self.ended["displaced"] += 1
        idlest.end()
        return True

    def wait(self, connection: Idle, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to sweep a connection without a request."""
        self._waiting[connection] = None
        if self._timer is None:
            self._ticked = loop.time()
            self._timer = loop.call_later(self._tick_seconds, self._tick, loop)

    def forget(self, connection: Idle) -> None:
        """Leave a connection alone that is gone, or has a request."""
        self._waiting.pop(connection, None)

    def enter(self, connection: Reviewed) -> int:
        """Begin to review a connection with a request; return its round, to leave it by."""
        number = self._entered = (self._entered + 1) % ROUNDS
        self._rounds[number].add(connection)
        self._active += 1
        return number

    def leave(self, connection: Reviewed, number: int) -> None:
        """Review a connection no more."""
        self._rounds[number].discard(connection)
        self._active -= 1

    def __len__(self) -> int:
        securing = 0 if self.certificates is None else len(self.certificates)
        return len(self._waiting) + self._active + securing

    def collect(self) -> Iterator[Metric]:
        """Yield the number of connections, and how many the server ended."""
        held = GaugeMetricFamily("palimpsest_connections", "Open now.", labels=["state"])
        held.add_metric(["waiting"], len(self._waiting))
        held.add_metric(["active"], self._active)
        ended = CounterMetricFamily(
            "palimpsest_connections_ended", "Ended by the server, by reason.", labels=["reason"]
        )
        for reason, count in self.ended.items():
            ended.add_metric([reason], count)
        yield from (held, ended)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        self.now += min(now - self._ticked, STALL * self._tick_seconds)
        self._ticked = now
        self._turn = (self._turn + 1) % ROUNDS
        for connection in tuple(self._rounds[self._turn]):
            try:
                connection.review(self.now)
            except Exception:
                log.exception("a connection could not be reviewed")
                connection.drop("failed")
        while self._waiting:
            idlest = next(iter(self._waiting))
            if self.now - idlest.since < self.limits.idle_timeout:
                break
            del self._waiting[idlest]
            self.ended["idle"] += 1
            idlest.end()
        rest = len(self)
        self._timer = loop.call_later(self._tick_seconds, self._tick, loop) if rest else None
