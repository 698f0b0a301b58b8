"""What probes of the segments found, and what was decided of their searches, read at scrape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric

from palimpsest.index import DECISIONS, VectorInfo


def recall_gauges(
    collections: Iterable[tuple[str, Mapping[str, VectorInfo]]],
) -> Iterator[Metric]:
    """Yield the gauges of vectors that are probed; each decision has its series from the start."""
    labels = ["collection", "vector"]
    decided = GaugeMetricFamily(
        "palimpsest_segments_decided",
        "Sealed segments of dense vectors and multi-vectors by what was decided of their searches.",
        labels=[*labels, "decision"],
    )
    mean = GaugeMetricFamily(
        "palimpsest_recall_probed_ratio",
        "Recall@10 that probes of the segments measured, the mean over their rows.",
        labels=labels,
    )
    worst = GaugeMetricFamily(
        "palimpsest_recall_probed_worst_ratio",
        "Recall@10 of the worst twentieth of the queries in the worst segment.",
        labels=labels,
    )
    for name, vectors in collections:
        for vector, held in vectors.items():
            if held.recall is None:
                continue
            for decision in DECISIONS:
                decided.add_metric([name, vector, decision], held.recall.segments.get(decision, 0))
            if held.recall.recall is not None and held.recall.worst is not None:
                mean.add_metric([name, vector], held.recall.recall)
                worst.add_metric([name, vector], held.recall.worst)
    yield from (decided, mean, worst)
