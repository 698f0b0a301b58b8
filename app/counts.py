"""Counters that are not of requests: a closed set of labels, each series there from the start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector


class Counts(Collector):
    """One counter with labels; changed only in the event loop's thread."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str], series: Iterable[tuple[str, ...]] = ()
    ) -> None:
        self.name = name  # without the `_total` that the exposition adds
        self._text = text
        self._labels = tuple(labels)
        self.values: dict[tuple[str, ...], int] = dict.fromkeys(series, 0)

    def add(self, *labels: str) -> None:
        """Count one more under the values of the labels."""
        self.values[labels] = self.values.get(labels, 0) + 1

    def collect(self) -> Iterator[Metric]:
        """Yield the counter."""
        family = CounterMetricFamily(self.name, self._text, labels=self._labels)
        for labels, value in list(self.values.items()):
            family.add_metric(labels, value)
        yield family
