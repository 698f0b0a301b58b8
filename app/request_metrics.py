"""Requests by method, route and status: how many, how long, how large.

Counted in the event loop's thread without a lock. A route has series once it was called.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from palimpsest.app.exemplars import Exemplary, add_histogram
from palimpsest.index import Tally

# Seconds. Finer at the low end than the usual defaults: a search takes tens of microseconds.
BOUNDS = (
    *(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075),
    *(0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
SIZES = tuple(float(4**power) for power in range(4, 14))  # bytes: 256 to 64 Mi
LABELS = ("method", "route", "status")


class _Route:
    """What was asked of one route and answered with one status."""

    __slots__ = ("received", "seconds", "sent")

    def __init__(self) -> None:
        self.seconds = Exemplary(BOUNDS)
        self.received = Tally(SIZES)
        self.sent = Tally(SIZES)


class Requests:
    """Of one server."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, str, int], _Route] = {}

    def add(
        self,
        where: tuple[str, str, int],
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
        route.seconds.add_traced(seconds, trace)
        route.received.add(received)
        route.sent.add(sent)

    def replies(self) -> Iterator[tuple[str, str, int, int, float]]:
        """Yield method, route, status, count and seconds of the requests answered so far."""
        for (method, name, status), route in list(self._routes.items()):
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
        for (method, name, status), route in list(self._routes.items()):
            values = (method, name, str(status))
            count.add_metric(values, route.seconds.count)
            if status >= 400:
                errors.add_metric(values, route.seconds.count)
            add_histogram(seconds, values, route.seconds)
            add_histogram(received, values, route.received)
            add_histogram(sent, values, route.sent)
        yield from (count, errors, seconds, received, sent)


def _histogram(name: str, text: str) -> HistogramMetricFamily:
    return HistogramMetricFamily(f"palimpsest_http_{name}", text, labels=LABELS)
