"""What of recall is known, read at scrape: from probes of the segments, and from samples.

Probes tell what was decided of the searches of segments when these were written; samples of the
searches that were answered tell what users get.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from palimpsest.index import DECISIONS, RECALL_BOUNDS, Durations, VectorInfo


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


def sampled_recall(
    collections: Iterable[tuple[str, Mapping[str, VectorInfo]]],
) -> Iterator[Metric]:
    """Yield the series of vectors whose searches were sampled, with a filter and without apart."""
    labels = ["collection", "vector", "filtered"]
    estimate, low, high = (
        GaugeMetricFamily(f"palimpsest_recall_estimate{name}_ratio", text, labels=labels)
        for name, text in (
            ("", "Share of the closest points that searches found, the mean of samples of late."),
            ("_low", "Lower end of its 95 % interval."),
            ("_high", "Upper end of its 95 % interval."),
        )
    )
    samples = CounterMetricFamily(
        "palimpsest_recall_samples",
        "Searches that were answered again, exactly, since the collection was opened.",
        labels=labels,
    )
    for name, vectors in collections:
        for vector, held in vectors.items():
            for one in held.sampled:
                values = [name, vector, "true" if one.filtered else "false"]
                samples.add_metric(values, one.total)
                if one.recall is not None and one.low is not None and one.high is not None:
                    estimate.add_metric(values, one.recall)
                    low.add_metric(values, one.low)
                    high.add_metric(values, one.high)
    yield from (estimate, low, high, samples)


class SampleDurations(Collector):
    """How long it took to answer searches again."""

    def __init__(self, durations: Callable[[], Durations | None]) -> None:
        """Take what gives the durations, None where nothing is sampled."""
        self._durations = durations

    def collect(self) -> Iterator[Metric]:
        """Yield the histogram, which is there where samples are taken."""
        known = self._durations()
        if known is None:
            return
        bounds = [*map(str, RECALL_BOUNDS), "+Inf"]
        buckets = list(zip(bounds, accumulate(known.counts), strict=True))
        duration = HistogramMetricFamily(
            "palimpsest_recall_sample_duration_seconds",
            "To answer a search again, exactly, in the background.",
        )
        duration.add_metric((), buckets, known.total)
        yield duration
