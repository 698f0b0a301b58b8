"""What the server measures, as Prometheus series.

Counts are plain numbers, changed only in the event loop's thread, so observing takes no lock and a
query pays about a microsecond for all of it. Gauges of collections are read at scrape from their
published state. Label values come from closed sets: route templates, methods, status codes, stages,
and the collections, vectors and payload indexes that exist.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from time import perf_counter
from typing import NamedTuple

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from palimpsest.app.integrity_metrics import integrity_series
from palimpsest.app.recall_metrics import recall_gauges
from palimpsest.app.release import RELEASE
from palimpsest.app.version_metrics import Bridges, adapter_gauges, reach_gauge, version_gauges
from palimpsest.app.warnings import KINDS, Kind
from palimpsest.index import (
    AdapterInfo,
    Collection,
    CollectionInfo,
    CollectionSizes,
    OutOfReach,
    SearchStats,
    VersionInfo,
)

# Seconds. Finer at the low end than the usual defaults: a search takes tens of microseconds.
BOUNDS = (
    *(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075),
    *(0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
STAGES = ("plan", "scan", "traverse", "merge", "payload")


class Tally:
    """A histogram without locks, for one thread."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Return cumulative counts by upper bound."""
        bounds = [*map(str, BOUNDS), "+Inf"]
        return list(zip(bounds, accumulate(self.counts), strict=True))


