"""One set of vectors over the parts of a view: the points whose sets are closest by MaxSim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.filters.bitmaps import to_flags
from palimpsest.index.kinds.multi.exact import Sets
from palimpsest.index.kinds.multi.growing import MultiColumns, MultiGrowing
from palimpsest.index.kinds.multi.sealed import MultiSealed
from palimpsest.index.search.every_point import blocks
from palimpsest.index.search.merge import PartHits
from palimpsest.index.segments.dead import flagged
from palimpsest.index.segments.searcher import Hits
from palimpsest.index.storage.ids import Ids
from palimpsest.index.types import Distances, Numbers, SearchStats, Vectors
from palimpsest.index.view.view import SealedPart, VectorView

MultiView: TypeAlias = VectorView[MultiConfig, MultiGrowing, MultiSealed]
AnyPart: TypeAlias = SealedPart[MultiSealed] | MultiGrowing
Places: TypeAlias = NDArray[np.intp]


class SearchedSets(NamedTuple):
    """Rows of one part."""

    columns: MultiColumns | MultiSealed
    sets: Sets
    rows: Places  # that are not dead and whose points may be found


def search_multi(
    vectors: MultiView, query: Vectors, k: int, allowed: BitMap | None
) -> tuple[list[PartHits], SearchStats]:
    """Return each part's k closest rows, and what was done to find them.

    Of equal ones the lowest ids come first.

    Args:
        vectors: of a name whose points have sets.
        query: (t, d), checked.
        k: at least 1.
        allowed: numbers of the points that may be found; None for all.
    """
    stats, started = SearchStats(), perf_counter()
    found: list[PartHits] = []
    for part in _parts(vectors, allowed):
        distances = part.sets.distances(query, part.rows)
        rows, distances = first(part.rows, distances, part.columns.ids, k)
        hits = Hits(rows.astype(np.uint32), distances, 0, len(part.rows), 0)
        stats.scored += len(part.rows)
        found.append(PartHits(part.columns, hits))
    stats.segments = len(vectors.sealed)
    stats.lacking = sum(bool(part.segment.lacking) for part in vectors.sealed)
    stats.seconds["scan"] = perf_counter() - started
    return found, stats


def score_multi(
    vectors: MultiView, queries: Sequence[Vectors], allowed: BitMap | None
) -> Iterator[tuple[Numbers, NDArray[np.float32]]]:
    """Yield blocks of all allowed points that have a set: numbers (m,) and distances (E, m)."""
    for part in _parts(vectors, allowed):
        for block in blocks(len(queries), len(part.rows)):
            some = part.rows[block]
            distances = [part.sets.distances(query, some) for query in queries]
            yield part.columns.numbers[some], np.stack(distances)


def first(rows: Places, distances: Distances, ids: Ids, k: int) -> tuple[Places, Distances]:
    """Return the k closest of some rows, closest first; of equally close ones the lowest ids."""
    if len(rows) > k:
        last = np.partition(distances, k - 1)[k - 1]
        better = np.flatnonzero(distances < last)
        tied = np.flatnonzero(distances == last)
        own = ids[rows[tied]]
        keys = own if own.ndim == 1 else np.ascontiguousarray(own).view(f"S{own.shape[1]}").ravel()
        tied = tied[np.argsort(keys, kind="stable")[: k - len(better)]]
        kept = np.concatenate([better, tied])
        rows, distances = rows[kept], distances[kept]
    order = np.argsort(distances, kind="stable")
    return rows[order], distances[order]


def sets_of(part: MultiSealed | MultiGrowing) -> Sets:
    """Return the sets of a part, to be compared."""
    if isinstance(part, MultiSealed):
        return part.sets
    rows = part.rows
    return Sets(rows.starts, rows.values, part.config.distance)


def _parts(vectors: MultiView, allowed: BitMap | None) -> Iterator[SearchedSets]:
    """Yield the parts that have rows which may be found."""
    flags = None if allowed is None else to_flags(allowed, allowed.max() + 1 if allowed else 0)
    for part in vectors.parts:
        if not part.live:
            continue
        rows, columns = part.dead.live_rows(part.n), part.columns
        if flags is not None:
            rows = rows[flagged(flags, columns.numbers[rows])]
        if len(rows):
            yield SearchedSets(columns, sets_of(part.source), rows)
