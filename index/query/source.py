"""What queries read: one consistent state of a collection, by numbers of points.

``index.read.reading.Reading`` is it; tests have a plain twin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index.config.collection import SpaceConfig
from palimpsest.index.config.kinds import ColumnConfig
from palimpsest.index.filters.expression import Filter, Path
from palimpsest.index.filters.tokens import Tokenizer
from palimpsest.index.payload.indexes import OrderColumn
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.types import (
    Distances,
    Numbers,
    PointId,
    PointVector,
    Record,
    Vectors,
    VersionedQuery,
)


class Ranked(Protocol):
    """The closest points, closest first; ties by id."""

    @property
    def numbers(self) -> Numbers:
        """The points (k,)."""
        ...

    @property
    def distances(self) -> Distances:
        """Their distances (k,), ascending."""
        ...


class Source(Protocol):
    """One state of one collection."""

    @property
    def live(self) -> BitMap:
        """The numbers of all points; not to be changed."""

    @property
    def vector_names(self) -> Mapping[str, ColumnConfig]:
        """The declared vectors by name."""

    @property
    def tokenizers(self) -> Mapping[Path, Tokenizer]:
        """How text fields cut their texts, by path."""

    def allowed(self, filter: Filter | None) -> BitMap | None:
        """Return the points that pass a filter, None for all; not to be changed."""

    def nearest(
        self, request: SearchRequest, allowed: BitMap | None, corpus: BitMap | None = None
    ) -> Ranked:
        """Return the points closest to the request's query, as the user gave it.

        Under a sparse name only points that share a dimension with the query are results, and idf
        counts the points of ``corpus``, None for all.
        """

    @property
    def estimates(self) -> int:
        """How often points were found so far whose scores are estimates, made over a bridge."""

    def forget_estimates(self, since: int) -> None:
        """Take back what was told of estimates: scores of prefetches that do not count."""

    def took(self, stage: str, seconds: float) -> None:
        """Note what a part of the query took."""

    def leading(self, name: str, query: VersionedQuery) -> SpaceConfig:
        """Return the space that a query in several versions is answered in."""

    def vectors(self, name: str, numbers: Numbers) -> tuple[Vectors, NDArray[np.bool_]]:
        """Return dense vectors (m, d) as they are searched, and which points have one."""

    def examples(self, name: str, numbers: Numbers) -> Sequence[PointVector | None]:
        """Return vectors that queries are made of, None for points without one."""

    def score(
        self,
        name: str,
        targets: Sequence[PointVector],
        allowed: BitMap | None,
        *,
        corpus: BitMap | None = None,
    ) -> Iterable[tuple[Numbers, NDArray[np.float32], bool]]:
        """Return all points with a vector, distances (E, m), whether exact, in blocks.

        Of sparse vectors they are 0 where no dimension is shared; idf counts the points of
        ``corpus``, None for all.
        """

    def rescore(
        self, name: str, targets: Vectors | Sequence[PointVector], numbers: Numbers
    ) -> NDArray[np.float32]:
        """Return the exact distances (E, m) of some points, which have a vector.

        Targets of a dense name may be one array (E, d).
        """

    def numbers_of(self, ids: Sequence[PointId]) -> list[int | None]:
        """Return the number of each id, None where there is no such point."""

    def first(self, points: BitMap, limit: int) -> Numbers:
        """Return the first ``limit`` of some points in the order of their ids."""

    def ids_of(self, numbers: Numbers) -> dict[int, PointId]:
        """Return the ids by number, of the points that exist."""

    def payloads(self, numbers: Numbers) -> list[bytes | None]:
        """Return the payload of each number, None where there is none."""

    def records(
        self, numbers: Numbers, *, with_payload: bool, with_vectors: bool | tuple[str, ...]
    ) -> list[Record | None]:
        """Return each point as the user sees it, None for one that is gone meanwhile."""

    def order_column(self, path: Path, allowed: BitMap) -> OrderColumn | None:
        """Return the values that some points are ordered by, None without a range index."""
