"""Requests by method, route and status: how many, how long, how large.

Told of in the event loop's thread, which costs a query a microsecond, and counted when many were,
or by the thread of a scrape. A route has series once it was called.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import TypeAlias, TypeVar

from prometheus_client.core import (
    CounterMetricFamily,
    Metric,
)

from palimpsest.app.exemplars import Exemplary
from palimpsest.app.histograms import Histograms
from palimpsest.index import Tally

# Seconds. Finer at the low end than the usual defaults: a search takes tens of microseconds.
BOUNDS = (
    *(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075),
    *(0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
SIZES = tuple(float(4**power) for power in range(4, 14))  # bytes: 256 to 64 Mi
LABELS = ("method", "route", "status")
MOST_WAITING = 1_024  # requests, before they are counted

T = TypeVar("T")
Where: TypeAlias = tuple[str, str, int]  # method, route, status


class _Route:
    """What was asked of one route and answered with one status."""

    __slots__ = ("received", "seconds", "sent", "waiting")

    def __init__(self) -> None:
        self.seconds = Exemplary(BOUNDS)
        self.received = Tally(SIZES)
        self.sent = Tally(SIZES)
        self.waiting: deque[tuple[float, int, int]] = deque()  # of which a thread may take each

    def settle(self) -> None:
        """Count what waits; one thread at a time."""
        taken = taken_from(self.waiting)
        if taken:
            seconds, received, sent = zip(*taken, strict=True)
            self.seconds.add_all(seconds)
            self.received.add_all(received)
            self.sent.add_all(sent)


def taken_from(waiting: deque[T]) -> list[T]:
    """Take what waits now; others may append meanwhile."""
    return [waiting.popleft() for _ in range(len(waiting))]


class Requests:
    """Of one server."""

    def __init__(self) -> None:
        self._routes: dict[Where, _Route] = {}
        self._settling = threading.Lock()

    def add(
        self,
        where: Where,
        seconds: float,
        received: int = 0,
        sent: int = 0,
        trace: str | None = None,
    ) -> None:
        """Count one answered request.

        Args:
            where: its method, route and status.
            seconds: from its headers to its reply.
            received: bytes of its body.
            sent: bytes of the reply's body.
            trace: the id of its trace, where that is sampled.
        """
        route = self._routes.get(where)
        if route is None:
            route = self._routes[where] = _Route()
        waiting = route.waiting
        waiting.append((seconds, received, sent))
        if trace is not None:
            route.seconds.note(seconds, trace)
        if len(waiting) >= MOST_WAITING:
            self._settled()

    def _settled(self) -> list[tuple[Where, _Route]]:
        with self._settling:
            found = list(self._routes.items())
            for _, route in found:
                route.settle()
        return found

    def replies(self) -> Iterator[tuple[str, str, int, int, float]]:
        """Yield method, route, status, count and seconds of the requests answered so far."""
        for (method, name, status), route in self._settled():
            yield method, name, status, route.seconds.count, route.seconds.total

    def collect(self) -> Iterator[Metric]:
        """Yield all series."""
        count = CounterMetricFamily("palimpsest_http_requests", "Requests answered.", labels=LABELS)
        errors = CounterMetricFamily(
            "palimpsest_http_errors", "Requests answered with 4xx or 5xx.", labels=LABELS
        )
        seconds = _histogram("request_duration_seconds", "From a request's headers to its reply.")
        received = _histogram("request_size_bytes", "Of the bodies of requests.")
        sent = _histogram("response_size_bytes", "Of the bodies of replies, as sent.")
        for (method, name, status), route in self._settled():
            values = (method, name, str(status))
            count.add_metric(values, route.seconds.count)
            if status >= 400:
                errors.add_metric(values, route.seconds.count)
            seconds.add(values, route.seconds)
            received.add(values, route.received)
            sent.add(values, route.sent)
        yield from (count, errors, seconds, received, sent)


def _histogram(name: str, text: str) -> Histograms:
    return Histograms(f"palimpsest_http_{name}", text, labels=LABELS)