class Metrics(Collector):
    """All series of one server."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.points_written = 0
        self.points_deleted = 0
        self.bridges = Bridges()
        self._warnings: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self._requests: dict[tuple[str, str, int], Tally] = {}
        self._searches = Tally()
        self._stages = {stage: Tally() for stage in STAGES}
        self._visited = self._scored = self._rescored = 0

    def expect(self, method: str, route: str) -> None:
        """Start the series of a route at zero, so that rates exist from the first scrape."""
        self._requests.setdefault((method, route, 200), Tally())

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        key = (method, route, status)
        tally = self._requests.get(key)
        if tally is None:
            tally = self._requests[key] = Tally()
        tally.add(seconds)

    def replies(self) -> Iterator[tuple[str, str, int, int, float]]:
        """Yield method, route, status, count and seconds of the requests answered so far."""
        for (method, route, status), tally in list(self._requests.items()):
            count = sum(tally.counts)
            if count:
                yield method, route, status, count, tally.total

    def warned(self, kinds: Iterable[Kind]) -> None:
        """Count the warnings of one reply."""
        for kind in kinds:
            self._warnings[kind] += 1

    def search(self, stats: SearchStats, seconds: float, collection: Collection) -> None:
        """Count one search."""
        if stats.versions:
            self.bridges.searched(collection.folder.name, stats.versions)
        self._searches.add(seconds)
        self._visited += stats.visited
        self._scored += stats.scored
        self._rescored += stats.rescored
        for stage, spent in stats.seconds.items():
            tally = self._stages.get(stage)
            if tally is not None:
                tally.add(spent)

    def collect(self) -> Iterator[Metric]:
        """Yield every counter and histogram."""
        yield InfoMetricFamily("palimpsest_build", "What is running.", value={"version": RELEASE})
        yield from self._collect_requests()
        yield from self._collect_searches()
        yield from self.bridges.collect()
        warnings = CounterMetricFamily(
            "palimpsest_warnings", "Warnings in replies.", labels=("kind",)
        )
        for kind, count in self._warnings.items():
            warnings.add_metric((kind,), count)
        yield warnings
        for name, text, value in (
            ("palimpsest_upserts", "Points written.", self.points_written),
            ("palimpsest_deletes", "Points asked to be deleted.", self.points_deleted),
        ):
            yield CounterMetricFamily(name, text, value=value)

    def _collect_requests(self) -> Iterator[Metric]:
        labels = ("method", "route", "status")
        count = CounterMetricFamily("palimpsest_http_requests", "Requests answered.", labels=labels)
        errors = CounterMetricFamily(
            "palimpsest_http_errors", "Requests answered with 4xx or 5xx.", labels=labels
        )
        duration = HistogramMetricFamily(
            "palimpsest_http_request_duration_seconds",
            "From a request's headers to its reply.",
            labels=labels,
        )
        for (method, route, status), tally in list(self._requests.items()):
            values = (method, route, str(status))
            count.add_metric(values, sum(tally.counts))
            if status >= 400:
                errors.add_metric(values, sum(tally.counts))
            duration.add_metric(values, tally.buckets(), tally.total)
        yield from (count, errors, duration)
        yield GaugeMetricFamily(
            "palimpsest_http_requests_in_flight", "Being answered.", value=self.in_flight
        )

    def _collect_searches(self) -> Iterator[Metric]:
        whole = HistogramMetricFamily("palimpsest_search_duration_seconds", "Whole searches.")
        whole.add_metric((), self._searches.buckets(), self._searches.total)
        stages = HistogramMetricFamily(
            "palimpsest_search_stage_duration_seconds", "Parts of searches.", labels=("stage",)
        )
        for stage, tally in self._stages.items():
            stages.add_metric((stage,), tally.buckets(), tally.total)
        yield from (whole, stages)
        for name, text, value in (
            ("palimpsest_search_visited_nodes", "Graph nodes expanded.", self._visited),
            ("palimpsest_search_distance_computations", "Codes compared.", self._scored),
            ("palimpsest_search_rescored", "Candidates rescored.", self._rescored),
        ):
            yield CounterMetricFamily(name, text, value=value)


class CollectionGauges(Collector):
    """Points, rows and bytes of every collection, read at scrape."""

    def __init__(
        self,
        collections: Callable[[], Iterable[Collection]],
        damaged: Callable[[], Mapping[str, str]],
    ) -> None:
        self._collections = collections
        self._damaged = damaged

    def collect(self) -> Iterator[Metric]:
        """Yield every gauge."""
        started = perf_counter()
        # Gathered once for all gauges: each of them would else walk through all collections.
        states = list(_states(self._collections()))
        yield from _whole(states)
        yield from _per_vector(states)
        yield from recall_gauges((one.name, one.info.vectors) for one in states)
        yield from _per_field(states)
        yield from version_gauges((one.name, one.versions) for one in states)
        yield from adapter_gauges((one.name, one.adapters) for one in states)
        yield from integrity_series((one.name, one.info.integrity) for one in states)
        yield reach_gauge((one.name, one.out_of_reach) for one in states)
        yield GaugeMetricFamily(
            "palimpsest_damaged", "Collections that cannot be read.", value=len(self._damaged())
        )
        yield GaugeMetricFamily(
            "palimpsest_scrape_seconds", "To gather these gauges.", value=perf_counter() - started
        )


def build_registry(
    metrics: Metrics,
    collections: Callable[[], Iterable[Collection]],
    damaged: Callable[[], Mapping[str, str]],
) -> CollectorRegistry:
    """Return the registry a scrape reads: ours, and the standard series of the running program."""
    registry = CollectorRegistry()
    registry.register(metrics)
    registry.register(CollectionGauges(collections, damaged))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class _State(NamedTuple):
    name: str
    info: CollectionInfo
    sizes: CollectionSizes
    versions: Sequence[VersionInfo]
    adapters: Sequence[AdapterInfo]
    out_of_reach: Sequence[OutOfReach]


def _states(collections: Iterable[Collection]) -> Iterator[_State]:
    for each in collections:
        try:
            yield _State(
                each.name,
                each.state(),
                each.sizes(),
                each.versions.states(),
                each.versions.adapters(),
                each.versions.out_of_reach(every=True),
            )
        except FileNotFoundError:
            continue  # dropped meanwhile


def _whole(states: Sequence[_State]) -> Iterator[Metric]:
    points = GaugeMetricFamily("palimpsest_points", "Points stored.", labels=["collection"])
    pending = GaugeMetricFamily(
        "palimpsest_index_pending_points", "Rows waiting to be indexed.", labels=["collection"]
    )
    disk = GaugeMetricFamily("palimpsest_disk_bytes", "Bytes on disk.", labels=["collection"])
    for name, info, sizes, *_ in states:
        points.add_metric([name], info.points)
        pending.add_metric([name], info.pending)
        disk.add_metric([name], sizes.disk)
    yield from (points, pending, disk)


def _per_vector(states: Sequence[_State]) -> Iterator[Metric]:
    labels = ["collection", "vector"]
    rows = GaugeMetricFamily("palimpsest_rows", "Vectors by state.", labels=[*labels, "state"])
    segments = GaugeMetricFamily("palimpsest_segments", "Sealed segments.", labels=labels)
    memory = GaugeMetricFamily(
        "palimpsest_memory_used_bytes", "Resident bytes.", labels=[*labels, "component"]
    )
    for name, info, *_ in states:
        for vector, held in info.vectors.items():
            rows.add_metric([name, vector, "indexed"], held.indexed)
            rows.add_metric([name, vector, "scanned"], held.scanned)
            rows.add_metric([name, vector, "growing"], held.growing)
            rows.add_metric([name, vector, "dead"], held.dead)
            segments.add_metric([name, vector], held.segments)
            for component, size in held.bytes_by_component.items():
                memory.add_metric([name, vector, component], size)
    yield from (rows, segments, memory)


def _per_field(states: Sequence[_State]) -> Iterator[Metric]:
    labels = ["collection", "field"]
    points = GaugeMetricFamily(
        "palimpsest_payload_index_points", "Points with a value in a payload index.", labels=labels
    )
    memory = GaugeMetricFamily(
        "palimpsest_payload_index_bytes", "Resident bytes of a payload index.", labels=labels
    )
    rebuilds = CounterMetricFamily(
        "palimpsest_payload_index_rebuilds",
        "Payload indexes built again from the payloads since their collection was opened: written "
        "by another release, or damaged.",
        labels=["collection", "reason"],
    )
    for name, info, sizes, *_ in states:
        for field, held in info.fields.items():
            points.add_metric([name, field], held.points)
            memory.add_metric([name, field], sizes.fields.get(field, 0))
        for reason, count in info.rebuilds.items():
            rebuilds.add_metric([name, reason], count)
    yield from (points, memory, rebuilds)
