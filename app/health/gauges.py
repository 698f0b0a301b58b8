"""Health as Prometheus series, read at scrape."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from typing import get_args

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from palimpsest.app.context import Context
from palimpsest.app.health.conditions import Condition, Status, conditions
from palimpsest.app.health.life import Stage
from palimpsest.app.health.readiness import why_not_ready


class HealthGauges(Collector):
    """Whether the server is ready, how each collection is, and what room the disk has."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def collect(self) -> Iterator[Metric]:
        """Yield every gauge."""
        ready = why_not_ready(self._context) is None
        yield GaugeMetricFamily("palimpsest_ready", "Whether /readyz is 200.", value=int(ready))
        if self._context.life.stage is Stage.OPENING:
            return
        damaged = self._context.database.damaged()
        yield from _of_collections(list(conditions(self._context.collections(), damaged)))
        room = shutil.disk_usage(self._context.settings.data)
        for name, text, value in (
            ("palimpsest_disk_free_bytes", "Free on the disk of the data folder.", room.free),
            ("palimpsest_disk_capacity_bytes", "Size of that disk.", room.total),
        ):
            yield GaugeMetricFamily(name, text, value=value)


def _of_collections(found: Sequence[Condition]) -> Iterator[Metric]:
    status = GaugeMetricFamily(
        "palimpsest_collection_status",
        "1 for the status a collection has; a damaged one is red.",
        labels=["collection", "status"],
    )
    refusing = GaugeMetricFamily(
        "palimpsest_collection_refuses_writes",
        "Whether the last write to a collection failed, or it is damaged.",
        labels=["collection"],
    )
    waiting = GaugeMetricFamily(
        "palimpsest_collection_upkeep_put_off",
        "Whether sealing or compacting a collection waits for memory.",
        labels=["collection"],
    )
    for one in found:
        for each in get_args(Status):
            status.add_metric([one.name, each], int(one.status == each))
        refusing.add_metric([one.name], int(one.refuses_writes is not None))
        waiting.add_metric([one.name], int(one.put_off is not None))
    yield from (status, refusing, waiting)
