"""The calls of a collection about the versions of its vectors, which ``Collection`` inherits.

Each change is stored, and in force, when the call returns; what it takes stands in
``index.versions.lifecycle``, ``index.versions.fitting``, ``index.versions.backfilling``,
``index.versions.comparing`` and ``index.versions.consolidating``. A virtual collection has them
too: it answers questions, and leaves changes of what is declared to the real one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyroaring import BitMap

from palimpsest.index.adapters.compare_judged import outcome
from palimpsest.index.adapters.fit_request import AdapterInfo, FitRequest
from palimpsest.index.adapters.priorities import RANDOM_SHARE, Order
from palimpsest.index.collection_info import version_states
from palimpsest.index.config.collection import AT, VersionConfig
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.errors import InvalidInput
from palimpsest.index.read.points import PointReader
from palimpsest.index.search.across import out_of_reach
from palimpsest.index.storage.files import remove_folder
from palimpsest.index.storage.local import Local
from palimpsest.index.types import OutOfReach, PointId, SearchStats, VersionInfo
from palimpsest.index.upkeep.recover import ADAPTERS, SEGMENTS
from palimpsest.index.upkeep.upkeep import Upkeep
from palimpsest.index.versions.backfilling import Backfill, BackfillPoint, BackfillStatus
from palimpsest.index.versions.compared_lists import CompareRequest
from palimpsest.index.versions.comparing import compare
from palimpsest.index.versions.consolidating import Consolidation
from palimpsest.index.versions.fitting import Fitting
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
from palimpsest.index.write.declaring import Leftovers
from palimpsest.index.write.writer import Writer


class Versioning:
    """The versions of one collection; the attributes are set by ``Collection``."""

    name: str
    folder: Path
    version: str | None
    writer: Writer
    fitting: Fitting
    upkeep: Upkeep
    _shown: Shown
    _points: PointReader
    _backfill: Backfill

    def versions(self) -> list[VersionInfo]:
        """Return the versions of all dense vectors, in the order they were declared."""
        return version_states(self._shown.view)

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

    def declare_version(
        self,
        vector: str,
        version: str,
        space: VectorConfig,
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
        return declare_version(self.writer, new, space)

    def activate_version(
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
            self.writer,
            vector,
            version,
            force=force,
            coverage_floor=coverage,
            quality_floor=quality,
        )

    def retire_version(self, vector: str, version: str, *, force: bool = False) -> None:
        """Search a version's rows only by queries of its own. See ``index.versions.lifecycle``."""
        self._require_real()
        retire_version(self.writer, vector, version, force=force)

    def drop_version(self, vector: str, version: str, *, force: bool = False) -> None:
        """Forget a version, its rows and its adapters. See ``index.versions.lifecycle``."""
        self._require_real()
        self._remove(drop_version(self.writer, vector, version, force=force))

    def compare(self, request: CompareRequest) -> dict[str, Any]:
        """Compare two versions on given queries. See ``index.versions.comparing``.

        What judged queries tell is kept with the adapter between the two, whose report then has
        their verdict.
        """
        fitted, view = self.writer.fitted, self.writer.view  # adapters are published with a view
        found = compare(view, view.config, fitted, self._points.numbers_of, request)
        ends = ends_of(view.config, request.vector, request.old, request.new)
        if request.relevant is not None and ends in fitted:
            self.fitting.judged(ends, fitted[ends], outcome(found))
        return found

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
        return self._backfill.next(
            vector,
            version,
            limit=limit,
            order=order,
            random_share=random_share,
            with_payload=with_payload,
        )

    def backfill_status(self, vector: str, version: str) -> BackfillStatus:
        """Return how far a version's backfill is. See ``index.versions.backfilling``."""
        return self._backfill.status(vector, version)

    def consolidate(
        self, vector: str, rows: str, queries: str, progress: Callable[[float], None] | None = None
    ) -> int:
        """Map the rows of points that hold an old version only; return how many that were.

        See ``index.versions.consolidating``.
        """
        self._require_real()
        ends = rows, queries
        work = Consolidation(
            self.writer, self._points, Local(self.folder) / ADAPTERS, vector, ends, self.upkeep.rest
        )
        return work.run(progress or (lambda _: None))

    def fit_adapter(self, request: FitRequest) -> AdapterInfo:
        """Fit the adapter by which queries of one version find rows of another.

        It takes seconds. See ``index.versions.fitting``.
        """
        return self.fitting.fit(request)

    def adapters(self) -> list[AdapterInfo]:
        """Return all adapters, and those being fitted."""
        return self.fitting.adapters(self.writer.view.config)

    def unreversed(self, vector: str) -> list[Reverse]:
        """Return the ways back from the active version that too few points hold both ends of.

        The others are there, or fitted in the background.
        """
        missing = self.fitting.reversing.missing()
        return [one for one in missing if one.request.vector == vector and not one.possible]

    def drop_adapter(self, vector: str, rows: str, queries: str) -> None:
        """Forget an adapter. See ``index.versions.lifecycle``."""
        with self.fitting.reversing.leaving(ends_of(self.writer.config, vector, rows, queries)):
            drop_adapter(self.writer, Local(self.folder) / ADAPTERS, vector, rows, queries)

    def _require_real(self) -> None:
        if self.version is not None:
            whole = self.name.removesuffix(f"{AT}{self.version}")
            raise InvalidInput(
                f"{self.name!r} is version {self.version!r} of collection {whole!r}: "
                f"change the declarations of {whole!r} itself"
            )

    def _remove(self, leftovers: Leftovers) -> None:
        for column in leftovers.columns:
            self.upkeep.forget(column)
        files = Local(self.folder)
        for segment in leftovers.segments:
            remove_folder(files / SEGMENTS / segment)
        for adapter in leftovers.adapters:
            remove_folder(files / ADAPTERS / adapter)
