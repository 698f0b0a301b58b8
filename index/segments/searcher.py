"""The native search over one part's rows: by graph, by scan of the codes, by exact scan.

Which rows may be found is said by ``FirstRows``, or by an ``Among``, one of them that tests the
points of rows too.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from palimpsest.index import _native
from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.segments.graph import Graph
from palimpsest.index.segments.originals import Kept
from palimpsest.index.types import Codes, Distance, Distances, Numbers, Rows, Vector, Vectors, Words

_METRICS = {
    Distance.COSINE: "inner_product",
    Distance.DOT: "inner_product",
    Distance.EUCLID: "l2",
    Distance.MANHATTAN: "l1",
}


_NO_ROW = np.uint32(2**32 - 1)
_MOST_SPREAD = 4  # places per row in the array of rows by number


class Hits(NamedTuple):
    """The closest rows of one part, closest first, and what finding them took.

    ``extended``: 1 where the codes left the answer open, so that more was looked at than planned;
    ``scanned``: 1 where all rows were, for that reason.
    """

    rows: Rows
    distances: Distances
    visited: int
    scored: int
    rescored: int
    extended: int = 0
    scanned: int = 0


# What a search is to do, as values of the native core: checked when they are made, not in every
# search.
Walk = _native.Walk
Rescoring = _native.Rescoring
Scaling = _native.Scaling
SearchThreads = _native.SearchThreads


@cache
def search_threads(count: int) -> SearchThreads:
    """Return the threads that all collections of a process share; they start when they are used."""
    return SearchThreads(count)


def simd_level() -> str:
    """Return which kernels compare vectors on this machine."""
    return _native.simd_level()


class Searcher:
    """Arrays of one part bound to the native code, which keeps them alive."""

    __slots__ = (
        "_every",
        "_exact",
        "_graph",
        "_is_dot",
        "_n",
        "_rows_by_number",
        "_scan",
        "_score",
        "_unreached",
        "_walk",
        "_walk_each",
        "folds_copies",
        "has_codes",
        "has_graph",
        "has_kept",
        "native",
        "row_bytes",
    )

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
        self.native = native = _native.Segment(
            n=len(rows),
            size=size,
            metric=_METRICS[distance],
            encoder=None if encoder is None else encoder.native,
            codes=codes,
            error_scale=0.0 if encoder is None else encoder.error_scale,
            graph=None if graph is None else graph.native,
            kept=kept,
        )
        self._n, self._every = len(rows), _native.FirstRows(len(rows))
        self._walk, self._scan, self._exact = native.walk, native.scan, native.exact
        self._walk_each, self._score = native.walk_each, native.score
        self._rows_by_number: tuple[Rows | None, int] | None = None
        self._graph, self._unreached = graph, None if graph is not None else 0
        self._is_dot = distance is Distance.DOT
        self.has_codes = codes is not None
        self.has_graph = graph is not None
        self.folds_copies = graph is not None and graph.has_copies
        self.has_kept = kept is not None
        self.row_bytes = int(rows.dtype.itemsize * rows.shape[1])  # of those that are scanned

    @property
    def nbytes(self) -> int:
        """Bytes of what searches have made of the arrays: rows by number."""
        if self._rows_by_number is None or self._rows_by_number[0] is None:
            return 0
        return self._rows_by_number[0].nbytes

    @property
    def n(self) -> int:
        """How many rows there are."""
        return self._n

    @property
    def known_unreached(self) -> int | None:
        """What ``unreached`` returned, None before it was asked for."""
        return self._unreached

    def unreached(self) -> int:
        """Return how many rows no walk meets; counted once, by one walk over all of the graph."""
        if self._unreached is None:
            assert self._graph is not None
            self._unreached = self._graph.unreachable()
        return self._unreached

    def first(self, n: int, live: Words | None = None) -> _native.FirstRows:
        """Return the first ``n`` rows, of those the ones whose bit is set: what may be found."""
        if live is None and n == self._n:
            return self._every
        return _native.FirstRows(n, live)

    def walk(
        self,
        query: Vector,
        k: int,
        walk: Walk,
        rescoring: Rescoring,
        among: _native.FirstRows,
        scaling: Scaling | None = None,
        usual: float = -math.inf,
    ) -> Hits:
        """Walk the graph for candidates and recompute some from kept rows; no hits if it gave up.

        A walk that finds rows no farther than ``usual`` (``trust``) is trusted to be right.
        """
        rows, distances = np.empty(k, np.uint32), np.empty(k, np.float32)
        if self._is_dot:
            usual *= float(np.linalg.norm(query))
        found, *counts = self._walk(
            query, k, walk, rescoring, among, scaling, usual, rows, distances
        )
        return Hits(rows[:found], distances[:found], *counts)

    def walk_each(
        self,
        queries: Vectors,
        k: int,
        walk: Walk,
        rescoring: Rescoring,
        among: _native.FirstRows,
        usual: float,
        threads: SearchThreads,
    ) -> list[Hits]:
        """Walk for queries (m, d) at once, on several threads; each as ``walk`` does."""
        if self._is_dot:  # the bound of each is another
            return [self.walk(one, k, walk, rescoring, among, None, usual) for one in queries]
        shape = len(queries), k
        rows, distances = np.empty(shape, np.uint32), np.empty(shape, np.float32)
        counts = np.empty((len(queries), 6), np.uint64)
        self._walk_each(queries, k, walk, rescoring, among, usual, threads, rows, distances, counts)
        return [
            Hits(rows[i, :found], distances[i, :found], *told)
            for i, (found, *told) in enumerate(counts.tolist())
        ]

    def scan(
        self,
        query: Vector,
        k: int,
        rescoring: Rescoring,
        among: _native.FirstRows,
        scaling: Scaling | None = None,
    ) -> Hits:
        """Score the codes of all that may be found; recompute some from kept rows."""
        rows, distances = np.empty(k, np.uint32), np.empty(k, np.float32)
        found, *counts = self._scan(query, k, rescoring, among, scaling, rows, distances)
        return Hits(rows[:found], distances[:found], *counts)

    def exact(
        self, query: Vector, k: int, among: _native.FirstRows, scaling: Scaling | None = None
    ) -> Hits:
        """Compare the kept rows of all that may be found."""
        rows, distances = np.empty(k, np.uint32), np.empty(k, np.float32)
        found, *counts = self._exact(query, k, among, scaling, rows, distances)
        return Hits(rows[:found], distances[:found], *counts)

    def score(self, queries: Vectors, rows: Rows, *, by_codes: bool) -> Distances:
        """Return distances (q, m) of queries to rows: by code estimated, by kept row true."""
        distances = np.empty((len(queries), len(rows)), dtype=np.float32)
        self._score(queries, rows, by_codes, distances)
        return distances

    def rows_by_number(self, numbers: Numbers, live: Words | None) -> tuple[Rows | None, int]:
        """Return the row of point ``base + i`` at place i, and ``base``; made once for a part.

        None where the numbers lie so far apart that the array would cost more than it saves.

        Args:
            numbers: of the part's rows (n,), no two rows of one point alive.
            live: bits of the rows that are not dead, None for all. Dead ones give way to those
                alive, but stay where there is none: to an older view they are alive.
        """
        if self._rows_by_number is None:
            self._rows_by_number = _rows_by_number(numbers, live)
        return self._rows_by_number


def _rows_by_number(numbers: Numbers, live: Words | None) -> tuple[Rows | None, int]:
    if not len(numbers):
        return None, 0
    base = int(numbers.min()) // 64 * 64  # the native code looks at words of the bitmap
    span = int(numbers.max()) - base + 1
    if span > _MOST_SPREAD * len(numbers):
        return None, 0
    rows = np.arange(len(numbers), dtype=np.uint32)
    by_number = np.full(span, _NO_ROW, dtype=np.uint32)
    by_number[numbers - np.uint32(base)] = rows
    if live is not None:
        flags = np.unpackbits(live.view(np.uint8), count=len(numbers), bitorder="little")
        rows = rows[flags.view(bool)]
        by_number[numbers[rows] - np.uint32(base)] = rows
    return by_number, base
