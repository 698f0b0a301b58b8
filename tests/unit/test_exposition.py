"""Texts are those of the library, byte for byte, whatever the names, values and examples."""

from __future__ import annotations

import math

import pytest
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from palimpsest.app.exemplars import Exemplary
from palimpsest.app.exposition import OPENMETRICS, expose
from palimpsest.app.histograms import Histograms
from palimpsest.index import Tally

NAMES = ["", "docs", "écrits", 'a"b\\c\nd', "name.with.dots", "a/b", "名前", "x" * 300]
VALUES = [
    *(0, 1, -1, 7, 999_999, 1_000_000, 123_456_789, 10**15, 2**53 + 1),
    *(0.0, -0.0, 0.1, 1e-9, 1.5, 999_999.0, 1e6, 1e21, math.inf, -math.inf, math.nan, True),
]


class Strange(Collector):
    def collect(self) -> list[Metric]:
        gauge = GaugeMetricFamily("g", 'A "text"\\ of\nlines.', labels=("zeta", "alpha"))
        for name in NAMES:
            for place, value in enumerate(VALUES):
                gauge.add_metric((name, str(place)), value)
        counter = CounterMetricFamily("c", "Counts.", labels=("name",))
        counter.add_metric(("é",), 3)
        histogram = Histograms("h_seconds", "Takes.", labels=("route", "a", "zone"))
        tally = Exemplary((0.1, 1.0))
        for value, trace in ((0.05, "a" * 32), (0.5, None), (7.0, "b" * 32)):
            tally.add(value)
            if trace is not None:
                tally.note(value, trace)
        histogram.add(("/é", 'a"b', ""), tally)
        histogram.add(("/", "", "z"), Tally((0.5,)))
        bare = Histograms("bare", "Without labels.")
        bare.add((), tally)
        empty = GaugeMetricFamily("nothing", "None of it.", labels=("name",))
        info = InfoMetricFamily("b", "What runs.", value={"version": "1"})
        return [
            gauge,
            counter,
            histogram,
            bare,
            empty,
            info,
            GaugeMetricFamily("plain", "x", value=2),
        ]


@pytest.fixture
def registry() -> CollectorRegistry:
    made = CollectorRegistry()
    made.register(Strange())
    PlatformCollector(registry=made)
    return made


def test_plain_text_is_that_of_the_library(registry: CollectorRegistry) -> None:
    text, content_type = expose(registry, "")
    assert content_type.startswith("text/plain")
    assert text == generate_latest(registry)


def test_openmetrics_is_that_of_the_library(registry: CollectorRegistry) -> None:
    accept = f"{OPENMETRICS};version=1.0.0,text/plain;version=0.0.4;q=0.5"
    text, content_type = expose(registry, accept)
    assert content_type.startswith(OPENMETRICS)
    assert b' # {trace_id="' in text
    # those of one moment: the time stands in what was collected
    assert drop_times(text) == drop_times(generate_openmetrics(registry))


def drop_times(text: bytes) -> list[str]:
    lines = text.decode().splitlines()
    return [line.rpartition(" ")[0] if " # {" in line else line for line in lines]


def test_the_library_reads_it_again(registry: CollectorRegistry) -> None:
    text, _ = expose(registry, OPENMETRICS)
    found = {family.name: family for family in text_string_to_metric_families(text.decode())}
    assert {sample.labels["zeta"] for sample in found["g"].samples} == set(NAMES)
    example = found["h_seconds"].samples[0].exemplar
    assert example is not None and example.labels == {"trace_id": "a" * 32}


def test_what_the_program_itself_has() -> None:
    made = CollectorRegistry()
    GCCollector(registry=made)
    ProcessCollector(registry=made)
    ours, theirs = expose(made, "")[0], generate_latest(made)
    assert [line.split(b" ")[0] for line in ours.splitlines()] == [
        line.split(b" ")[0] for line in theirs.splitlines()
    ]
