"""What the engine asks of dense vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.collection import describe_sizes
from palimpsest.index.config.kinds import ColumnConfig
from palimpsest.index.config.vectors import ORIGINAL_BYTES, VectorConfig
from palimpsest.index.encoding.normalise import (
    as_examples,
    as_given,
    check_query,
    check_rows,
    rounded,
)
from palimpsest.index.errors import DimensionMismatch, InvalidVector
from palimpsest.index.kinds.dense import probing
from palimpsest.index.kinds.dense.cost import seconds
from palimpsest.index.kinds.kind import Asked, Block, Compared, Kind, Whose
from palimpsest.index.search.across import across
from palimpsest.index.search.closest import Ahead, Closest, searched_ahead
from palimpsest.index.search.dense import is_walked
from palimpsest.index.search.mapped_query import check_size, closest_of_all
from palimpsest.index.search.mapped_scores import score_all_versions
from palimpsest.index.search.one_segment import closest_rows
from palimpsest.index.search.plan import SearchRequest, resolve
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.growing import Growing
from palimpsest.index.segments.seal import live_rows, write_segment
from palimpsest.index.segments.sealed import Sealed, spare
from palimpsest.index.segments.searcher import Searcher, SearchThreads
from palimpsest.index.segments.segment import NumbersOf
from palimpsest.index.storage.directory import Directory
from palimpsest.index.types import (
    Distance,
    NamedVectors,
    PointVector,
    RecallInfo,
    SearchStats,
    Slots,
    Vector,
    Vectors,
)
from palimpsest.index.view.dense import DensePart, DenseView, given_of
from palimpsest.index.view.view import View

_COLUMNS = 64  # bytes a row of ids, slots and numbers, in memory and written


class DenseKind(Kind[VectorConfig, Vectors, Growing, Sealed]):
    """Answers for dense columns."""

    name = VectorConfig.kind

    def config_of(
        self, stored: Mapping[str, Any], name: str, declared: Mapping[str, Any]
    ) -> VectorConfig:
        """Return a stored config."""
        return VectorConfig.from_json(stored, name, declared)

    def check(self, given: NamedVectors, whose: Whose, config: VectorConfig) -> Vectors:
        """Return rows as they are searched, with their lengths where these are kept."""
        values, positions, name = given.values, given.positions, whose.name
        if values.ndim != 2 or len(values) != len(positions):
            raise InvalidVector(
                f"Vectors of {name!r}: expected ({len(positions)}, {config.size}), "
                f"got {values.shape}"
            )
        if values.shape[1] != config.size:
            hint = describe_sizes(name, whose.declared.every_name)
            where = f"point {whose.ids[positions[0]]}" + (f"; {hint}" if hint else "")
            raise DimensionMismatch(config.size, values.shape[1], where)
        values = np.ascontiguousarray(values, dtype=np.float32)
        values = check_rows(values, config, lambda row: f"point {whose.ids[positions[row]]}")
        if np.may_share_memory(values, given.values):
            values = values.copy()  # the caller may reuse its array before it is written
        return values

    def to_bytes(self, values: Vectors) -> memoryview:
        """Return rows as they wait to be sealed."""
        return values.data.cast("B")

    def from_bytes(self, stored: bytes | memoryview, n: int, config: VectorConfig) -> Vectors:
        """Return what ``to_bytes`` gave; rows of format 3 were not rounded as they came."""
        return rounded(np.frombuffer(stored, dtype=np.float32).reshape(n, -1), config)

    def grow(self, config: VectorConfig) -> Growing:
        """Return a growing part without rows."""
        return Growing.empty(config)

    def open(self, folder: Directory, checksum: int, numbers_of: NumbersOf | None = None) -> Sealed:
        """Open and check a segment."""
        return Sealed.open(folder, checksum, numbers_of)

    def spare(self, files: Collection[str]) -> set[str]:
        """Return the files that originals, or codes, determine."""
        return spare(files)

    def seal(
        self,
        folder: Directory,
        parts: Sequence[tuple[Growing | Sealed, Dead]],
        to: Build[VectorConfig],
    ) -> int | None:
        """Write live rows as a segment, probed as it will be searched."""
        rows = live_rows(parts)
        return write_segment(folder, rows, replace(to, seed=int(rows.slots.min())), closest_rows)

    def bytes_to_write(self, config: VectorConfig, parts: Sequence[DensePart]) -> int:
        """Return about how much memory sealing takes.

        Rows are copied where they come from several parts or are rounded; the graph is built over
        8-bit rows, its links stand in memory twice in the end.
        """
        rows = sum(part.live for part in parts)
        first = parts[0]
        whole = len(parts) == 1 and first.folder is None and not first.dead.count
        size = config.size
        copied = 0 if whole and config.originals == "float32" else 4 * size
        codes = size if config.encoding == "float32" else size * int(config.encoding) // 8
        return rows * (copied + size + codes + 2 * 2 * 4 * config.M + _COLUMNS)

    def search(self, view: View, column: int, vectors: DenseView, asked: Asked) -> Closest:
        """Return the closest points, whichever versions they hold."""
        request, allowed, without, _, ahead = asked
        return closest_of_all(view, column, vectors, request, allowed, without=without, ahead=ahead)

    def ahead(
        self,
        view: View,
        vectors: DenseView,
        requests: Sequence[SearchRequest],
        threads: SearchThreads,
    ) -> Sequence[Ahead | None]:
        """Walk for several queries at once, where no other versions are searched with theirs."""
        if view.bridges:
            return [None] * len(requests)
        return searched_ahead(vectors, requests, threads)

    def score(
        self,
        view: View,
        column: int,
        vectors: DenseView,
        targets: Sequence[PointVector],
        asked: Compared,
    ) -> tuple[Iterator[Block], SearchStats]:
        """Return distances by codes or by originals, of all versions that bridges lead to."""
        queries = np.stack([check_query(target, vectors.config) for target in targets])
        ways = across(view, column, asked.bridge, asked.allowed)
        stats = SearchStats(out_of_reach=[*ways.missed])
        stats.estimated += [one.points for one in ways.bridges]
        return score_all_versions(view, column, queries, asked.allowed, ways.bridges), stats

    def mean(self, vectors: Sequence[PointVector], shares: Sequence[float]) -> Vector:
        """Return the sum of vectors, each times its share."""
        rows = np.stack(cast(Sequence[Vector], vectors)).astype(np.float64)
        with np.errstate(over="ignore"):  # what overflows becomes Inf, which is refused
            return (np.array(shares) @ rows).astype(np.float32)

    def check_example(self, vector: PointVector, config: VectorConfig) -> None:
        """Refuse what would be refused as a query: of a mean more is taken."""
        check_query(vector, config)

    def seconds(self, view: View, vectors: DenseView, request: SearchRequest) -> float:
        """Return roughly how long a search takes, of all versions that it goes over."""
        return seconds(view, vectors, request)

    def read(self, vectors: DenseView, slots: Slots) -> tuple[Vectors, bool]:
        """Return vectors (m, d) as they were given, as far as they are kept."""
        return given_of(vectors, slots)

    def given(self, source: Growing | Sealed, rows: NDArray[np.intp]) -> NamedVectors:
        """Return rows as a batch."""
        vectors, lengths = source.vectors_of(rows), source.lengths_of(rows)
        if lengths is not None:
            vectors = as_given(vectors, lengths)
        return NamedVectors(np.arange(len(rows)), vectors)

    def check_size(
        self, vector: Any, name: str, config: VectorConfig, declared: Mapping[str, ColumnConfig]
    ) -> None:
        """Raise DimensionMismatch, which tells of the versions where there are several."""
        check_size(vector, name, config, declared)

    def as_query(self, vector: PointVector, config: VectorConfig) -> PointVector:
        """Return a vector that was read as it is searched for."""
        assert isinstance(vector, np.ndarray)  # what ``read`` gives
        example: Vector = as_examples(vector[None, :], config)[0]
        return example

    def is_exact(self, vectors: DenseView, request: SearchRequest) -> bool:
        """Tell whether originals of all rows are compared."""
        is_asked = request.exact or request.ignore_codes
        return is_asked or vectors.config.distance is Distance.MANHATTAN

    def ef(self, vectors: DenseView, request: SearchRequest) -> int | None:
        """Return the largest ef of walks, None where no graph is walked."""
        plan = resolve(request, vectors.config)
        segments = [part.segment for part in vectors.sealed]
        tried = [(one, plan.at(one.effort, one.n)) for one in segments]
        return max((to.ef for one, to in tried if is_walked(one.searcher, one.n, to)), default=None)

    def walked(self, vectors: DenseView) -> Sequence[Searcher]:
        """Return what searches the segments that have a graph."""
        found = [part.segment.searcher for part in vectors.sealed]
        return [one for one in found if one.has_graph]

    def bytes_read(self, vectors: DenseView, stats: SearchStats) -> float:
        """Return about how many bytes of originals a search has read, which may be all it has."""
        scored = stats.scored if vectors.config.encoding == "float32" else 0
        each = self.live_bytes(vectors) / max(vectors.live, 1)
        return super().bytes_read(vectors, stats) + scored * each

    def recent(self, vectors: DenseView) -> Sequence[PointVector]:
        """Return what was asked of late, newest last."""
        return [as_examples(one[None, :], vectors.config)[0] for one in vectors.recent.queries()]

    def numbers_in(self, vectors: DenseView) -> int:
        """Return how many numbers a vector has."""
        return vectors.config.size

    def live_bytes(self, vectors: DenseView) -> float:
        """Return how many bytes vectors take; as codes, as the largest that segments have."""
        config, size = vectors.config, vectors.live * vectors.config.size
        if config.datatype == "uint8":
            return size
        if config.originals == "none":
            return size * max([int(config.encoding), *self.recall(vectors).bits]) / 8
        return size * ORIGINAL_BYTES[config.originals]

    def recall(self, vectors: DenseView) -> RecallInfo:
        """Return what segments were found to need."""
        segments = [part.segment for part in vectors.sealed]
        known = [(each.n, each.found.recall) for each in segments if each.found is not None]
        rows = sum(n for n, _ in known)
        return RecallInfo(
            segments=Counter(each.decision for each in segments),
            bits=Counter(each.encoder.bits for each in segments if each.encoder is not None),
            rows=rows,
            recall=sum(n * recall.mean for n, recall in known) / rows if rows else None,
            worst=min((recall.worst for _, recall in known), default=None),
            ef=self.ef(vectors, SearchRequest(np.empty(0, np.float32))),
        )

    def is_unprobed(self, segment: Sealed) -> bool:
        """Tell whether it was written without a probe, or under an earlier rule."""
        return probing.is_unprobed(segment)

    def probe(
        self,
        segment: Sealed,
        config: VectorConfig,
        recent: Sequence[Vector],
        cancelled: Callable[[], bool],
    ) -> None:
        """Measure recall by a sample of its rows, and by queries of late."""
        probing.probe(segment, config, recent, cancelled)

    def falls_short(self, segment: Sealed) -> bool:
        """Tell whether it was found to lose results that other settings would find."""
        return probing.falls_short(segment)
