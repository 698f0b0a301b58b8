"""Makes one adapter: draws pairs, fits, measures, and chooses the merge.

Nothing is stored or searched with here. Asked for ``auto``, it tries the kinds that are fitted in a
second or two, and says which dearer ones are left to try; ``improved`` tries those.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from palimpsest.index.adapters.choosing import DEAR, QUICK, improved, serving
from palimpsest.index.adapters.comparable import (
    FEWEST,
    UNFITTED,
    Merge,
    choose_merge,
    unmeasured,
)
from palimpsest.index.adapters.estimating import ScoreMap, learn_score_map
from palimpsest.index.adapters.fit_request import FitRequest, Running, is_repeatable
from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.adapters.kinds import Adapter, FitOptions, Kind, Watch, fit, fit_best
from palimpsest.index.adapters.report import report
from palimpsest.index.config.collection import SpaceConfig
from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.config.versions import is_newer, space_of, version_of
from palimpsest.index.versions.drawn_pairs import Drawn, Ends, Pairing, checked_pairs
from palimpsest.index.versions.drawn_sets import candidates_of, over_of, require_mapping
from palimpsest.index.write.writer import Writer

_SEED = 0
_FITTING = 0.9  # of the time that making one takes


class Making:
    """Makes the adapters of one collection; used by any thread, keeps nothing."""

    def __init__(self, writer: Writer, pairing: Pairing) -> None:
        self._writer = writer
        self._pairing = pairing

    def fitted(
        self, request: FitRequest, ends: Ends, running: Running, cancelled: Callable[[], bool]
    ) -> Fitted:
        """Return an adapter with its report.

        Args:
            request: what is asked for.
            ends: the columns of the rows and of the queries.
            running: is told how far it is.
            cancelled: is asked in between.

        Raises:
            InvalidConfig, InvalidPairs, VersionConflict: as ``Fitting.fit``.
            FitCancelled: ``cancelled`` said so.
        """
        rows, queries = self._spaces(request)
        watch = _watch(running, cancelled)
        drawn = self._draw(request, ends, running)
        running.stage = "fitting"
        distances, options = (rows.distance, queries.distance), _options(request, rows, queries)
        kinds: list[dict[str, Any]] = []
        untried: tuple[Kind, ...] = ()
        over = over_of(rows, queries)
        if request.kind == "auto":
            quick, dear = (candidates_of(over, some, rows, queries) for some in (QUICK, DEAR))
            adapter, table = fit_best(
                drawn.fit_part, drawn.held, *distances, options, watch, quick, drawn.sets
            )
            kinds = [one.to_json() for one in table]
            untried = tuple(serving(dear, drawn.fit_part, *distances))
        else:
            adapter = fit(request.kind, drawn.fit_part, *distances, options, watch)
            require_mapping(over, adapter)
        return self._whole(request, ends, adapter, drawn, kinds, untried, running)

    def improved(
        self,
        before: Fitted,
        request: FitRequest,
        ends: Ends,
        running: Running,
        cancelled: Callable[[], bool],
    ) -> Fitted:
        """Return an adapter of one of the untried kinds, or the one before where none is better.

        Args:
            before: fitted by the request, or by one like it.
            request: what made it.
            ends: the columns of the rows and of the queries.
            running: is told how far it is.
            cancelled: is asked in between.

        Raises:
            InvalidPairs, VersionConflict, FitCancelled: as ``fitted``.
        """
        rows, queries = self._spaces(request)
        watch = _watch(running, cancelled)
        drawn = self._draw(request, ends, running)
        running.stage = f"trying {', '.join(before.untried)}"
        distances, options = (rows.distance, queries.distance), _options(request, rows, queries)
        adapter, table = improved(
            before.adapter,
            before.untried,
            drawn.fit_part,
            drawn.held,
            distances,
            options,
            watch,
            drawn.sets,
        )
        kinds = [*before.report.get("kinds", ()), *(one.to_json() for one in table[1:])]
        if adapter is before.adapter:
            return before.changed(report={**before.report, "kinds": kinds}, untried=())
        return self._whole(request, ends, adapter, drawn, kinds, (), running)

    def _spaces(self, request: FitRequest) -> tuple[SpaceConfig, SpaceConfig]:
        config = self._writer.config
        rows, queries = (
            space_of(config, version_of(config, request.vector, version))
            for version in (request.rows, request.queries)
        )
        return rows, queries

    def _draw(self, request: FitRequest, ends: Ends, running: Running) -> Drawn:
        running.stage = "gathering pairs"
        drawn = self._pairing.draw(request, ends, *self._spaces(request))
        running.pairs, running.held_out = _pairs_of(drawn), len(drawn.held.rows)
        return drawn

    def _whole(
        self,
        request: FitRequest,
        ends: Ends,
        adapter: Adapter,
        drawn: Drawn,
        kinds: list[dict[str, Any]],
        untried: tuple[Kind, ...],
        running: Running,
    ) -> Fitted:
        running.stage, running.progress = "measuring", _FITTING
        rows, queries = self._spaces(request)
        score_map = learn_score_map(
            adapter,
            drawn.held,
            drawn.fit_part,
            rows.distance,
            queries.distance,
            checked_pairs(request.query_pairs, rows, queries, "query_pairs"),
            drawn.sets,
        )
        measured, merge = self._measured(request, adapter, drawn, score_map, ends)
        return Fitted(
            adapter=adapter,
            merge=merge,
            asked=request.kind,
            from_points=is_repeatable(request),
            max_pairs=request.max_pairs,
            pairs=_pairs_of(drawn),
            held_out=len(drawn.held.rows),
            fitted_at=time.time(),
            report={**measured, "kinds": kinds},
            untried=untried,
            points=drawn.points,
            score_map=score_map,
            over=over_of(rows, queries),
            rows_distance=rows.distance,
        )

    def _measured(
        self,
        request: FitRequest,
        adapter: Adapter,
        drawn: Drawn,
        score_map: ScoreMap | None,
        ends: Ends,
    ) -> tuple[dict[str, Any], Merge]:
        """Return the report of an adapter, and the merge that serves it best."""
        config, held = self._writer.config, drawn.held
        rows, queries = self._spaces(request)
        query_pairs = checked_pairs(request.query_pairs, rows, queries, "query_pairs")
        merge = _unmeasured(adapter, rows, queries, score_map)
        merges: list[dict[str, Any]] = []
        if len(held.rows) >= FEWEST:
            merge, merges = choose_merge(
                held,
                adapter,
                rows.distance,
                queries.distance,
                query_pairs=query_pairs,
                score_map=score_map,
                sets=drawn.sets,
                plain=merge,
                seed=_SEED,
            )
        found = report(
            adapter,
            held,
            query_pairs=query_pairs,
            rows_distance=rows.distance,
            queries_distance=queries.distance,
            points=self._points_of(request),
            merge=merge,
            score_map=score_map,
            newer=is_newer(config, request.vector, request.queries, request.rows),
            known=self._judged(ends),
            sets=drawn.sets,
            seed=_SEED,
        )
        return {**found, "merge": merge.method, "merges": merges}, merge

    def _judged(self, ends: Ends) -> Mapping[str, Any] | None:
        """Return what judged queries told of the two versions, by an adapter before."""
        before = self._writer.fitted.get(ends)
        return None if before is None else before.report.get("judged")

    def _points_of(self, request: FitRequest) -> int:
        view = self._writer.view
        column = view.config.column_of(version_of(view.config, request.vector, request.rows))
        return view.vectors[column].live


def _pairs_of(drawn: Drawn) -> int:
    """Return how many points are fitted on, or pairs that a caller gave."""
    return len(drawn.fit_part.rows if drawn.points is None else drawn.points)


def _unmeasured(
    adapter: Adapter, rows: SpaceConfig, queries: SpaceConfig, score_map: ScoreMap | None
) -> Merge:
    """Return the merge that stands where what was held out tells nothing.

    Sets of a question's few tokens score at other levels than those of the points that ask on
    trial, the more so the less a question is like a document. On Cranfield, upgraded from single
    vectors of MiniLM, nDCG@10 at 25 and 50 % is .422 and .447 by raw scores, .453 and .468 by
    matched ones, .454 and .463 by rank.
    """
    over = over_of(rows, queries)
    if over == "means of queries" and score_map is None:
        return UNFITTED  # scores of single vectors are no MaxSim, whatever both are compared by
    if isinstance(queries, MultiConfig) and adapter.kind not in ("identity", "prefix"):
        return Merge("matched")
    return unmeasured(adapter, rows.distance, queries.distance)


def _watch(running: Running, cancelled: Callable[[], bool]) -> Watch:
    def progress(share: float) -> None:
        running.progress = _FITTING * share

    return Watch(progress, cancelled)


def _options(request: FitRequest, rows: SpaceConfig, queries: SpaceConfig) -> FitOptions:
    return FitOptions(
        shrinkage=request.shrinkage,
        rank=request.rank,
        matrix=request.matrix,
        anchors=checked_pairs(request.anchors, rows, queries, "anchors"),
        query_pairs=checked_pairs(request.query_pairs, rows, queries, "query_pairs"),
        seed=_SEED,
    )
