"""Maps the rows of an old version into the space of a new one, once and for all.

The mapped rows are a version of their own, ``{rows}-in-{queries}``: never counted as the new
version's, searched natively by its queries for points that hold no vector of it, and useless for
any other. So the old version can be dropped without leaving points that nothing finds. Mapped
quality is that of the adapter, not of the model (algorithms 4.3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.adapters.map_queries import PrefixAdapter
from palimpsest.index.config.collection import AT, VersionConfig
from palimpsest.index.config.versions import (
    check_columns,
    check_embedded,
    space_of,
    version_of,
    with_version,
)
from palimpsest.index.encoding.normalise import rounded, with_lengths
from palimpsest.index.errors import (
    AdapterNotFound,
    InvalidConfig,
    StoreFailed,
    VersionConflict,
)
from palimpsest.index.filters.bitmaps import from_numbers, to_numbers
from palimpsest.index.kinds.registry import kind_of
from palimpsest.index.read.points import PointReader
from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.ids import keys_of, pack_ids
from palimpsest.index.types import Numbers, Vectors
from palimpsest.index.versions.lifecycle import ends_of, put_fitted
from palimpsest.index.view.dense import dense_of, vectors_of
from palimpsest.index.write.batch import Column, VectorUpdate
from palimpsest.index.write.declaring import put_config
from palimpsest.index.write.jobs import Jobs
from palimpsest.index.write.writer import Writer

_POINTS = 1_024  # mapped by one job of the writer, which other writes wait for


def mapped_name(rows: str, queries: str) -> str:
    """Return the name of the version that holds mapped rows."""
    return f"{rows}-in-{queries}"


class Consolidation:
    """One mapping of one version's rows; begun again it goes on where it stopped.

    Mapped rows that were retired are searched again.
    """

    def __init__(
        self,
        writer: Writer,
        points: PointReader,
        adapters: Directory,
        vector: str,
        ends: tuple[str, str],
        jobs: Jobs,
        rest: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare it; ``ends`` are the versions of the rows and of the queries.

        ``rest`` is called between two writes, and returns when the next one may come.

        Raises:
            UnknownVectorName, VersionNotFound: a name is not declared.
            InvalidConfig: the rows of one of them are mapped ones, or sets.
            AdapterNotFound: no adapter leads from one to the other.
        """
        self._writer = writer
        self._points = points
        self._adapters = adapters
        self._vector = vector
        self._rows, self._queries = ends
        self._rest, self._jobs = rest, jobs
        config = writer.config
        fitted = writer.fitted.get(ends_of(config, vector, *ends))
        check_embedded(config, vector, *ends)
        if fitted is None:
            raise AdapterNotFound(vector, *ends)
        if fitted.over != "vectors":
            raise InvalidConfig(
                f"Versions {self._rows!r} and {self._queries!r} of {vector!r}: sets of vectors are "
                "found over an adapter and cannot be mapped into another version; embed the points "
                f"for {self._queries!r} instead"
            )
        self._fitted = fitted

    def run(self, progress: Callable[[float], None]) -> int:
        """Map all points that hold only the old version; return how many that were.

        Args:
            progress: called with the share done, 0 to 1.

        Raises:
            VersionConflict: the name of the mapped version is taken, one of the versions was
                dropped meanwhile, or the job was cancelled.
            VersionNotFound: one was, while rows were mapped; begin again once it is declared.
            StorageFull: there is no room; what was mapped stays.
        """
        what = f"mapping rows of {self._rows} of {self._vector!r} into {self._queries}"
        with self._jobs.begin("consolidate", what) as job:
            self._declare()
            done = 0
            while some := self._writer.call(self._map_some).result():
                mapped, left = some
                done += mapped
                job.note(done / (done + left))
                progress(done / (done + left))
                if job.cancelled:
                    raise VersionConflict(
                        "Mapping was cancelled, as was asked: what was mapped stays, and mapping "
                        "goes on from there when it is begun again"
                    )
                self._rest()
            return done

    def _declare(self) -> None:
        """Declare the version of the mapped rows and the way to it."""
        self._writer.call(self._put_version).result()
        ends = mapped_name(self._rows, self._queries), self._queries
        columns = ends_of(self._writer.config, self._vector, *ends)
        config = self._writer.config
        space = space_of(config, version_of(config, self._vector, self._queries))
        fitted = Fitted(
            adapter=PrefixAdapter(
                "identity", space.distance, space.distance, space.size, space.size
            ),
            merge=self._fitted.merge,
            asked="identity",
            from_points=False,
            max_pairs=self._fitted.max_pairs,
            pairs=self._fitted.pairs,
            held_out=self._fitted.held_out,
            fitted_at=self._fitted.fitted_at,
            report=self._fitted.report,
        )
        put_fitted(self._writer, self._adapters, columns, fitted)

    def _put_version(self) -> None:
        config, name = self._writer.config, mapped_name(self._rows, self._queries)
        queries = version_of(config, self._vector, self._queries)
        version_of(config, self._vector, self._rows)
        mapped = (self._rows, self._queries)
        held = [one for one in config.versions_of(self._vector) if one.version == name]
        if held:
            if held[0].mapped != mapped:
                raise VersionConflict(
                    f"Version {name!r} is declared for rows of its own, and mapped ones would take "
                    "that name: drop it first"
                )
            if held[0].state == "retired":
                put_config(self._writer, with_version(config, replace(held[0], state="serving")))
            return
        check_columns(config, self._vector, [name])
        new = VersionConfig(self._vector, name, "serving", None, queries.declared, mapped)
        added = config.with_column(f"{self._vector}{AT}{name}", space_of(config, queries))
        put_config(self._writer, replace(added, versions=(*config.versions, new)))

    def _map_some(self) -> tuple[int, int] | None:
        """Map some points; return how many, and how many are left. A job."""
        config, view = self._writer.config, self._writer.view
        names = [self._rows, self._queries, mapped_name(self._rows, self._queries)]
        rows, queries, mapped = (
            config.column_of(version_of(config, self._vector, name)) for name in names
        )
        left = view.vectors[rows].held - view.vectors[queries].held - view.vectors[mapped].held
        if not left:
            return None
        numbers = to_numbers(left)[:_POINTS]
        slots = self._points.slots_of(numbers, rows)
        vectors, complete = vectors_of(dense_of(view.vectors[rows]), slots)
        if not complete:  # the writer's own view is never behind the store
            self._points.require_rows(view, [rows], numbers.tolist())
            raise StoreFailed(f"Vectors of version {self._rows!r} could not be read")
        values = rounded(self._fitted.adapter.map_rows(vectors), config.dense_spaces[mapped])
        if config.dense_spaces[mapped].keeps_lengths:
            values = with_lengths(values)
        self._write(config.name_of(mapped), mapped, numbers, np.ascontiguousarray(values))
        if from_numbers(numbers) - self._writer.view.vectors[mapped].held:
            raise StoreFailed(f"Rows mapped to {self._queries!r} are not where they were put")
        return len(numbers), len(left) - len(numbers)

    def _write(self, name: str, number: int, numbers: Numbers, values: Vectors) -> None:
        ids = self._points.ids_of(numbers.tolist())
        own = [ids[one] for one in numbers.tolist()]
        kind = kind_of(self._writer.config.vectors[name])
        column = Column(name, number, np.arange(len(own)), values, kind)
        self._writer.write_now(VectorUpdate(pack_ids(own), keys_of(own), [column]))
