"""Fits adapters on points that hold two versions, or on pairs a caller gives, beside the writer.

An adapter fitted on points, without options but the kind and the most pairs to use, is fitted again
once there are twice as many, up to that most.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from index.bridging import factors_of
from index.collection_config import CollectionConfig
from index.config import VectorConfig
from index.errors import StoreFailed, VersionConflict
from index.pairing import Ends, Pairing, checked_pairs
from index.points import PointReader
from index.upgrading import ends_of, put_fitted
from index.versions.adapters import (
    Adapter,
    FitCancelled,
    FitOptions,
    Pairs,
    Watch,
    fit,
    fit_best,
)
from index.versions.fit_request import (
    AdapterInfo,
    FitRequest,
    Running,
    check_request,
    is_repeatable,
    shown_damaged,
    shown_fitted,
    shown_running,
)
from index.versions.fitted import Fitted
from index.versions.merging import FEWEST, Merge, choose_merge, unmeasured
from index.versions.registry import check_embedded, is_newer, space_of, version_of
from index.versions.report import report
from index.view import VectorView
from index.writer import Writer

_GROWTH = 2  # times the pairs, after which an adapter is fitted again
_SEED = 0


class Fitting:
    """The adapters of one collection; used by any thread, one fit at a time."""

    def __init__(self, folder: Path, writer: Writer, points: PointReader) -> None:
        self._folder = folder
        self._writer = writer
        self._pairing = Pairing(writer, points)
        self._turn = threading.Lock()
        self._running: dict[Ends, Running] = {}
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End fits under way soon; nothing comes of them."""
        self._stopped.set()

    def fit(self, request: FitRequest) -> AdapterInfo:
        """Fit an adapter, measure it, and search with it from now on.

        Raises:
            UnknownVectorName, VersionNotFound: a name is not declared.
            InvalidConfig: the kind or an option does not serve these versions.
            InvalidPairs: there are too few pairs, or they determine no map.
            VersionConflict: the same adapter is being fitted, or one of the versions was dropped
                meanwhile.
            StorageFull: there is no room for the adapter.
            StoreFailed: the collection is being closed.
        """
        config = self._writer.config
        ends = ends_of(config, request.vector, request.rows, request.queries)
        check_embedded(config, request.vector, request.rows, request.queries)
        check_request(request)
        running = Running(request)
        if self._running.setdefault(ends, running) is not running:
            raise VersionConflict(
                f"An adapter from {request.rows!r} to {request.queries!r} is being fitted: wait "
                "for it (GET adapters shows how far it is)"
            )
        try:
            with self._turn:
                fitted = self._fit(request, ends, running)
                running.stage = "preparing rows"  # which the first search would wait for
                self._prepare(fitted, ends)
                running.stage = "storing"
                put_fitted(self._writer, self._folder, ends, fitted)
        except FitCancelled:
            raise StoreFailed("The fit was ended, for the collection is being closed") from None
        finally:
            del self._running[ends]
        return shown_fitted(request.vector, request.rows, request.queries, fitted)

    def adapters(self, config: CollectionConfig) -> list[AdapterInfo]:
        """Return all adapters, and those being fitted."""
        own = {config.number(config.column_of(one)): one for one in config.versions}
        found = [
            shown_fitted(own[rows].vector, own[rows].version, own[queries].version, fitted)
            for (rows, queries), fitted in self._writer.fitted.items()
            if rows in own and queries in own
        ]
        damaged = [
            shown_damaged(own[rows].vector, own[rows].version, own[queries].version, why)
            for (rows, queries), why in self._writer.damaged.items()
            if rows in own and queries in own and (rows, queries) not in self._writer.fitted
        ]
        return found + damaged + [shown_running(one) for one in self._running.copy().values()]

    # What background work does.

    def due(self) -> FitRequest | None:
        """Return a fit to make again: the points that hold both versions have doubled."""
        view, fits = self._writer.view, self._writer.fitted
        config = view.config
        own = {config.number(config.column_of(one)): one for one in config.versions}
        for (rows, queries), fitted in fits.items():
            used = fitted.pairs + fitted.held_out
            if (
                not fitted.from_points
                or used >= fitted.max_pairs
                or (rows, queries) in self._running
                or not {rows, queries} <= own.keys()  # declared since the view was taken
            ):
                continue
            held = [view.vectors[config.column_of(own[number])].held for number in (rows, queries)]
            if held[0].intersection_cardinality(held[1]) >= _GROWTH * used:
                kind: Any = fitted.asked
                return FitRequest(
                    own[rows].version,
                    own[queries].version,
                    own[rows].vector,
                    kind,
                    max_pairs=fitted.max_pairs,
                )
        return None

    def unwarmed(self) -> bool:
        """Tell whether sealed rows lack factors, which the next search would wait for."""
        return next(self._unwarmed(), None) is not None

    def warm(self) -> None:
        """Compute the factors of sealed rows that lack them; forget those of rows that are gone."""
        for work in self._unwarmed():
            if self._stopped.is_set():
                return
            work()
        for fitted, vectors in self._rows():
            keys = {part.segment.name for part in vectors.sealed}
            growing = {int(part.columns.slots[0]) for part in vectors.growing if part.n}
            for factors in fitted.of_rows:
                factors.keep(keys | growing)

    def _prepare(self, fitted: Fitted, ends: Ends) -> None:
        vectors = self._writer.view.numbered(ends[0])
        for part in () if vectors is None else vectors.sealed:
            if fitted.adapter.scales_rows and not self._stopped.is_set():
                factors_of(fitted.factors, part)

    def _rows(self) -> Iterator[tuple[Fitted, VectorView]]:
        """Yield the adapters, and the vectors that each leads to."""
        fits, view = self._writer.fitted, self._writer.view
        for (rows, _), fitted in fits.items():
            vectors = view.numbered(rows)
            if vectors is not None:
                yield fitted, vectors

    def _unwarmed(self) -> Iterator[Callable[[], object]]:
        for fitted, vectors in self._rows():
            for part in vectors.sealed:
                for factors in fitted.of_rows:
                    if not factors.has(part.segment.name, part.n):
                        yield partial(factors_of, factors, part)

    # One fit.

    def _fit(self, request: FitRequest, ends: Ends, running: Running) -> Fitted:
        config = self._writer.config
        rows, queries = (
            space_of(config, version_of(config, request.vector, version))
            for version in (request.rows, request.queries)
        )
        running.stage = "gathering pairs"
        fit_part, held = self._pairing.draw(request, ends, rows, queries)
        running.pairs, running.held_out = len(fit_part.rows), len(held.rows)
        running.stage = "fitting"
        adapter, kinds = self._adapter(request, fit_part, held, rows, queries, running)
        running.stage, running.progress = "measuring", 0.9
        measured, merge = self._measured(request, adapter, held, config)
        return Fitted(
            adapter=adapter,
            merge=merge,
            asked=request.kind,
            from_points=is_repeatable(request),
            max_pairs=request.max_pairs,
            pairs=len(fit_part.rows),
            held_out=len(held.rows),
            fitted_at=time.time(),
            report={**measured, "kinds": kinds},
        )

    def _measured(
        self, request: FitRequest, adapter: Adapter, held: Pairs, config: CollectionConfig
    ) -> tuple[dict[str, Any], Merge]:
        """Return the report of an adapter, and the merge that serves it best."""
        rows, queries = (
            space_of(config, version_of(config, request.vector, version))
            for version in (request.rows, request.queries)
        )
        query_pairs = checked_pairs(request.query_pairs, rows, queries, "query_pairs")
        merge = unmeasured(adapter, rows.distance, queries.distance)
        merges: list[dict[str, Any]] = []
        if len(held.rows) >= FEWEST:
            merge, merges = choose_merge(
                held, adapter, rows.distance, queries.distance, query_pairs=query_pairs, seed=_SEED
            )
        found = report(
            adapter,
            held,
            query_pairs=query_pairs,
            rows_distance=rows.distance,
            queries_distance=queries.distance,
            points=self._points_of(request),
            merge=merge,
            newer=is_newer(config, request.vector, request.queries, request.rows),
            seed=_SEED,
        )
        return {**found, "merge": merge.method, "merges": merges}, merge

    def _adapter(
        self,
        request: FitRequest,
        fit_part: Pairs,
        held: Pairs,
        rows: VectorConfig,
        queries: VectorConfig,
        running: Running,
    ) -> tuple[Adapter, list[dict[str, Any]]]:
        def progress(share: float) -> None:
            running.progress = 0.9 * share

        watch = Watch(progress, self._stopped.is_set)
        options = FitOptions(
            shrinkage=request.shrinkage,
            rank=request.rank,
            matrix=request.matrix,
            anchors=checked_pairs(request.anchors, rows, queries, "anchors"),
            query_pairs=checked_pairs(request.query_pairs, rows, queries, "query_pairs"),
            seed=_SEED,
        )
        distances = rows.distance, queries.distance
        if request.kind == "auto":
            adapter, table = fit_best(fit_part, held, *distances, options, watch)
            return adapter, [one.to_json() for one in table]
        return fit(request.kind, fit_part, *distances, options, watch), []

    def _points_of(self, request: FitRequest) -> int:
        view = self._writer.view
        column = view.config.column_of(version_of(view.config, request.vector, request.rows))
        return view.vectors[column].live
