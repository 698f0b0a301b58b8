"""Families of histograms made of tallies, whose samples are written without being made.

A histogram is twenty lines of a scrape, and most lines of a scrape are of histograms: each as an
object of the library's takes five times as long as its text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from prometheus_client.core import Exemplar, HistogramMetricFamily, Metric
from prometheus_client.samples import Sample

from palimpsest.index import Tally


class Held(NamedTuple):
    """One histogram of a family as it was when it was added."""

    labels: Sequence[str]  # values, in the order of the family's names
    bounds: Sequence[float]
    counts: Sequence[int]  # of each bucket alone; the last one has no bound
    total: float
    examples: Mapping[int, Exemplar]

    def buckets(self) -> list[tuple[str, float]]:
        """Return cumulative counts by upper bound, as the library takes them."""
        bounds = [*map(str, self.bounds), "+Inf"]
        return list(zip(bounds, accumulate(self.counts), strict=True))


class Histograms(Metric):
    """A family; ``samples`` are made when something but our own exposition asks for them."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str] = ()) -> None:
        self.held: list[Held] = []
        self.label_names = tuple(labels)
        super().__init__(name, documentation, "histogram")

    def add(self, labels: Sequence[str], tally: Tally) -> None:
        """Add a tally as it is now, with its examples where it keeps some."""
        examples: Mapping[int, Exemplar] = getattr(tally, "examples", {})
        held = Held(labels, tally.bounds, tally.counts.copy(), tally.total, {**examples})
        self.held.append(held)

    @property
    def samples(self) -> list[Sample]:
        """What the library has of them."""
        family = HistogramMetricFamily(self.name, self.documentation, labels=self.label_names)
        for one in self.held:
            first = len(family.samples)
            family.add_metric(one.labels, one.buckets(), one.total)
            for place, example in one.examples.items():
                name, values, value, *_ = family.samples[first + place]
                family.samples[first + place] = Sample(name, values, value, None, example)
        return family.samples

    @samples.setter
    def samples(self, samples: list[Sample]) -> None:
        assert not samples  # the library begins with none
