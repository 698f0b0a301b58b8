"""Measures how much of what is closest the searches of a name find, in a bounded time.

Each query is answered as it is planned and with every row looked at (``answered``); then rows that
no walk meets are counted, and the ef that would do is looked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple

import numpy as np

from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.kinds.registry import kind_of
from palimpsest.index.recall.answered import share_found
from palimpsest.index.recall.dimension import NEIGHBOURS, local_dimension
from palimpsest.index.recall.drawn import Question, RecallRequest
from palimpsest.index.recall.interval import Interval, interval_of
from palimpsest.index.recall.needed import Answered, OutOfTime, needed_ef
from palimpsest.index.search.closest import Closest
from palimpsest.index.segments.deciding import WANTED
from palimpsest.index.segments.probe import Recall
from palimpsest.index.segments.searcher import Searcher
from palimpsest.index.stops import check_stop
from palimpsest.index.view.view import AnyVectors, View

_ASKING = 0.6  # of the time, for recall itself; the rest for the ef


class FoundShare(NamedTuple):
    """What some queries found: their mean recall, and that of the worst twentieth of them."""

    recall: float
    interval: Interval
    worst: float
    queries: int

    @classmethod
    def of(cls, recalls: Sequence[float]) -> FoundShare:
        """Return it of the recall of each, of which there is one at least."""
        each = np.array(recalls)
        mean, worst = Recall.of(each)
        return cls(mean, interval_of(each), worst, len(each))


class GraphReach(NamedTuple):
    """How many rows the graphs of a name have, and how many of them no walk meets."""

    rows: int
    unreached: int


class Dimension(NamedTuple):
    """Local intrinsic dimensions at the queries."""

    mean: float
    median: float


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredRecall:
    """What was measured; None is what there was nothing to tell of.

    ``every`` is of all queries, ``origins`` of those from rows, recent and given ones. Searches
    that are ``exact`` miss nothing, and are not asked. ``ef`` is what searches take at most,
    ``needed`` what would be enough for the recall that is ``wanted``. ``whole`` is False where time
    was over before everything was measured.
    """

    exact: bool
    wanted: float
    every: FoundShare | None = None
    origins: Mapping[str, FoundShare] | None = None
    ef: int | None = None
    needed: int | None = None
    dimension: Dimension | None = None
    reach: GraphReach | None = None
    whole: bool = True


def measure(view: View, questions: Sequence[Question], request: RecallRequest) -> MeasuredRecall:
    """Return what is found of queries on a view.

    Raises:
        InvalidInput: one of its subclasses: a given query, or a parameter, is wrong.
        Stopped: nobody waits for it.
    """
    vectors = view.vectors[view.config.number(request.vector_name)]
    kind = kind_of(vectors.config)
    searching = request.searching(None)
    config = vectors.config
    wanted = config.recall if isinstance(config, VectorConfig) else WANTED
    if kind.is_exact(vectors, searching):
        return MeasuredRecall(True, wanted)
    began = monotonic()
    asked = _asked(vectors, questions, began + _ASKING * request.seconds)
    whole, needed = asked.whole, None
    ef = kind.ef(vectors, searching)
    if ef is not None and asked.answered:
        try:
            needed = needed_ef(asked.answered, wanted, began + request.seconds)
        except OutOfTime:
            whole = False
    recalls = [recall for each in asked.recalls.values() for recall in each]
    return MeasuredRecall(
        False,
        wanted,
        FoundShare.of(recalls) if recalls else None,
        {origin: FoundShare.of(each) for origin, each in asked.recalls.items() if each},
        ef,
        needed,
        _dimension(asked.dimensions),
        _reach(kind.walked(vectors)),
        whole,
    )


class _Asked(NamedTuple):
    recalls: dict[str, list[float]]
    dimensions: list[float]
    answered: list[Answered]
    whole: bool


def _asked(vectors: AnyVectors, questions: Sequence[Question], until: float) -> _Asked:
    """Ask what there is time for, at least one."""
    found = _Asked({}, [], [], True)
    for origin, one in questions:
        check_stop()
        if found.recalls and monotonic() > until:
            return found._replace(whole=False)
        planned = one.planned().merged
        closest = one.exact(max(one.request.k, NEIGHBOURS))
        exact = closest.merged.cut(0, one.request.k)
        share = share_found(planned, exact, estimated=one.request.rescore is False)
        if share is None:
            continue
        found.recalls.setdefault(origin, []).append(share)
        found.answered.append(Answered(one, exact))
        dimension = _dimension_at(vectors, closest)
        if dimension is not None:
            found.dimensions.append(dimension)
    return found


def _dimension_at(vectors: AnyVectors, closest: Closest) -> float | None:
    """Return the dimension at a query; estimates of distances tell none."""
    config = vectors.config
    if not isinstance(config, VectorConfig) or closest.stats.versions:
        return None
    return local_dimension(closest.merged.distances, config.distance)


def _dimension(each: Sequence[float]) -> Dimension | None:
    return Dimension(float(np.mean(each)), float(np.median(each))) if each else None


def _reach(searchers: Sequence[Searcher]) -> GraphReach | None:
    """Count what the graphs of segments do not lead to, None without a graph."""
    if not searchers:
        return None
    return GraphReach(sum(one.n for one in searchers), sum(one.unreached() for one in searchers))
