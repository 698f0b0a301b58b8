"""What became of the snapshots of each collection, as series."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from palimpsest.index import Database

LABELS = ("collection",)
WHOLE = ""  # the collection of snapshots of all; no collection has that name
_GAUGES = (
    (
        "duration_seconds",
        "Seconds that the last snapshot took, read back; 0: none.",
        "seconds",
    ),
    (
        "last_success_timestamp_seconds",
        "When the last snapshot was made, since the epoch; 0 for never.",
        "last",
    ),
    (
        "verified_timestamp_seconds",
        "When a snapshot was last read back and every checksum was right, since the epoch.",
        "verified",
    ),
    ("bytes", "Bytes of the last snapshot.", "nbytes"),
)


class SnapshotSeries(Collector):
    """Of the collections that there are, and of all together.

    Those that were made before this start count by the newest that is kept.
    """

    def __init__(self, database: Callable[[], Database | None], most: int) -> None:
        """Prepare it.

        Args:
            database: gives it, None before it is open.
            most: collections that have series, the first by name.
        """
        self._database, self._most = database, most

    def collect(self) -> Iterator[Metric]:
        """Yield all series."""
        database = self._database()
        if database is None:
            return
        names = database.names()[: self._most]
        database.snapshots.known(names)
        stats = database.snapshots.stats()
        told = [(WHOLE, stats[None]), *((name, stats[name]) for name in names if name in stats)]
        for name, text, what in _GAUGES:
            gauge = GaugeMetricFamily(f"palimpsest_snapshot_{name}", text, labels=LABELS)
            for collection, one in told:
                gauge.add_metric([collection], getattr(one, what))
            yield gauge
        for name, text, what in (
            ("created", "Snapshots made.", "made"),
            ("failed", "Snapshots that failed.", "failed"),
        ):
            count = CounterMetricFamily(f"palimpsest_snapshots_{name}", text, labels=LABELS)
            for collection, one in told:
                count.add_metric([collection], getattr(one, what))
            yield count
