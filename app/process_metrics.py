"""How the program itself is: its event loop, its threads, its memory faults, its scrapes."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from palimpsest.app.histograms import Histograms
from palimpsest.app.shares import ThreadLoad
from palimpsest.index import Tally

PERIOD = 0.25  # seconds between two looks at the event loop
LAGS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
MAPS, MAPS_LIMIT = Path("/proc/self/maps"), Path("/proc/sys/vm/max_map_count")
MAPS_SECONDS = 60.0
_IDLE = ThreadLoad(0, 0, 0)


class ProcessGauges(Collector):
    """Of one server; ``load`` gives what its threads do, None before there are any."""

    def __init__(self, load: Callable[[], ThreadLoad | None]) -> None:
        self._load = load
        self._lags = Tally(LAGS)
        self._maps, self._maps_until = 0, 0.0  # by ``monotonic``
        self.scrape_seconds = 0.0  # what the last scrape took, from its request to its text

    async def watch(self) -> None:
        """Note how late the event loop wakes what is due, for as long as it runs."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + PERIOD
            await asyncio.sleep(PERIOD)
            self._lags.add(max(0.0, loop.time() - due))

    def collect(self) -> Iterator[Metric]:
        """Yield all series."""
        lag = Histograms(
            "palimpsest_event_loop_lag_seconds", "How late the event loop wakes what is due."
        )
        lag.add((), self._lags)
        load, usage = self._load() or _IDLE, resource.getrusage(resource.RUSAGE_SELF)
        faults = CounterMetricFamily(
            "palimpsest_page_faults",
            "Pages of memory that were not there: major ones were read from a disk.",
            labels=("kind",),
        )
        faults.add_metric(("major",), usage.ru_majflt)
        faults.add_metric(("minor",), usage.ru_minflt)
        yield from (lag, faults)
        for name, text, value in (
            ("executor_queue_length", "Requests that wait for a thread.", load.waiting),
            ("executor_threads", "Threads of requests.", load.threads),
            ("executor_busy_threads", "Those that work.", load.busy),
            ("threads", "Of the program, builders of segments included.", _threads()),
            ("memory_maps", "Files and other ranges of memory that are mapped.", self._mapped()),
            ("memory_maps_limit", "That the system lets one program map.", _maps_limit()),
            ("scrape_seconds", "What the last scrape took here.", self.scrape_seconds),
        ):
            yield GaugeMetricFamily(f"palimpsest_{name}", text, value=value)

    def _mapped(self) -> int:
        """Return how many there are, or were up to a minute ago: the system walks through them."""
        now = monotonic()
        if now >= self._maps_until:
            self._maps, self._maps_until = MAPS.read_bytes().count(b"\n"), now + MAPS_SECONDS
        return self._maps


def _maps_limit() -> int:
    return int(MAPS_LIMIT.read_text())


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))
