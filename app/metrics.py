"""What the server measures, as Prometheus series.

Counts are plain numbers, changed only in the event loop's thread, so observing takes no lock and a
query pays one or two microseconds for all of it. Gauges of collections are read at scrape from
their published state: no collection is woken, no row is read. Label values come from closed sets:
route templates, methods, status codes, stages, and the collections, vectors and payload indexes
that exist, of which ``metrics_collections`` have series of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from palimpsest.app.collection_metrics import CollectionGauges, OpenOnes
from palimpsest.app.release import RELEASE
from palimpsest.app.request_metrics import Requests
from palimpsest.app.search_metrics import AnyRequest, Searches
from palimpsest.app.version_metrics import Bridges
from palimpsest.app.warnings import KINDS, Kind
from palimpsest.index import Collection, CollectionConfig, SearchStats, simd_level

DEFAULT_COLLECTIONS = 200


class Metrics(Collector):
    """All counts of one server; ``most`` collections have series of their own."""

    def __init__(self, most: int = DEFAULT_COLLECTIONS) -> None:
        self.most_collections = most
        self.in_flight = 0
        self.points_written = 0
        self.points_deleted = 0
        self.requests = Requests()
        self.request = self.requests.add  # no call around it: every query makes it
        self.searches = Searches(most)
        self.bridges = Bridges()
        self._warnings: dict[Kind, int] = dict.fromkeys(KINDS, 0)

    def warned(self, kinds: Iterable[Kind]) -> None:
        """Count the warnings of one reply."""
        for kind in kinds:
            self._warnings[kind] += 1

    def search(
        self,
        collection: Collection,
        request: AnyRequest,
        stats: SearchStats,
        seconds: float,
        found: int,
    ) -> None:
        """Count one search that found so many points, or groups."""
        if stats.versions:
            self.bridges.searched(collection.folder.name, stats.versions)
        self.searches.add(collection, request, stats, seconds, found)

    def declared(self, configs: Mapping[str, CollectionConfig]) -> None:
        """Take how all collections are declared, and drop the series of others."""
        self.searches.declared(configs)
        self.bridges.forget(configs)

    def collect(self) -> Iterator[Metric]:
        """Yield every counter and histogram."""
        build = {"version": RELEASE, "simd": simd_level()}
        yield InfoMetricFamily("palimpsest_build", "What is running.", value=build)
        yield from self.requests.collect()
        yield GaugeMetricFamily(
            "palimpsest_http_requests_in_flight", "Being answered.", value=self.in_flight
        )
        yield from self.searches.collect()
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


class Unmeasured(Metrics):
    """Of a server whose metrics are off: requests and searches are not counted."""

    def __init__(self, most: int = DEFAULT_COLLECTIONS) -> None:
        super().__init__(most)
        self.request = _nothing

    def search(self, *args: object, **kwargs: object) -> None:
        """Do nothing."""


def _nothing(*args: object, **kwargs: object) -> None:
    pass


def build_registry(metrics: Metrics, open_ones: OpenOnes) -> CollectorRegistry:
    """Return the registry a scrape reads: ours, and the standard series of the running program."""
    registry = CollectorRegistry()
    registry.register(CollectionGauges(metrics, open_ones))
    registry.register(metrics)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry
