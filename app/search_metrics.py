"""Searches by collection, vector, kind and filter: how many, how long, what they looked at.

Told of in the event loop's thread, which costs a query a microsecond, and counted when many were,
or by the thread of a scrape. Collections beyond a limit count as ``other``; those that are gone are
forgotten at the next scrape, which also says how the vectors of the others are declared.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, groupby
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from prometheus_client.core import CounterMetricFamily, Metric

from palimpsest.app.histograms import Histograms
from palimpsest.app.request_metrics import BOUNDS, MOST_WAITING, taken_from
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

STAGES = (
    *("plan", "filter", "scan", "traverse", "bridge", "maxsim", "rescore", "merge"),
    *("fuse", "formula", "payload"),
)
COMPARED = tuple(float(4**power) for power in range(2, 12))  # vectors: 16 to 4 Mi
OTHER = "other"
MOST_FOUND = 10_000  # sets of labels, by what collections were called
_LABELS = ("collection", "vector", "kind", "filtered")
_WORK = ("collection", "vector", "codec")

AnyRequest: TypeAlias = SearchRequest | QueryRequest | GroupRequest
_Key: TypeAlias = tuple[str, str, bool, bool]  # collection, vector, of several queries, filtered


class _Searched:
    """The searches of one set of labels."""

    __slots__ = ("rescored", "scored", "seconds", "short", "visited", "waiting")

    def __init__(self) -> None:
        self.seconds = Tally(BOUNDS)
        self.visited = self.scored = self.rescored = self.short = 0
        self.waiting: deque[float] = deque()


class Searches:
    """Of one server; ``most`` collections have series of their own."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._named: dict[str, None] = {}  # collections with series of their own
        self._known: dict[_Key, _Searched] = {}
        self._found: dict[_Key, _Searched] = {}  # by what a collection was called, versions too
        self._configs: Mapping[str, CollectionConfig] = {}
        self._stages = {stage: Tally(BOUNDS) for stage in STAGES}
        self._compared = Tally(COMPARED)
        self._waiting: deque[tuple[int, dict[str, float]]] = deque()  # compared, and stages
        self._settling = threading.Lock()
        self._fallbacks: dict[tuple[str, str], int] = {}  # by collection and reason

    def add(
        self,
        collection: Collection,
        request: AnyRequest,
        stats: SearchStats,
        seconds: float,
        found: int,
    ) -> None:
        """Count one search that found so many points, or groups."""
        key: _Key
        is_short = False
        if isinstance(request, SearchRequest):
            key = collection.name, request.vector_name, False, request.filter is not None
            is_short = found < request.k and _is_short(collection, request, found)
        else:
            root = request.root
            key = collection.name, root.using, bool(root.prefetches), root.filter is not None
        one = self._found.get(key)
        if one is None:
            one = self._meet(collection, key)
        one.waiting.append(seconds)
        one.visited += stats.visited
        one.scored += stats.scored
        one.rescored += stats.rescored
        one.short += is_short
        if stats.scanned or stats.lacking:
            self._note_fallbacks(collection.folder.name, stats)
        self._waiting.append((stats.scored, stats.seconds))
        if len(self._waiting) >= MOST_WAITING:
            self._settle()

    def declared(self, configs: Mapping[str, CollectionConfig]) -> None:
        """Take how all collections are declared, and keep the series of these alone."""
        self._configs = configs
        gone = {name for name in self._named if name not in configs}
        if gone:
            for name in gone:
                del self._named[name]
            self._found = {}
            self._known = {key: one for key, one in self._known.items() if key[0] not in gone}
            kept = {key: n for key, n in self._fallbacks.items() if key[0] not in gone}
            self._fallbacks = kept

    def _meet(self, collection: Collection, key: _Key) -> _Searched:
        name = self._name(collection.folder.name)
        labels = (OTHER, "", False, key[3]) if name is OTHER else (name, *key[1:])
        one = self._known.setdefault(labels, _Searched())
        if len(self._found) >= MOST_FOUND:
            self._found = {}
        self._found[key] = one
        return one

    def _settle(self) -> None:
        """Count what waits."""
        with self._settling:
            for one in list(self._known.values()):
                one.seconds.add_all(taken_from(one.waiting))
            taken = taken_from(self._waiting)
            self._compared.add_all([compared for compared, _ in taken])
            for stage, seconds in _by_stage([spent for _, spent in taken]):
                if stage in self._stages:
                    self._stages[stage].add_all(seconds)

    def collect(self) -> Iterator[Metric]:
        """Yield all series."""
        self._settle()
        searched = [(key, self._described(key), one) for key, one in list(self._known.items())]
        whole = Histograms("palimpsest_search_duration_seconds", "Whole searches.", labels=_LABELS)
        for (name, vector, _, filtered), (kind, _), one in searched:
            values = (name, vector, kind, str(filtered).lower())
            whole.add(values, one.seconds)
        stages = Histograms(
            "palimpsest_search_stage_duration_seconds", "Parts of searches.", labels=("stage",)
        )
        for stage, tally in self._stages.items():
            stages.add((stage,), tally)
        compared = Histograms(
            "palimpsest_search_candidates", "Vectors, or their codes, that a search compared."
        )
        compared.add((), self._compared)
        yield from (whole, stages, compared)
        yield from _work(searched)
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

    def _described(self, key: _Key) -> tuple[str, str]:
        """Return the kind of a search and the codec of what it reads, as declared now."""
        name, vector, several, _ = key
        config = self._configs.get(name)
        if config is None:
            return OTHER, OTHER
        declared = config.find(vector)
        codec = declared.encoding if isinstance(declared, VectorConfig) else "none"
        if several:
            return "hybrid", codec
        # none: points by their payloads
        return "none" if declared is None else declared.kind, codec

    def _note_fallbacks(self, name: str, stats: SearchStats) -> None:
        name = self._name(name)
        for reason, count in (("every_row", stats.scanned), ("damaged", stats.lacking)):
            self._fallbacks[name, reason] = self._fallbacks.get((name, reason), 0) + count


def _by_stage(
    searches: Iterable[dict[str, float]],
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield stages, each once or more often, and what they took in the searches that had them.

    Most searches in a row have the same stages, whose times are then read in one go: by stage for
    stage it takes as long as counting all else of a search.
    """
    alike: dict[tuple[str, ...], list[dict[str, float]]] = {}
    for stages, some in groupby(searches, tuple):
        alike.setdefault(stages, []).extend(some)
    for stages, found in alike.items():
        values = chain.from_iterable(map(dict.values, found))
        table = np.fromiter(values, np.float64).reshape(len(found), len(stages))
        yield from zip(stages, table.T, strict=True)


def _work(searched: Iterable[tuple[_Key, tuple[str, str], _Searched]]) -> Iterator[Metric]:
    """Yield what searches looked at, summed over those with a filter and those without."""
    sums: dict[tuple[str, str, str], list[int]] = {}
    for (name, vector, *_), (_, codec), one in searched:
        counts = sums.setdefault((name, vector, codec), [0, 0, 0, 0])
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
