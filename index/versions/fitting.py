"""Fits adapters on points that hold two versions, or on pairs a caller gives, beside the writer.

An adapter fitted on points, without options but the kind and the most pairs to use, is fitted again
once there are twice as many, up to that most. Those back to versions that were active before
(``reversing``) are fitted without being asked for. One that was to be of the best kind is answered
for by the kinds that are fitted quickly; the dearer ones are tried in the background, and replace
it if they are better. After a restart that goes on where points are its pairs; pairs that a caller
gave are gone then. Callers come before background work, which gives way and begins again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from palimpsest.index.adapters.fit_request import (
    AdapterInfo,
    FitRequest,
    Improving,
    Running,
    check_request,
    shown_damaged,
    shown_fitted,
    shown_running,
)
from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.adapters.kinds import FitCancelled
from palimpsest.index.config.collection import CollectionConfig
from palimpsest.index.config.versions import check_embedded
from palimpsest.index.errors import (
    InvalidPairs,
    NotFound,
    StorageError,
    StoreFailed,
    UnknownVectorName,
    VersionConflict,
)
from palimpsest.index.read.points import PointReader
from palimpsest.index.storage.directory import Directory
from palimpsest.index.types import JobKind
from palimpsest.index.versions.drawn_pairs import Ends, Pairing
from palimpsest.index.versions.lifecycle import ends_of, put_fitted
from palimpsest.index.versions.making import Making
from palimpsest.index.versions.reversing import Reversing
from palimpsest.index.versions.warming import Warming
from palimpsest.index.write.jobs import Job, Jobs
from palimpsest.index.write.writer import Writer

_log = logging.getLogger(__name__)
_GROWTH = 2  # times the pairs, after which an adapter is fitted again


class Fitting:
    """The adapters of one collection; used by any thread, one fit at a time."""

    def __init__(self, folder: Directory, writer: Writer, points: PointReader, jobs: Jobs) -> None:
        self._folder = folder
        self._writer, self._jobs = writer, jobs
        self._pairing = Pairing(writer, points)
        self._making = Making(writer, self._pairing)
        # One fit at a time: each takes all cores of a matrix product, and the memory of its pairs.
        self._turn = threading.Lock()
        self._asked: list[Running] = []  # by callers: waiting or under way
        self._again: list[Running] = []  # what background work fits again
        self._improving: dict[Ends, Running] = {}
        self._given: dict[Ends, tuple[Fitted, FitRequest]] = {}  # of adapters with untried kinds
        self._held: dict[Ends, int] = {}  # points with both versions at the last fit
        self._stopped = threading.Event()
        self.warming = Warming(writer, self._stopped.is_set)
        self.reversing = Reversing(writer)

    def stop(self) -> None:
        """End fits under way soon; nothing comes of them."""
        self._stopped.set()

    def fit(self, request: FitRequest) -> AdapterInfo:
        """Fit an adapter, measure it, and search with it from now on; after other fits.

        Raises:
            UnknownVectorName, VersionNotFound: a name is not declared.
            InvalidConfig: the kind or an option does not serve these versions.
            InvalidPairs: there are too few pairs, or they determine no map.
            VersionConflict: one of the versions was dropped meanwhile.
            StorageFull: there is no room for the adapter.
            StoreFailed: the collection is being closed.
        """
        config = self._writer.config
        ends = ends_of(config, request.vector, request.rows, request.queries)
        check_embedded(config, request.vector, request.rows, request.queries)
        check_request(request)
        running = Running(request)
        # Before its turn comes: work in the background sees that a caller waits, and gives way.
        self._asked.append(running)
        try:
            with self._job("fit", running) as job, self._turn:
                fitted = self._fit(
                    request, ends, running, lambda: self._stopped.is_set() or job.cancelled
                )
        except FitCancelled:
            if job.cancelled:
                raise VersionConflict(
                    "The fit was cancelled, as was asked: nothing is kept of it"
                ) from None
            raise StoreFailed("The fit was ended, for the collection is being closed") from None
        finally:
            self._asked.remove(running)
        return shown_fitted(request.vector, request.rows, request.queries, fitted)

    def _fit(
        self, request: FitRequest, ends: Ends, running: Running, cancelled: Callable[[], bool]
    ) -> Fitted:
        if cancelled():
            raise FitCancelled
        # Before pairs are read: points that come meanwhile count as new, and let it be fitted
        # again.
        there = self._pairing.count(ends)
        fitted = self._making.fitted(request, ends, running, cancelled)
        running.stage = "preparing rows"  # which the first search would wait for
        self.warming.prepare(fitted, ends)
        running.stage = "storing"
        put_fitted(self._writer, self._folder, ends, fitted)
        self._held[ends] = there
        self._given.pop(ends, None)
        if fitted.untried:
            # Pairs that a caller gave are kept in memory alone, for as long as dearer kinds may be
            # tried on them.
            self._given[ends] = fitted, request
        return fitted

    def _job(self, kind: JobKind, running: Running) -> Job:
        one = running.request
        what = f"fitting an adapter of {one.vector!r} from queries of {one.queries} to {one.rows}"
        return self._jobs.begin(kind, what, progress=lambda: running.progress)

    def judged(self, ends: Ends, fitted: Fitted, found: Mapping[str, Any]) -> None:
        """Keep what judged queries told of an adapter, and give it their verdict.

        It stays with the two versions when the adapter is fitted again. Nothing is kept of one that
        was dropped or replaced meanwhile, or where there is no room.
        """
        told = fitted.changed(
            report={
                **fitted.report,
                "judged": dict(found),
                "assumes": None,
                "verdict": found["verdict"],
                "more_queries": found["more_queries"],
                "reasons": list(found["reasons"]),
            }
        )
        try:
            put_fitted(self._writer, self._folder, ends, told, instead_of=fitted)
        except (NotFound, StorageError, VersionConflict) as error:
            _log.warning("The verdict of judged queries was not kept: %s", error)
            return
        made, request = self._given.get(ends, (None, None))
        if made is fitted and request is not None:
            self._given[ends] = told, request

    def adapters(self, config: CollectionConfig) -> list[AdapterInfo]:
        """Return all adapters, and those being fitted."""
        own = config.version_columns
        found = [
            shown_fitted(
                own[rows].vector,
                own[rows].version,
                own[queries].version,
                fitted,
                self._shown_improving((rows, queries)),
            )
            for (rows, queries), fitted in self._writer.fitted.items()
            if rows in own and queries in own
        ]
        damaged = [
            shown_damaged(own[rows].vector, own[rows].version, own[queries].version, why)
            for (rows, queries), why in self._writer.damaged.items()
            if rows in own and queries in own and (rows, queries) not in self._writer.fitted
        ]
        running = [*self._asked, *self._again]
        asked = [(r.request.vector, r.request.rows, r.request.queries) for r in running]
        waiting = [
            Running(one.request)
            for one in self.reversing.possible()
            if (one.request.vector, one.request.rows, one.request.queries) not in asked
            and one.ends not in self._writer.damaged  # shown as such
        ]
        return found + damaged + [shown_running(one) for one in (*running, *waiting)]

    def _shown_improving(self, ends: Ends) -> Improving | None:
        running = self._improving.get(ends)
        return None if running is None else Improving(running.progress, running.stage)

    # What background work does.

    def due(self) -> FitRequest | None:
        """Return a fit to make: again, as the points that hold both versions have doubled, or anew.

        See ``reversing`` for the latter.
        """
        if self._asked:
            return None
        view, fits = self._writer.view, self._writer.fitted
        config = view.config
        own = config.version_columns
        for (rows, queries), fitted in fits.items():
            used = fitted.pairs + fitted.held_out
            if (
                not fitted.from_points
                or used >= fitted.max_pairs
                or not {rows, queries} <= own.keys()  # declared since the view was taken
            ):
                continue
            used = max(used, self._held.get((rows, queries), 0))  # zero vectors are no pairs
            held = [view.vectors[column].held for column in (rows, queries)]
            if held[0].intersection_cardinality(held[1]) >= _GROWTH * used:
                return self._repeated((rows, queries), fitted)
        return next((one.request for one in self.reversing.possible()), None)

    def fit_again(self) -> None:
        """Fit what is due, unless a caller's fit is under way, and give way to one."""
        request = self.due()
        # Not waiting: its thread has other upkeep to do, and asks again.
        if request is None or not self._turn.acquire(blocking=False):
            return
        running = Running(request)
        self._again.append(running)
        try:
            ends = ends_of(self._writer.config, request.vector, request.rows, request.queries)
            with self._job("refit", running):
                self._fit(request, ends, running, self._gives_way)
        except (FitCancelled, NotFound, UnknownVectorName, VersionConflict):
            pass  # a caller comes first, the collection is closed, or a version was dropped
        except InvalidPairs:
            if ends in self._writer.fitted:
                raise
            self.reversing.failed(ends, self._pairing.count(ends))
        finally:
            self._again.remove(running)
            self._turn.release()

    def _gives_way(self) -> bool:
        return self._stopped.is_set() or bool(self._asked)

    @property
    def busy(self) -> bool:
        """Whether other fits come before the trial of dearer kinds."""
        return bool(self._asked or self._again)

    def improvable(self) -> Ends | None:
        """Return the ends of an adapter whose dearer kinds can be tried, None without one."""
        for ends, (made, _) in self._given.copy().items():
            if self._writer.fitted.get(ends) is not made:  # replaced, or dropped
                self._given.pop(ends, None)
        config = self._writer.config
        own = config.version_columns
        return next(
            (
                ends
                for ends, fitted in self._writer.fitted.items()
                if fitted.untried and own.keys() >= {*ends} and self._request_of(ends, fitted)
            ),
            None,
        )

    def improve(self) -> None:
        """Try the dearer kinds of one adapter; the best replaces it if it is better."""
        ends = self.improvable()
        fitted = None if ends is None else self._writer.fitted.get(ends)
        if ends is None or fitted is None or not self._turn.acquire(blocking=False):
            return
        try:
            self._improve(ends, fitted)
        except (FitCancelled, NotFound, UnknownVectorName, VersionConflict):
            pass  # a caller comes first, the collection is closed, or it was dropped or replaced
        except InvalidPairs:  # too few of its points are left; a fit on more tries again
            told = fitted.changed(untried=())
            with suppress(VersionConflict):
                put_fitted(self._writer, self._folder, ends, told, instead_of=fitted)
        finally:
            self._improving.pop(ends, None)
            self._turn.release()

    def _improve(self, ends: Ends, fitted: Fitted) -> None:
        request = self._request_of(ends, fitted)
        if request is None:
            return
        running = self._improving[ends] = Running(request, "waiting")

        def cancelled() -> bool:
            # What is tried is only worth something in place of the very adapter it is compared
            # with.
            return self._gives_way() or self._writer.fitted.get(ends) is not fitted

        better = self._making.improved(fitted, request, ends, running, cancelled)
        if cancelled():
            return
        self.warming.prepare(better, ends)
        put_fitted(self._writer, self._folder, ends, better, instead_of=fitted)
        self._given.pop(ends, None)

    def _request_of(self, ends: Ends, fitted: Fitted) -> FitRequest | None:
        """Return what makes an adapter again; None where its pairs are gone since a restart."""
        made, request = self._given.get(ends, (None, None))
        if made is fitted:
            return request
        return self._repeated(ends, fitted) if fitted.from_points else None

    def _repeated(self, ends: Ends, fitted: Fitted) -> FitRequest | None:
        """Return what fits an adapter again; None where one of its versions was just dropped."""
        config = self._writer.config
        own = config.version_columns
        if not own.keys() >= {*ends}:
            return None
        rows, queries = (own[number] for number in ends)
        kind: Any = fitted.asked
        return FitRequest(
            rows.version, queries.version, rows.vector, kind, max_pairs=fitted.max_pairs
        )
