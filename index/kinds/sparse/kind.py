"""What the engine asks of sparse vectors: an exact inverted index, compared by dot product."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.vectors import SparseConfig
from palimpsest.index.errors import InvalidVector
from palimpsest.index.kinds.kind import Asked, Block, Compared, Kind, Likeness, Whose
from palimpsest.index.kinds.sparse.growing import SparseGrowing
from palimpsest.index.kinds.sparse.likeness import SparseLikeness
from palimpsest.index.kinds.sparse.rows import NamedSparse, SparseRows, check_sparse, checked_rows
from palimpsest.index.kinds.sparse.seal import live_sparse_rows, write_sparse
from palimpsest.index.kinds.sparse.sealed import SparseSealed, spare
from palimpsest.index.kinds.sparse.search import SparseView, score_sparse, search_sparse
from palimpsest.index.search.closest import Closest, page_of
from palimpsest.index.search.merge import merge
from palimpsest.index.search.plan import SearchRequest, page
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.segment import NumbersOf
from palimpsest.index.storage.directory import Directory
from palimpsest.index.types import PointVector, SearchStats, Slots, SparseVector
from palimpsest.index.view.view import SealedPart, View

_TIMES = 5  # of stored entries, to be sealed: sorted twice over, then written
_BASE, _PER_ROW = 20e-6, 10e-9  # rough seconds of a search, on one core


class SparseKind(Kind[SparseConfig, SparseRows, SparseGrowing, SparseSealed]):
    """Answers for sparse columns."""

    name = SparseConfig.kind
    weighs = True

    def config_of(
        self, stored: Mapping[str, Any], name: str, declared: Mapping[str, Any]
    ) -> SparseConfig:
        """Return a stored config."""
        return SparseConfig(stored["modifier"])

    def check(self, given: NamedSparse, whose: Whose, config: SparseConfig) -> SparseRows:
        """Return rows with ascending indices."""
        positions, name = given.positions, whose.name
        if len(given.rows) != len(positions):
            raise InvalidVector(
                f"Vectors of {name!r}: expected {len(positions)} sparse rows, got {len(given.rows)}"
            )
        rows = checked_rows(given.rows, lambda row: f"point {whose.ids[positions[row]]}")
        return rows.copy()  # the caller may reuse its arrays before the write is carried out

    def to_bytes(self, values: SparseRows) -> bytes:
        """Return rows as they wait to be sealed."""
        return values.to_bytes()

    def from_bytes(self, stored: bytes | memoryview, n: int, config: SparseConfig) -> SparseRows:
        """Return what ``to_bytes`` gave."""
        return SparseRows.from_bytes(stored, n)

    def grow(self, config: SparseConfig) -> SparseGrowing:
        """Return a growing part without rows."""
        return SparseGrowing.empty(config)

    def open(
        self, folder: Directory, checksum: int, numbers_of: NumbersOf | None = None
    ) -> SparseSealed:
        """Open and check a segment."""
        return SparseSealed.open(folder, checksum, numbers_of)

    def spare(self, files: Collection[str]) -> set[str]:
        """Return the files that are made anew from the rows."""
        return spare(files)

    def seal(
        self,
        folder: Directory,
        parts: Sequence[tuple[SparseGrowing | SparseSealed, Dead]],
        to: Build[SparseConfig],
    ) -> int | None:
        """Write live rows as a segment."""
        return write_sparse(folder, live_sparse_rows(parts), to)

    def bytes_to_write(
        self, config: SparseConfig, parts: Sequence[SealedPart[SparseSealed] | SparseGrowing]
    ) -> int:
        """Return about how much memory sealing takes."""
        return _TIMES * sum(part.stored_bytes for part in parts)

    def search(self, view: View, column: int, vectors: SparseView, asked: Asked) -> Closest:
        """Return the points of the highest dot product that share a dimension with the query."""
        request, allowed, without, corpus, _ = asked
        started = perf_counter()
        plan = page(request, without=0 if without is None else 1)
        if not isinstance(request.query, SparseVector):
            raise InvalidVector("The query vector is dense, expected a sparse one for this name")
        planned = perf_counter()
        query = check_sparse(request.query.indices, request.query.values)
        found, stats = search_sparse(vectors, query, plan.fetch, allowed, corpus=corpus)
        merging = perf_counter()
        merged = page_of(merge(found, plan.fetch), plan, without)
        seconds = stats.seconds
        seconds["plan"], seconds["merge"] = planned - started, perf_counter() - merging
        return Closest(merged, stats)

    def score(
        self,
        view: View,
        column: int,
        vectors: SparseView,
        targets: Sequence[PointVector],
        asked: Compared,
    ) -> tuple[Iterator[Block], SearchStats]:
        """Return exact distances, 0 where no dimension is shared; idf counts the corpus."""
        own = cast(Sequence[SparseVector], targets)
        queries = [check_sparse(target.indices, target.values) for target in own]
        blocks = score_sparse(vectors, queries, asked.allowed, corpus=asked.corpus)
        return ((numbers, distances, True) for numbers, distances in blocks), SearchStats()

    def mean(self, vectors: Sequence[PointVector], shares: Sequence[float]) -> SparseVector:
        """Return the sum of vectors, each times its share."""
        rows = cast(Sequence[SparseVector], vectors)
        every = np.concatenate([row.indices for row in rows])
        indices, place = np.unique(every, return_inverse=True)
        parts = [
            share * row.values.astype(np.float64) for share, row in zip(shares, rows, strict=True)
        ]
        sums = np.bincount(place, weights=np.concatenate(parts), minlength=len(indices))
        with np.errstate(over="ignore"):  # what overflows becomes Inf, which is refused
            return SparseVector(indices, sums.astype(np.float32))

    def likeness(self, rows: Sequence[PointVector], config: SparseConfig) -> Likeness:
        """Return what compares vectors with others by dot product."""
        return SparseLikeness(cast(Sequence[SparseVector], rows))

    def seconds(self, view: View, vectors: SparseView, request: SearchRequest) -> float:
        """Return roughly how long a search takes."""
        return _BASE + vectors.live * _PER_ROW

    def read(self, vectors: SparseView, slots: Slots) -> tuple[Sequence[SparseVector | None], bool]:
        """Return vectors as they were given, their indices ascending."""
        found: list[SparseVector | None] = [None] * len(slots)
        for rows, source in vectors.find(slots):
            here = np.flatnonzero(rows >= 0)
            some = source.rows_of(rows[here])
            for row, place in enumerate(here.tolist()):
                found[place] = some.vector(row)
        return found, all(one is not None for one in found)

    def given(self, source: SparseGrowing | SparseSealed, rows: NDArray[np.intp]) -> NamedSparse:
        """Return rows as a batch."""
        return NamedSparse(np.arange(len(rows)), source.rows_of(rows))
