"""Health as Prometheus series, read at scrape."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from palimpsest.app.context import Context
from palimpsest.app.health.life import Stage
from palimpsest.app.health.readiness import why_not_ready


class HealthGauges(Collector):
    """Whether the server is ready, how far its opening is, and what room the disk has."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def collect(self) -> Iterator[Metric]:
        """Yield every gauge."""
        ready = why_not_ready(self._context) is None
        yield GaugeMetricFamily("palimpsest_ready", "Whether /readyz is 200.", value=int(ready))
        yield GaugeMetricFamily(
            "palimpsest_startup_progress_ratio",
            "Share of the collections that have been opened.",
            value=self._progress(),
        )
        room = shutil.disk_usage(self._context.settings.data)
        for name, text, value in (
            ("palimpsest_disk_free_bytes", "Free on the disk of the data folder.", room.free),
            ("palimpsest_disk_capacity_bytes", "Size of that disk.", room.total),
        ):
            yield GaugeMetricFamily(name, text, value=value)

    def _progress(self) -> float:
        if self._context.life.stage is not Stage.OPENING:
            return 1.0
        done, total = self._context.life.progress or (0, 0)
        return done / total if total else 0.0
