"""Searches by collection, vector, kind and filter: how many, how long, what they looked at.

Counted in the event loop's thread without a lock. Collections beyond a limit count as ``other``;
those that are gone are forgotten at the next scrape.
"""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from palimpsest.app.exemplars import add_histogram
from palimpsest.app.request_metrics import BOUNDS
from palimpsest.index import (
    Collection,
    CollectionConfig,
    GroupRequest,
    QueryRequest,
    SearchRequest,
    SearchStats,
    Tally,
    VectorConfig,
)

STAGES = ("plan", "filter", "scan", "traverse", "bridge", "rescore", "merge", "payload")
COMPARED = tuple(float(4**power) for power in range(2, 12))  # vectors: 16 to 4 Mi
OTHER = "other"
_LABELS = ("collection", "vector", "kind", "filtered")
_WORK = ("collection", "vector", "codec")

AnyRequest: TypeAlias = SearchRequest | QueryRequest | GroupRequest
_Key: TypeAlias = tuple[str, str, bool, bool]  # collection, vector, of several queries, filtered


class _Searched:
    """The searches of one set of labels."""

    __slots__ = ("codec", "config", "kind", "rescored", "scored", "seconds", "short", "visited")

    def __init__(self) -> None:
        self.seconds = Tally(BOUNDS)
        self.visited = self.scored = self.rescored = self.short = 0
        self.config: CollectionConfig | None = None  # that ``kind`` and ``codec`` were read from
        self.kind = self.codec = OTHER


class Searches:
    """Of one server; ``most`` collections have series of their own."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._named: dict[str, None] = {}  # collections with series of their own
        self._known: dict[_Key, _Searched] = {}
        self._stages = {stage: Tally(BOUNDS) for stage in STAGES}
        self._compared = Tally(COMPARED)
        self._fallbacks: dict[tuple[str, str], int] = {}  # by collection and reason

    def add(
        self,
        collection: Collection,
        request: AnyRequest,
        stats: SearchStats,
        seconds: float,
        found: int,
    ) -> None:
        """Count one search that found so many points."""
        name = self._name(collection.folder.name)
        key: _Key
        if isinstance(request, SearchRequest):
            key = name, request.vector_name, False, request.filter is not None
        else:
            root = request.root
            key = name, root.using, bool(root.prefetches), root.filter is not None
        if name is OTHER:
            key = name, "", False, key[3]
        one = self._known.get(key)
        if one is None:
            one = self._known[key] = _Searched()
        config = collection.config
        if one.config is not config and name is not OTHER:
            one.config, one.kind, one.codec = config, *_described(config, key)
        one.seconds.add(seconds)
        one.visited += stats.visited
        one.scored += stats.scored
        one.rescored += stats.rescored
        self._compared.add(stats.scored)
        if isinstance(request, SearchRequest) and found < request.k:
            one.short += _is_short(collection, request, found)
        if stats.scanned or stats.lacking:
            self._note_fallbacks(name, stats)
        stages = self._stages
        for stage, spent in stats.seconds.items():
            if stage in stages:
                stages[stage].add(spent)

    def forget(self, names: Names[str]) -> None:
        """Keep the series of these collections alone."""
        gone = {name for name in self._named if name not in names}
        for name in gone:
            del self._named[name]
        if gone:
            self._known = {key: one for key, one in self._known.items() if key[0] not in gone}
            kept = {key: n for key, n in self._fallbacks.items() if key[0] not in gone}
            self._fallbacks = kept

    def collect(self) -> Iterator[Metric]:
        """Yield all series."""
        searched = list(self._known.items())
        whole = HistogramMetricFamily(
            "palimpsest_search_duration_seconds", "Whole searches.", labels=_LABELS
        )
        for (name, vector, _, filtered), one in searched:
            values = (name, vector, one.kind, str(filtered).lower())
            add_histogram(whole, values, one.seconds)
        stages = HistogramMetricFamily(
            "palimpsest_search_stage_duration_seconds", "Parts of searches.", labels=("stage",)
        )
        for stage, tally in self._stages.items():
            add_histogram(stages, (stage,), tally)
        compared = HistogramMetricFamily(
            "palimpsest_search_candidates", "Vectors, or their codes, that a search compared."
        )
        add_histogram(compared, (), self._compared)
        yield from (whole, stages, compared)
        yield from _work(one for one in searched)
        fallbacks = CounterMetricFamily(
            "palimpsest_search_exact_fallback",
            "Segments in which a search compared every row: every_row where codes left the answer "
            "open or a probe had decided so, damaged where a graph or codes are made anew.",
            labels=("collection", "reason"),
        )
        for labels, count in list(self._fallbacks.items()):
            fallbacks.add_metric(labels, count)
        yield fallbacks

    def _name(self, name: str) -> str:
        if name in self._named:
            return name
        if len(self._named) >= self._most:
            return OTHER
        self._named[name] = None
        return name

    def _note_fallbacks(self, name: str, stats: SearchStats) -> None:
        for reason, count in (("every_row", stats.scanned), ("damaged", stats.lacking)):
            self._fallbacks[name, reason] = self._fallbacks.get((name, reason), 0) + count


def _work(searched: Iterable[tuple[_Key, _Searched]]) -> Iterator[Metric]:
    """Yield what searches looked at, summed over those with a filter and those without."""
    sums: dict[tuple[str, str, str], list[int]] = {}
    for (name, vector, *_), one in searched:
        counts = sums.setdefault((name, vector, one.codec), [0, 0, 0, 0])
        for place, count in enumerate((one.visited, one.scored, one.rescored, one.short)):
            counts[place] += count
    for place, (name, text) in enumerate(
        (
            ("visited_nodes", "Graph nodes expanded."),
            ("distance_computations", "Vectors, or their codes, compared."),
            ("rescored", "Candidates compared again by their originals."),
            ("results_short", "Searches without a filter that found fewer points than there are."),
        )
    ):
        family = CounterMetricFamily(f"palimpsest_search_{name}", text, labels=_WORK)
        for labels, counts in sums.items():
            family.add_metric(labels, counts[place])
        yield family


def _described(config: CollectionConfig, key: _Key) -> tuple[str, str]:
    """Return the kind of a search and the codec of what it reads."""
    _, vector, several, _ = key
    declared = config.find(vector)
    codec = declared.encoding if isinstance(declared, VectorConfig) else "none"
    if several:
        return "hybrid", codec
    return "none" if declared is None else declared.kind, codec  # none: points by their payloads


def _is_short(collection: Collection, request: SearchRequest, found: int) -> bool:
    """Tell whether a search found fewer points than it should have; asked of few searches."""
    if request.filter is not None or request.max_distance is not None:
        return False  # how many there are takes as long to learn as a search
    vectors = collection.view.find(request.vector_name)
    if vectors is None:
        return False
    live = sum(one.live for one in vectors.sealed) + sum(one.live for one in vectors.growing)
    # one less: a query by an id leaves that point out
    return request.offset + found < min(request.offset + request.k, live - 1)
