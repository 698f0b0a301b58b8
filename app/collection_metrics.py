"""What every collection holds, how it is and what waits in it, read at scrape.

All of it is published state and sizes of files: the same few looks at each collection, however many
points it has, and one at rest stays at rest. Of more collections than ``metrics_collections`` the
first by name have series, and those that refuse writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from palimpsest.app.health.conditions import Condition, Status, condition_of, damaged_ones
from palimpsest.app.integrity_metrics import integrity_series
from palimpsest.app.recall_metrics import recall_gauges, sampled_recall
from palimpsest.app.snapshot_metrics import WHOLE
from palimpsest.app.version_metrics import adapter_gauges, reach_gauge, version_gauges
from palimpsest.app.work_metrics import backlog_series, work_series
from palimpsest.index import (
    AdapterInfo,
    Collection,
    CollectionConfig,
    CollectionInfo,
    CollectionSizes,
    OutOfReach,
    VersionInfo,
)

SNAPSHOTS = "snapshots"  # the component of the disk; those of others are of the collection WHOLE


class OpenOnes(NamedTuple):
    """The collections of a server, looked up at each scrape; none while they are being opened."""

    collections: Callable[[], Iterable[Collection]]
    damaged: Callable[[], Mapping[str, str]]
    # Bytes of the snapshots of collections; of all others under None.
    snapshots: Callable[[Sequence[str]], Mapping[str | None, int]]


class Counting(Protocol):
    """What keeps counts by collection."""

    most_collections: int

    def declared(self, configs: Mapping[str, CollectionConfig]) -> None:
        """Take how all collections are declared, and drop the series of others."""


class CollectionGauges(Collector):
    """All series of collections but those of requests and searches."""

    def __init__(self, metrics: Counting, open_ones: OpenOnes) -> None:
        self._metrics = metrics
        self._open_ones = open_ones

    def collect(self) -> Iterator[Metric]:
        """Yield every series."""
        collections = list(self._open_ones.collections())
        damaged = self._open_ones.damaged()
        self._metrics.declared({one.name: one.config for one in collections})
        # Gathered once for all gauges: each of them would else walk through all collections.
        shown = _shown(collections, self._metrics.most_collections)
        states = list(_states(shown))
        yield from _whole(states)
        yield _disk(states, self._open_ones.snapshots([one.name for one in states]))
        yield from _per_vector(states)
        yield from recall_gauges((one.name, one.info.vectors) for one in states)
        yield from sampled_recall((one.name, one.info.vectors) for one in states)
        yield from _per_field(states)
        yield from version_gauges((one.name, one.versions) for one in states)
        yield from adapter_gauges((one.name, one.adapters) for one in states)
        yield from integrity_series((one.name, one.info.integrity) for one in states)
        yield reach_gauge((one.name, one.out_of_reach) for one in states)
        yield from backlog_series(shown)
        yield from work_series((one.name, one.work()) for one in shown)
        found = [condition_of(one.name, one.info) for one in states]
        yield from _conditions([*found, *damaged_ones(damaged)])
        for name, text, value in (
            ("palimpsest_damaged", "Collections that cannot be read.", len(damaged)),
            ("palimpsest_collections", "Collections that can be read.", len(collections)),
            ("palimpsest_collections_with_series", "Those that are told of apart.", len(states)),
        ):
            yield GaugeMetricFamily(name, text, value=value)


class _State(NamedTuple):
    name: str
    info: CollectionInfo
    sizes: CollectionSizes
    versions: Sequence[VersionInfo]
    adapters: Sequence[AdapterInfo]
    out_of_reach: Sequence[OutOfReach]


def _shown(collections: Sequence[Collection], most: int) -> list[Collection]:
    others = [one for one in collections[most:] if one.refuses_writes is not None]
    return [*collections[:most], *others]


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
    for name, info, *_ in states:
        points.add_metric([name], info.points)
        pending.add_metric([name], info.pending)
    yield from (points, pending)


def _disk(states: Sequence[_State], snapshots: Mapping[str | None, int]) -> Metric:
    disk = GaugeMetricFamily(
        "palimpsest_disk_bytes", "Bytes on disk.", labels=["collection", "component"]
    )
    for name, _, sizes, *_ in states:
        for component, nbytes in sizes.disk.items():
            disk.add_metric([name, component], nbytes)
    for kept_of, nbytes in snapshots.items():
        disk.add_metric([WHOLE if kept_of is None else kept_of, SNAPSHOTS], nbytes)
    return disk


def _per_vector(states: Sequence[_State]) -> Iterator[Metric]:
    labels = ["collection", "vector"]
    rows = GaugeMetricFamily("palimpsest_rows", "Vectors by state.", labels=[*labels, "state"])
    segments = GaugeMetricFamily("palimpsest_segments", "Sealed segments.", labels=labels)
    unreached = GaugeMetricFamily(
        "palimpsest_graph_unreachable_points",
        "Rows of segments that no walk over their graph meets; there once it was counted.",
        labels=labels,
    )
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
            if held.unreached is not None and held.recall is not None:
                unreached.add_metric([name, vector], held.unreached)
            for component, size in held.bytes_by_component.items():
                memory.add_metric([name, vector, component], size)
    yield from (rows, segments, unreached, memory)


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


def _conditions(found: Sequence[Condition]) -> Iterator[Metric]:
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
