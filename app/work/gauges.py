"""What waits to be sealed in each collection, and what writes wait for it, read at scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from palimpsest.index import Collection


class BacklogGauges(Collector):
    """Labels are collections that exist, and ``reason``: backlog, or stalled where seals fail."""

    def __init__(self, collections: Callable[[], Iterable[Collection]]) -> None:
        self._collections = collections

    def collect(self) -> Iterator[Metric]:
        """Yield every series."""
        rows = _gauge("rows", "Rows in no segment, of the vector with most, and those coming in.")
        limit = _gauge("limit_rows", "Rows that may be in no segment, about; more are refused.")
        segments = _gauge("segments", "Segments beyond those that compaction leaves.")
        sealed = _counter("palimpsest_sealed_rows", "Rows sealed since the start.")
        delayed = _counter("palimpsest_writes_delayed", "Writes that waited for rows to be sealed.")
        waited = _counter("palimpsest_writes_delayed_seconds", "What they waited.")
        refused = _counter(
            "palimpsest_writes_refused", "Writes refused while many rows wait.", "reason"
        )
        for each in self._collections():
            name, pacing = [each.name], each.pacing
            backlog = pacing.backlog()
            rows.add_metric(name, backlog.rows)
            limit.add_metric(name, backlog.limit)
            segments.add_metric(name, backlog.segments)
            sealed.add_metric(name, pacing.rate.rows)
            delayed.add_metric(name, pacing.delayed)
            waited.add_metric(name, pacing.delayed_seconds)
            for reason, count in pacing.refused.copy().items():
                refused.add_metric([*name, reason], count)
        yield from (rows, limit, segments, sealed, delayed, waited, refused)


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"palimpsest_backlog_{name}", text, labels=["collection"])


def _counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, labels=["collection", *labels])
