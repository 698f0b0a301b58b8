"""The native search over one part's rows: by graph, by scan of the codes, by exact scan.

Which rows may be found is said by bits per row (``allowed``), or by an ``Among`` that tests the
points of rows.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

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


class Walk(NamedTuple):
    """A walk over the graph where only some rows are allowed (``index/native/filtered.h``)."""

    ef: int
    two_hops: bool
    most_scored: int  # rows, after which the wide walk gives up
    frontier: int  # rows the wide walk keeps for expansion
    least_share: float  # of the rows around the entry: where fewer are allowed it gives up


class Rescoring(NamedTuple):
    """How many candidates by code are recomputed from kept rows, the closest first.

    ``every`` one of them, or only until a better row is unlikely. Where it stays open whether the
    first ``sure`` results are right, more are, up to all rows; 0: never more than ``most``. Nor
    where a walk of the graph without a filter found rows no farther than ``usual`` (``trust``).
    """

    most: int
    every: bool = False
    sure: int = 0
    usual: float = -math.inf


class Scaling(NamedTuple):
    """Turns a row's distance (minus an inner product) into ``(distance - shift) * factors[row]``.

    Every search takes one and then answers such distances, from codes and kept rows alike. It
    raises ValueError where the distance is no inner product, the factors are fewer than the rows or
    not contiguous float32, or the shift is not finite.
    """

    factors: NDArray[np.float32]  # (n,) or more, positive and finite (not looked at)
    shift: float


_UNSCALED = (None, 0.0)


class Searcher:
    """Arrays of one part bound to the native code, which keeps them alive."""

    __slots__ = (
        "_exact",
        "_is_dot",
        "_native",
        "_rows_by_number",
        "_scan",
        "_search",
        "folds_copies",
        "has_codes",
        "has_graph",
        "has_kept",
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
        self._native = native
        self._search, self._scan, self._exact = native.search, native.scan, native.exact
        self._rows_by_number: tuple[Rows | None, int] | None = None
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

    def by_graph(
        self,
        query: Vector,
        k: int,
        ef: int,
        rescoring: Rescoring,
        allowed: Words | None,
        scaling: Scaling | None = None,
    ) -> Hits:
        """Walk the graph for ``ef`` candidates; recompute some of them from kept rows."""
        rows, distances = np.empty(k, np.uint32), np.empty(k, np.float32)
        factors, shift = scaling or _UNSCALED
        most, every, sure, usual = rescoring
        if self._is_dot:
            usual *= float(np.linalg.norm(query))
        found, *counts = self._search(
            query, k, ef, most, allowed, rows, distances, factors, shift, every, sure, usual
        )
        return Hits(rows[:found], distances[:found], *counts)

    def by_scan(
        self,
        query: Vector,
        n: int,
        k: int,
        rescoring: Rescoring,
        allowed: Words | None,
        scaling: Scaling | None = None,
    ) -> Hits:
        """Score the codes of the first ``n`` rows; recompute some from kept rows."""
        rows, distances = np.empty(k, np.uint32), np.empty(k, np.float32)
        factors, shift = scaling or _UNSCALED
        most, every, sure, _ = rescoring
        found, *counts = self._scan(
            query, n, k, most, allowed, rows, distances, factors, shift, every, sure
        )
        return Hits(rows[:found], distances[:found], *counts)

    def by_exact(
        self,
        query: Vector,
        n: int,
        k: int,
        allowed: Words | None,
        scaling: Scaling | None = None,
    ) -> Hits:
        """Compare the first ``n`` kept rows."""
        rows, distances = np.empty(k, np.uint32), np.empty(k, np.float32)
        found, *counts = self._exact(query, n, k, allowed, rows, distances, *(scaling or ()))
        return Hits(rows[:found], distances[:found], *counts)

    def walk_among(
        self,
        query: Vector,
        k: int,
        rescoring: Rescoring,
        among: _native.Among,
        walk: Walk,
        scaling: Scaling | None = None,
    ) -> Hits:
        """Walk the graph for rows that are allowed; without hits where the walk gave up."""
        rows, distances = np.empty(k, np.uint32), np.empty(k, np.float32)
        factors, shift = scaling or _UNSCALED
        most, every, sure, _ = rescoring
        found, *counts = self._native.search_among(
            query,
            k,
            walk.ef,
            min(most, walk.ef),
            among,
            walk.two_hops,
            walk.most_scored,
            walk.frontier,
            walk.least_share,
            rows,
            distances,
            factors,
            shift,
            every,
            sure,
        )
        return Hits(rows[:found], distances[:found], *counts)

    def scan_among(
        self,
        query: Vector,
        k: int,
        rescoring: Rescoring,
        among: _native.Among,
        scaling: Scaling | None = None,
    ) -> Hits:
        """Score the codes of the allowed rows; recompute some from kept rows."""
        rows, distances = np.empty(k, np.uint32), np.empty(k, np.float32)
        factors, shift = scaling or _UNSCALED
        most, every, sure, _ = rescoring
        found, *counts = self._native.scan_among(
            query, k, most, among, rows, distances, factors, shift, every, sure
        )
        return Hits(rows[:found], distances[:found], *counts)

    def exact_among(
        self, query: Vector, k: int, among: _native.Among, scaling: Scaling | None = None
    ) -> Hits:
        """Compare the allowed kept rows."""
        rows, distances = np.empty(k, np.uint32), np.empty(k, np.float32)
        found, *counts = self._native.exact_among(
            query, k, among, rows, distances, *(scaling or ())
        )
        return Hits(rows[:found], distances[:found], *counts)

    def score(self, queries: Vectors, rows: Rows, *, by_codes: bool) -> Distances:
        """Return distances (q, m) of queries to rows: by code estimated, by kept row true."""
        distances = np.empty((len(queries), len(rows)), dtype=np.float32)
        self._native.score(queries, rows, by_codes, distances)
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
