"""One set of vectors over the parts of a view: the points whose sets are closest by MaxSim.

In three stages, each over fewer sets: the closest rows of one vector a set are candidates
(``candidates``), MaxSim by codes orders these, and the best of them are compared by originals.
Where few sets may be found, all are candidates; so are all that grow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.filters.bitmaps import to_flags
from palimpsest.index.kinds.kind import Block
from palimpsest.index.kinds.multi.exact import CodedSets, ComparedSets, Sets
from palimpsest.index.kinds.multi.growing import MultiColumns, MultiGrowing
from palimpsest.index.kinds.multi.plan import MultiPlan
from palimpsest.index.kinds.multi.sealed import MultiSealed
from palimpsest.index.search.every_point import blocks
from palimpsest.index.search.merge import PartHits
from palimpsest.index.segments.dead import flagged
from palimpsest.index.segments.searcher import Hits
from palimpsest.index.storage.ids import Ids
from palimpsest.index.types import Distances, SearchStats, Vectors
from palimpsest.index.view.view import SealedPart, VectorView

MultiView: TypeAlias = VectorView[MultiConfig, MultiGrowing, MultiSealed]
SearchedPart: TypeAlias = SealedPart[MultiSealed] | MultiGrowing
SetRows: TypeAlias = NDArray[np.integer]

_DEVIATIONS = 3.0  # of estimates, which a row that is not compared again may be off
# Rows beyond the wanted ones that are compared again together: a share of these, and at least so
# many. Twice the share found the same in abstracts, by 15 rows instead of 13.
_PER_MORE, _LEAST_MORE = 5, 4
_EXACTLY = 1_024  # sets that are compared with several examples without codes


class Findable:
    """The points that may be found: a bitmap of their numbers, None for all."""

    def __init__(self, points: BitMap | None) -> None:
        self.points = points
        self._flags = None
        if points is not None:
            self._flags = to_flags(points, points.max() + 1 if points else 0)

    def rows(self, part: SearchedPart) -> SetRows:
        """Return the rows of a part that are not dead and whose points may be found."""
        rows = part.dead.live_rows(part.n)
        if self._flags is None:
            return rows
        return rows[flagged(self._flags, part.columns.numbers[rows])]

    def most(self, part: SearchedPart) -> int:
        """Return how many rows of a part may be found, at most."""
        return part.live if self.points is None else min(part.live, len(self.points))


def search_multi(
    vectors: MultiView, query: Vectors, plan: MultiPlan, points: BitMap | None
) -> tuple[list[PartHits], SearchStats]:
    """Return each part's closest rows, and what was done to find them.

    Of equal ones the lowest ids come first.

    Args:
        vectors: of a name whose points have sets.
        query: (t, d), checked.
        plan: how to search.
        points: numbers of the points that may be found; None for all.
    """
    stats = SearchStats()
    found: list[PartHits] = []
    findable = Findable(points)
    if plan.noted:
        vectors.recent.note(query)
    for part in vectors.sealed:
        stats.lacking += bool(part.segment.lacking)
        if findable.most(part):
            stats.note(part.segment.decision)
            found.append(_search_sealed(part, query, plan, findable, stats))
    started = perf_counter()
    for growing in vectors.growing:
        if findable.most(growing):
            found.append(_search_growing(growing, query, plan, findable, stats))
    stats.segments = len(vectors.sealed)
    stats.took_since("scan", started)
    return found, stats


def _search_sealed(
    part: SealedPart[MultiSealed],
    query: Vectors,
    plan: MultiPlan,
    findable: Findable,
    stats: SearchStats,
) -> PartHits:
    segment, most, started = part.segment, findable.most(part), perf_counter()
    coded = segment.coded
    if plan.exact or most <= plan.rescored or coded is None:
        is_sought = coded is None and not plan.exact and most > plan.rescored
        rows = _sought(part, query, plan, findable, stats) if is_sought else findable.rows(part)
        started = stats.took_since("traverse", started)
        found = _exactly(segment, segment.sets, query, rows, plan, stats)
        stats.took_since("maxsim", started)
        return found
    rows, estimated = _compared(part, coded, query, plan, findable, stats)
    if not plan.rescored or segment.kept is None:
        return _hits(segment, *first(rows, estimated, segment.ids, plan.page.fetch))
    started = perf_counter()
    found = _compared_again(segment, segment.sets, query, rows, estimated, plan, stats)
    stats.took_since("rescore", started)
    return found


def _search_growing(
    part: MultiGrowing, query: Vectors, plan: MultiPlan, findable: Findable, stats: SearchStats
) -> PartHits:
    """Compare all rows by codes and the closest exactly: scores of growing rows are exact."""
    rows, coded = findable.rows(part), part.coded
    if coded is None or plan.exact or not plan.rescored or len(rows) <= plan.rescored:
        return _exactly(part.columns, sets_of(part), query, rows, plan, stats)
    stats.scored += len(rows)
    estimated = coded.distances(query, rows)
    return _compared_again(part.columns, sets_of(part), query, rows, estimated, plan, stats)


def _compared_again(
    columns: MultiColumns | MultiSealed,
    sets: ComparedSets,
    query: Vectors,
    rows: SetRows,
    estimated: Distances,
    plan: MultiPlan,
    stats: SearchStats,
) -> PartHits:
    """Return the closest of some rows: of the first by estimates, by what is compared exactly."""
    k, ids = plan.page.fetch, columns.ids
    rows, estimated = first(rows, estimated, ids, plan.rescored)
    distances = _rescored(sets, query, rows, estimated, k if plan.until_sure else len(rows))
    stats.rescored += len(distances)
    return _hits(columns, *first(rows[: len(distances)], distances, ids, k))


def _rescored(
    sets: ComparedSets, query: Vectors, rows: SetRows, estimated: Distances, k: int
) -> Distances:
    """Return exact distances of the first rows, until no other comes among the k closest.

    They come in the order of their estimates (m,). How far these are off, the rows tell that are
    compared; the next one is too far where all but three deviations of it are.
    """
    done, more = 0, k + max(k // _PER_MORE, _LEAST_MORE // 2)
    distances = np.empty(0, dtype=np.float32)
    while done < len(rows):
        if done >= k:
            # estimates beyond what a float holds tell nothing: all are compared then
            with np.errstate(invalid="ignore"):
                off = (distances.astype(np.float64) - estimated[:done]).tolist()  # few: no arrays
            mean = sum(off) / done
            deviation = math.sqrt(sum((one - mean) ** 2 for one in off) / done)
            limit = np.partition(distances, k - 1)[k - 1]
            if estimated[done] + mean - _DEVIATIONS * deviation > limit:
                break
        distances = np.concatenate([distances, sets.distances(query, rows[done : done + more])])
        done, more = len(distances), max(k // _PER_MORE, _LEAST_MORE)
    return distances


def _compared(
    part: SealedPart[MultiSealed],
    coded: CodedSets,
    query: Vectors,
    plan: MultiPlan,
    findable: Findable,
    stats: SearchStats,
) -> tuple[SetRows, Distances]:
    """Return rows of which the closest are among, and their distances by codes."""
    candidates = part.segment.candidates
    count = _candidates(part, query, plan, findable)
    if candidates is None or count is None:
        rows, started = findable.rows(part), perf_counter()
        stats.scored += len(rows)
        distances = coded.distances(query, rows)
        stats.took_since("maxsim", started)
        return rows, distances
    until = plan.page.fetch if plan.until_sure and plan.depth is None else None
    return candidates.compared(query, coded, count, part.dead, findable.points, until, stats)


def _sought(
    part: SealedPart[MultiSealed],
    query: Vectors,
    plan: MultiPlan,
    findable: Findable,
    stats: SearchStats,
) -> SetRows:
    """Return rows of which the closest are among."""
    candidates = part.segment.candidates
    count = _candidates(part, query, plan, findable)
    if candidates is None or count is None:
        return findable.rows(part)
    return candidates.closest(query, count, part.dead, findable.points, stats)


def _candidates(
    part: SealedPart[MultiSealed], query: Vectors, plan: MultiPlan, findable: Findable
) -> int | None:
    """Return how many candidates are asked for; None where all that may be found are some."""
    candidates = part.segment.candidates
    if candidates is None or not query.any():
        return None
    if plan.is_few(findable.most(part), candidates.depth, len(query)):
        return None
    return plan.candidates(candidates.depth, len(query))


def _exactly(
    columns: MultiColumns | MultiSealed,
    sets: ComparedSets,
    query: Vectors,
    rows: SetRows,
    plan: MultiPlan,
    stats: SearchStats,
) -> PartHits:
    """Return the closest of some rows, by what is compared exactly."""
    stats.scored += len(rows)
    distances = sets.distances(query, rows)
    return _hits(columns, *first(rows, distances, columns.ids, plan.page.fetch))


def _hits(columns: MultiColumns | MultiSealed, rows: SetRows, distances: Distances) -> PartHits:
    return PartHits(columns, Hits(rows.astype(np.uint32), distances, 0, 0, 0))


def score_multi(
    vectors: MultiView, queries: Sequence[Vectors], points: BitMap | None, *, exact: bool
) -> Iterator[Block]:
    """Yield blocks of all allowed points that have a set: numbers (m,) and distances (E, m).

    Exact ones, or unless they are asked for those by codes of a segment of more than ``_EXACTLY``
    sets: of these the caller has the best compared exactly.
    """
    findable = Findable(points)
    for part in vectors.parts:
        if not findable.most(part):
            continue
        rows, sets, is_exact = findable.rows(part), sets_of(part.source), True
        if not exact and len(rows) > _EXACTLY and isinstance(part, SealedPart):
            coded = part.segment.coded
            if coded is not None and coded is not sets:
                sets, is_exact = coded, False
        for block in blocks(len(queries), len(rows)):
            some = rows[block]
            distances = [sets.distances(query, some) for query in queries]
            yield part.columns.numbers[some], np.stack(distances), is_exact


def first(rows: SetRows, distances: Distances, ids: Ids, k: int) -> tuple[SetRows, Distances]:
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


def sets_of(part: MultiSealed | MultiGrowing) -> ComparedSets:
    """Return the sets of a part, to be compared exactly."""
    if isinstance(part, MultiSealed):
        return part.sets
    rows = part.rows
    return Sets(rows.starts, rows.values, part.config.distance)
