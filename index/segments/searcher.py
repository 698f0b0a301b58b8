"""The native search over one part's rows: by graph, by scan of the codes, by exact scan."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from index import _native
from index.encoding.planes import Encoder
from index.segments.graph import Graph
from index.segments.originals import Kept
from index.types import Codes, Distance, Distances, Rows, Vector, Words

_METRICS = {
    Distance.COSINE: "inner_product",
    Distance.DOT: "inner_product",
    Distance.EUCLID: "l2",
    Distance.MANHATTAN: "l1",
}


class Hits(NamedTuple):
    """The closest rows of one part, closest first, and what finding them took."""

    rows: Rows
    distances: Distances
    visited: int
    scored: int
    rescored: int


class Searcher:
    """Arrays of one part bound to the native code, which keeps them alive."""

    __slots__ = ("_exact", "_scan", "_search", "has_codes", "has_graph")

    def __init__(
        self,
        distance: Distance,
        size: int,
        kept: Kept | None,
        *,
        encoder: Encoder | None = None,
        codes: Codes | None = None,
        graph: Graph | None = None,
    ) -> None:
        rows: Any = kept if codes is None else codes
        native = _native.Segment(
            n=len(rows),
            size=size,
            metric=_METRICS[distance],
            encoder=None if encoder is None else encoder.native,
            codes=codes,
            error_scale=0.0 if encoder is None else encoder.error_scale,
            graph=None if graph is None else graph.native,
            kept=kept,
        )
        self._search, self._scan, self._exact = native.search, native.scan, native.exact
        self.has_codes = codes is not None
        self.has_graph = graph is not None

    def by_graph(
        self, query: Vector, k: int, ef: int, rescored: int, allowed: Words | None
    ) -> Hits:
        """Walk the graph for ``ef`` candidates; recompute ``rescored`` of them from kept rows."""
        rows, distances = np.empty(k, np.uint32), np.empty(k, np.float32)
        found, *counts = self._search(query, k, ef, rescored, allowed, rows, distances)
        return Hits(rows[:found], distances[:found], *counts)

    def by_scan(self, query: Vector, n: int, k: int, rescored: int, allowed: Words | None) -> Hits:
        """Score the codes of the first ``n`` rows; recompute ``rescored`` from kept rows."""
        rows, distances = np.empty(k, np.uint32), np.empty(k, np.float32)
        found, *counts = self._scan(query, n, k, rescored, allowed, rows, distances)
        return Hits(rows[:found], distances[:found], *counts)

    def by_exact(self, query: Vector, n: int, k: int, allowed: Words | None) -> Hits:
        """Compare the first ``n`` kept rows."""
        rows, distances = np.empty(k, np.uint32), np.empty(k, np.float32)
        found, *counts = self._exact(query, n, k, allowed, rows, distances)
        return Hits(rows[:found], distances[:found], *counts)
