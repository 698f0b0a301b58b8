"""What upgrades of embedding models measure: versions, adapters and the searches that use them.

Counts are changed only in the event loop's thread; gauges are read at scrape from published state.
"""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)

from palimpsest.app.histograms import Histograms
from palimpsest.index import AdapterInfo, OutOfReach, Tally, VersionInfo, VersionStats

MAX_SERIES = 1_000  # of one counter; what is above counts under OTHER
OTHER = "other"
FIT_BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)  # seconds

Ends = tuple[str, str, str]  # collection, version of the queries, version of the rows


class Bridges:
    """Searches that found points through adapters, and how long fitting them took."""

    def __init__(self) -> None:
        self._queries: dict[Ends, int] = {}
        self._fits = Tally(FIT_BOUNDS)

    def searched(self, collection: str, versions: Sequence[VersionStats]) -> None:
        """Count what one search did with rows of versions other than its own.

        Args:
            collection: its name, without that of a version.
            versions: as the engine reports them.
        """
        own = next((one.version for one in versions if one.adapter is None), OTHER)
        for one in versions:
            if one.adapter is not None:
                ends = (collection, own, one.version)
                if ends not in self._queries and len(self._queries) >= MAX_SERIES:
                    ends = (OTHER, OTHER, OTHER)
                self._queries[ends] = self._queries.get(ends, 0) + 1

    def forget(self, names: Names[str]) -> None:
        """Keep the series of these collections alone."""
        gone = [ends for ends in self._queries if ends[0] not in names and ends[0] is not OTHER]
        for ends in gone:
            del self._queries[ends]

    def fitted(self, seconds: float) -> None:
        """Count one adapter that was fitted."""
        self._fits.add(seconds)

    def collect(self) -> Iterator[Metric]:
        """Yield the counter and the histogram."""
        queries = CounterMetricFamily(
            "palimpsest_bridge_queries",
            "Searches of rows of another version (to) by queries of one (from).",
            labels=("collection", "from_version", "to_version"),
        )
        for ends, count in list(self._queries.items()):
            queries.add_metric(ends, count)
        fits = Histograms(
            "palimpsest_bridge_fit_duration_seconds", "To fit and measure an adapter."
        )
        fits.add((), self._fits)
        yield from (queries, fits)


def version_gauges(states: Iterable[tuple[str, Sequence[VersionInfo]]]) -> Iterator[Metric]:
    """Yield gauges of the versions of each collection."""
    labels = ("collection", "version", "vector")
    points = GaugeMetricFamily("palimpsest_model_points", "Points that hold it.", labels=labels)
    coverage = GaugeMetricFamily(
        "palimpsest_model_coverage_ratio",
        "Their share of the points that hold any version of the vector.",
        labels=labels,
    )
    active = GaugeMetricFamily(
        "palimpsest_model_active", "1 for what the bare vector name means.", labels=labels
    )
    remaining = GaugeMetricFamily(
        "palimpsest_backfill_remaining_points",
        "Points that hold other versions of the vector only.",
        labels=labels,
    )
    gained = CounterMetricFamily(
        "palimpsest_backfill_points",
        "Points that got the version, which they had not, since their collection was opened.",
        labels=labels,
    )
    state = GaugeMetricFamily(
        "palimpsest_model_state",
        "1 for the state that a version has.",
        labels=(*labels, "state"),
    )
    drifted = GaugeMetricFamily(
        "palimpsest_model_drifted",
        "1 while the newest rows are not of the embedding model that made the first ones.",
        labels=labels,
    )
    alike = GaugeMetricFamily(
        "palimpsest_model_alike_sigmas",
        "How alike the newest rows and the first ones are, in standard deviations from chance.",
        labels=labels,
    )
    for collection, versions in states:
        corpora = _corpora(versions)
        for one in versions:
            values = (collection, one.version, one.vector)
            points.add_metric(values, one.points)
            coverage.add_metric(values, one.coverage)
            active.add_metric(values, one.state == "active")
            gained.add_metric(values, one.gained)
            state.add_metric((*values, one.state), 1)
            if one.drift is not None:
                drifted.add_metric(values, one.drift.foreign)
                alike.add_metric(values, one.drift.alike)
            if one.state != "retired":
                remaining.add_metric(values, corpora.get(one.vector, 0) - one.points)
    yield from (points, coverage, active, state, remaining, gained, drifted, alike)


def reach_gauge(states: Iterable[tuple[str, Sequence[OutOfReach]]]) -> Metric:
    """Return the gauge of points that queries of a version do not reach."""
    points = GaugeMetricFamily(
        "palimpsest_out_of_reach_points",
        "Points that hold only one version (to), to which no adapter leads queries of another.",
        labels=("collection", "vector", "from_version", "to_version"),
    )
    for collection, missed in states:
        for one in missed:
            points.add_metric((collection, one.vector, one.queries, one.rows), one.points)
    return points


def _corpora(versions: Sequence[VersionInfo]) -> dict[str, int]:
    """Return how many points hold any version of each vector."""
    return {
        one.vector: round(one.points / one.coverage)
        for one in versions
        if one.coverage > 0 and one.state != "retired"
    }


def adapter_gauges(states: Iterable[tuple[str, Sequence[AdapterInfo]]]) -> Iterator[Metric]:
    """Yield gauges of the fitted adapters of each collection."""
    labels = ("collection", "vector", "from_version", "to_version")
    pairs = GaugeMetricFamily("palimpsest_bridge_pairs", "Pairs it was fitted on.", labels=labels)
    overlap = GaugeMetricFamily(
        "palimpsest_bridge_overlap_ratio",
        "Share of a full migration's answers expected through it, at the collection's size.",
        labels=labels,
    )
    error = GaugeMetricFamily(
        "palimpsest_bridge_error_ratio",
        "Share of a full migration's answers lost through it, measured on pairs held out.",
        labels=labels,
    )
    untried = GaugeMetricFamily(
        "palimpsest_bridge_untried_kinds",
        "Dearer kinds of adapter yet to be tried, which replace it if they are better.",
        labels=labels,
    )
    for collection, adapters in states:
        for one in adapters:
            if one.state == "fitted":
                values = (collection, one.vector, one.queries, one.rows)
                pairs.add_metric(values, one.pairs)
                untried.add_metric(values, len(one.untried))
                expected = expected_overlap(one.report)
                if expected is not None:
                    overlap.add_metric(values, expected)
                if one.report.get("arr") is not None:
                    error.add_metric(values, max(0.0, 1.0 - float(one.report["arr"])))
    yield from (pairs, overlap, error, untried)


def expected_overlap(report: Mapping[str, Any]) -> float | None:
    """Return what a user gets of a full migration's answers by a report, None if unmeasured."""
    expected = (report.get("expected") or report).get("arr")
    return None if expected is None else float(expected)
