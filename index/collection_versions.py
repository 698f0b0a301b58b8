"""The calls of a collection about the versions of its vectors: ``Collection.versions``.

Each change is stored, and in force, when the call returns; what it takes stands in
``index.versions.lifecycle``, ``index.versions.fitting``, ``index.versions.backfilling``,
``index.versions.comparing`` and ``index.versions.consolidating``. A virtual collection has them
too: it answers questions, and leaves changes of what is declared to the real one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyroaring import BitMap

from palimpsest.index.adapters.compare_judged import outcome
from palimpsest.index.adapters.fit_request import AdapterInfo, FitRequest
from palimpsest.index.adapters.priorities import RANDOM_SHARE, Order
from palimpsest.index.collection_info import drifted, version_states
from palimpsest.index.collection_parts import CollectionParts
from palimpsest.index.config.collection import SpaceConfig, VersionConfig
from palimpsest.index.read.points import PointReader
from palimpsest.index.search.across import out_of_reach
from palimpsest.index.storage.local import Local
from palimpsest.index.types import Drift, OutOfReach, PointId, SearchStats, VersionInfo
from palimpsest.index.upkeep.recover import ADAPTERS
from palimpsest.index.versions.backfilling import BackfillPoint, BackfillStatus
from palimpsest.index.versions.chain import compare_chain
from palimpsest.index.versions.chain_request import ChainRequest
from palimpsest.index.versions.compared_lists import CompareRequest
from palimpsest.index.versions.comparing import compare
from palimpsest.index.versions.consolidating import Consolidation
from palimpsest.index.versions.lifecycle import (
    COVERAGE_FLOOR,
    QUALITY_FLOOR,
    activate_version,
    declare_version,
    drop_adapter,
    drop_version,
    ends_of,
    retire_version,
)
from palimpsest.index.versions.reversing import Reverse
from palimpsest.index.view.virtual_collection import Shown


class Versioning:
    """The versions of one collection, under the names that it or a virtual one of it has."""

    def __init__(
        self,
        parts: CollectionParts,
        shown: Shown,
        points: PointReader,
        require_real: Callable[[], None],
    ) -> None:
        """Take what the collection is made of, and what it shows.

        ``require_real`` raises InvalidInput where nothing is to be declared under the names shown.
        """
        self._parts, self._writer, self._fitting = parts, parts.writer, parts.fitting
        self._shown = shown
        self._points = points
        self._require_real = require_real

    def states(self) -> list[VersionInfo]:
        """Return the versions of all dense vectors, in the order they were declared."""
        return version_states(self._shown.view, self._parts.backfill.gained)

    def drifted(self) -> list[tuple[VersionConfig, Drift]]:
        """Return the versions whose newest rows are of another model than their first ones."""
        return drifted(self._shown.view)

    def out_of_reach(self, *, every: bool = False) -> list[OutOfReach]:
        """Return the points that queries of this collection's vector names do not reach.

        Args:
            every: by queries of other versions as well.
        """
        view = self._shown.view
        own = [view.config.number(name) for name in view.config.names]
        columns = view.bridges if every else [one for one in own if one in view.bridges]
        return [one for column in columns for one in out_of_reach(view, column)]

    def estimated(self, stats: SearchStats, ids: Sequence[PointId]) -> list[PointId]:
        """Return which hits of a search have scores that are estimates."""
        marked = BitMap.union(BitMap(), *(BitMap(some) for some in stats.estimated))
        numbers = self._points.numbers_of(ids) if marked and ids else []
        return [
            one
            for one, number in zip(ids, numbers, strict=False)
            if number is not None and number in marked
        ]

    def declare(
        self,
        vector: str,
        version: str,
        space: SpaceConfig,
        *,
        model: str | None = None,
        declared: Mapping[str, Any],
    ) -> bool:
        """Declare a further embedding model of a vector name; no search changes by it.

        Args:
            vector: its name.
            version: the name of the version.
            space: its size and distance, and how its rows are kept.
            model: a stamp of the embedding model, None for none.
            declared: the caller's description of the space, which the collection's own gives way
                to when the version is activated.

        Returns:
            False when the same version was declared before.

        Raises:
            UnknownVectorName: the vector name is not declared, or sparse.
            InvalidConfig: the version's name cannot be used.
            VersionConflict: it was declared differently.
        """
        self._require_real()
        new = VersionConfig(vector, version, "shadow", model, declared)
        return declare_version(self._writer, new, space)

    def activate(
        self,
        vector: str,
        version: str,
        *,
        force: bool = False,
        coverage_floor: float | None = None,
        quality_floor: float | None = None,
    ) -> None:
        """Make a version what the bare name means. See ``index.versions.lifecycle``."""
        self._require_real()
        coverage = COVERAGE_FLOOR if coverage_floor is None else coverage_floor
        quality = QUALITY_FLOOR if quality_floor is None else quality_floor
        activate_version(
            self._writer,
            vector,
            version,
            force=force,
            coverage_floor=coverage,
            quality_floor=quality,
        )

    def retire(self, vector: str, version: str, *, force: bool = False) -> None:
        """Search a version's rows only by queries of its own. See ``index.versions.lifecycle``."""
        self._require_real()
        retire_version(self._writer, vector, version, force=force)

    def drop(self, vector: str, version: str, *, force: bool = False) -> None:
        """Forget a version, its rows and its adapters. See ``index.versions.lifecycle``."""
        self._require_real()
        self._parts.forget(drop_version(self._writer, vector, version, force=force))

    def compare(self, request: CompareRequest) -> dict[str, Any]:
        """Compare two versions on given queries. See ``index.versions.comparing``.

        What judged queries tell is kept with the adapter between the two, whose report then has
        their verdict.
        """
        fitted, view = self._writer.fitted, self._writer.view  # adapters are published with a view
        found = compare(view, view.config, fitted, self._points.numbers_of, request)
        ends = ends_of(view.config, request.vector, request.old, request.new)
        if request.relevant is not None and ends in fitted:
            self._fitting.judged(ends, fitted[ends], outcome(found))
        return found

    def compare_chain(self, request: ChainRequest) -> dict[str, Any]:
        """Compare versions from old to new, by labels or queries. See ``index.versions.chain``."""
        fitted, view = self._writer.fitted, self._writer.view
        return compare_chain(view, fitted, self._points, request)

    def backfill(
        self,
        vector: str,
        version: str,
        *,
        limit: int,
        order: Order = "demand",
        random_share: float = RANDOM_SHARE,
        with_payload: bool = False,
    ) -> list[BackfillPoint]:
        """Return the points to embed next for a version. See ``index.versions.backfilling``."""
        return self._parts.backfill.next(
            vector,
            version,
            limit=limit,
            order=order,
            random_share=random_share,
            with_payload=with_payload,
        )

    def backfill_status(self, vector: str, version: str) -> BackfillStatus:
        """Return how far a version's backfill is. See ``index.versions.backfilling``."""
        return self._parts.backfill.status(vector, version)

    def consolidate(
        self, vector: str, rows: str, queries: str, progress: Callable[[float], None] | None = None
    ) -> int:
        """Map the rows of points that hold an old version only; return how many that were.

        See ``index.versions.consolidating``.
        """
        self._require_real()
        ends = rows, queries
        work = Consolidation(
            self._writer,
            self._points,
            Local(self._parts.folder) / ADAPTERS,
            vector,
            ends,
            self._parts.jobs,
            self._parts.upkeep.rest,
        )
        return work.run(progress or (lambda _: None))

    def fit(self, request: FitRequest) -> AdapterInfo:
        """Fit the adapter by which queries of one version find rows of another.

        It takes seconds. See ``index.versions.fitting``.
        """
        return self._fitting.fit(request)

    def adapters(self) -> list[AdapterInfo]:
        """Return all adapters, and those being fitted."""
        return self._fitting.adapters(self._writer.view.config)

    def unreversed(self, vector: str) -> list[Reverse]:
        """Return the ways back from the active version that too few points hold both ends of.

        The others are there, or fitted in the background.
        """
        missing = self._fitting.reversing.missing()
        return [one for one in missing if one.request.vector == vector and not one.possible]

    def drop_adapter(self, vector: str, rows: str, queries: str) -> None:
        """Forget an adapter. See ``index.versions.lifecycle``."""
        with self._fitting.reversing.leaving(ends_of(self._writer.config, vector, rows, queries)):
            drop_adapter(self._writer, Local(self._parts.folder) / ADAPTERS, vector, rows, queries)
