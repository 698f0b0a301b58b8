"""One sparse query over the parts of a view: exact, by posting lists.

Results are the rows that share a dimension with the query, however low their score. Under the idf
modifier a query's values are weighed first, by counts that are exact at any moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index.config.vectors import SparseConfig
from palimpsest.index.filters.bitmaps import to_flags
from palimpsest.index.kinds.sparse.growing import SparseColumns, SparseGrowing
from palimpsest.index.kinds.sparse.postings import Among, Flags, Found, PostingLists, best_of
from palimpsest.index.kinds.sparse.sealed import SparseSealed
from palimpsest.index.search.every_point import blocks
from palimpsest.index.search.merge import PartHits
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.searcher import Hits
from palimpsest.index.storage.ids import Ids
from palimpsest.index.types import Distances, Numbers, SearchStats, SparseVector
from palimpsest.index.view.view import VectorView

SparseView: TypeAlias = VectorView[SparseConfig, SparseGrowing, SparseSealed]

_LARGEST = float(np.finfo(np.float32).max)


class _Part(NamedTuple):
    columns: SparseColumns | SparseSealed
    postings: Sequence[PostingLists]
    n: int
    dead: Dead

    def among(self, flags: Flags | None) -> Among:
        return Among(self.dead.allowed, self.columns.numbers, flags)

    def chosen_rows(self, flags: Flags | None) -> NDArray[np.intp]:
        """Return the rows that are not dead and whose points are flagged."""
        rows = self.dead.live_rows(self.n)
        return rows if flags is None else rows[_flagged(flags, self.columns.numbers[rows])]


def search_sparse(
    vectors: SparseView,
    query: SparseVector,
    k: int,
    allowed: BitMap | None,
    *,
    corpus: BitMap | None = None,
) -> tuple[list[PartHits], SearchStats]:
    """Return each part's k rows of the highest dot product, and what was done to find them.

    Of equal ones the lowest ids come first.

    Args:
        vectors: of a sparse vector name.
        query: as the caller gave it.
        k: at least 1.
        allowed: numbers of the points that may be found; None for all.
        corpus: numbers of the points that idf is counted over; None for all.
    """
    stats = SearchStats()
    started = perf_counter()
    flags, query = _flags(allowed), _weighed(vectors, query, corpus)
    found: list[PartHits] = []
    for part in _parts(vectors):
        count = min(k, part.n)
        rows, scores, read = _cut(
            best_of(part.postings, query, count, part.among(flags)), part.columns.ids, count
        )
        stats.scored += read
        found.append(PartHits(part.columns, Hits(rows, -scores, 0, read, 0)))
    stats.segments = len(vectors.sealed)
    stats.lacking = sum(bool(part.segment.lacking) for part in vectors.sealed)
    stats.seconds["scan"] = perf_counter() - started
    return found, stats


def score_sparse(
    vectors: SparseView,
    queries: Sequence[SparseVector],
    allowed: BitMap | None,
    *,
    corpus: BitMap | None = None,
) -> Iterator[tuple[Numbers, Distances]]:
    """Yield blocks of all allowed points that have a vector: numbers (m,) and distances.

    Distances are (number of queries, m): dot products negated, 0 where no dimension is shared.
    Arguments are those of ``search_sparse``.
    """
    flags, queries = _flags(allowed), [_weighed(vectors, one, corpus) for one in queries]
    for part in _parts(vectors):
        rows = part.chosen_rows(flags)
        for block in blocks(len(queries), len(rows)):
            some = rows[block]
            distances = np.empty((len(queries), len(some)), dtype=np.float32)
            for row, query in zip(distances, queries, strict=True):
                sums = np.concatenate([one.sums(query) for one in part.postings])
                np.negative(sums[some], out=row)
            yield part.columns.numbers[some], distances


def _weighed(vectors: SparseView, query: SparseVector, corpus: BitMap | None) -> SparseVector:
    """Return the query, under the idf modifier with each value multiplied by that of its dimension.

    ln(1 + (N - n + 0.5) / (n + 0.5)) for N live rows of which n hold the dimension, as in BM25.
    """
    if vectors.config.modifier != "idf":
        return query
    flags = _flags(corpus)
    holding = np.zeros(len(query.indices), dtype=np.int64)
    rows = 0
    for part in _parts(vectors):
        rows += part.n - part.dead.count if flags is None else len(part.chosen_rows(flags))
        for postings in part.postings:
            holding += postings.counts(query.indices, part.among(flags))
    idf = np.log1p((rows - holding + 0.5) / (holding + 0.5))
    values = np.clip(query.values * idf, -_LARGEST, _LARGEST)
    return SparseVector(query.indices, values.astype(np.float32))


def _parts(vectors: SparseView) -> Iterator[_Part]:
    """Yield the parts that have live rows."""
    for part in vectors.sealed:
        if part.live:
            yield _Part(part.segment, (part.segment.postings,), part.n, part.dead)
    for growing in vectors.growing:
        if growing.live:
            yield _Part(growing.columns, growing.columns.postings, growing.n, growing.dead)


def _flags(numbers: BitMap | None) -> Flags | None:
    if numbers is None:
        return None
    return to_flags(numbers, numbers.max() + 1 if numbers else 0).view(np.uint8)


def _flagged(flags: Flags, numbers: Numbers) -> NDArray[np.bool_]:
    flagged = numbers < len(flags)
    flagged[flagged] = flags[numbers[flagged]] != 0
    return flagged


def _cut(found: Found, ids: Ids, k: int) -> Found:
    """Return the k best; of those that equal the last of them, the lowest ids."""
    rows, scores, read = found
    if len(rows) <= k:
        return found
    better = int(np.count_nonzero(scores > scores[-1]))
    tied = ids[rows[better:]]
    keys = tied if tied.ndim == 1 else np.ascontiguousarray(tied).view(f"S{tied.shape[1]}").ravel()
    lowest = better + np.argsort(keys, kind="stable")[: k - better]
    kept = np.concatenate([np.arange(better), lowest])
    return Found(rows[kept], scores[kept], read)
