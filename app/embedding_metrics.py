"""Whether embedders make vectors, and how alike their models are to what they were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from palimpsest.app.embedding.embedder import Embedder


class EmbedderSeries(Collector):
    """Gauges of every embedder that is declared."""

    def __init__(self, embedders: Mapping[str, Embedder]) -> None:
        self._embedders = embedders

    def collect(self) -> Iterator[Metric]:
        """Yield them; the cosine of one that was not looked at yet is left out."""
        suspended = GaugeMetricFamily(
            "palimpsest_embedder_suspended",
            "Whether no vectors are made, because the model has changed.",
            labels=("embedder",),
        )
        cosine = GaugeMetricFamily(
            "palimpsest_embedder_cosine",
            "Median cosine of the vectors of probe texts with those that were first made.",
            labels=("embedder",),
        )
        for name, one in self._embedders.items():
            suspended.add_metric((name,), float(one.suspended is not None))
            if one.cosine is not None:
                cosine.add_metric((name,), one.cosine)
        yield from (suspended, cosine)
