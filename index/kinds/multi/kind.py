"""What the engine asks of sets of vectors, compared by MaxSim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.collection import describe_sizes
from palimpsest.index.config.kinds import ColumnConfig
from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.config.vectors import ORIGINAL_BYTES
from palimpsest.index.errors import DimensionMismatch
from palimpsest.index.kinds.kind import Asked, Block, Compared, Kind, Likeness, Whose
from palimpsest.index.kinds.multi.bridged import closest_over, score_all_sets
from palimpsest.index.kinds.multi.candidates import CandidateRows
from palimpsest.index.kinds.multi.cost import seconds
from palimpsest.index.kinds.multi.growing import MultiGrowing
from palimpsest.index.kinds.multi.likeness import MultiLikeness
from palimpsest.index.kinds.multi.live import MultiPart, pooled_of
from palimpsest.index.kinds.multi.plan import resolve_multi
from palimpsest.index.kinds.multi.rows import MultiRows, as_query, checked_query, checked_rows
from palimpsest.index.kinds.multi.seal import bytes_to_write, write_multi
from palimpsest.index.kinds.multi.sealed import MultiSealed, spare
from palimpsest.index.kinds.multi.search import MultiView, search_multi, sets_of
from palimpsest.index.search.across import across
from palimpsest.index.search.closest import Closest, page_of
from palimpsest.index.search.merge import merge
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.searcher import Searcher
from palimpsest.index.segments.segment import NumbersOf
from palimpsest.index.storage.directory import Directory
from palimpsest.index.types import (
    MatchedParts,
    MultiVector,
    NamedMultiVectors,
    PointVector,
    RecallInfo,
    SearchStats,
    Slots,
)
from palimpsest.index.view.view import SealedPart, View


class MultiKind(Kind[MultiConfig, MultiRows, MultiGrowing, MultiSealed]):
    """Answers for columns of sets."""

    name = MultiConfig.kind
    has_parts = True

    def config_of(
        self, stored: Mapping[str, Any], name: str, declared: Mapping[str, Any]
    ) -> MultiConfig:
        """Return a stored config."""
        return MultiConfig.from_json(stored)

    def check(self, given: NamedMultiVectors, whose: Whose, config: MultiConfig) -> MultiRows:
        """Return sets as they are searched, with the lengths of vectors where these are kept."""
        return checked_rows(given, whose, config)

    def to_bytes(self, values: MultiRows) -> bytes:
        """Return sets as they wait to be sealed."""
        return values.to_bytes()

    def from_bytes(self, stored: bytes | memoryview, n: int, config: MultiConfig) -> MultiRows:
        """Return what ``to_bytes`` gave."""
        return MultiRows.from_bytes(stored, n, config)

    def grow(self, config: MultiConfig) -> MultiGrowing:
        """Return a growing part without rows."""
        return MultiGrowing.empty(config)

    def open(
        self, folder: Directory, checksum: int, numbers_of: NumbersOf | None = None
    ) -> MultiSealed:
        """Open and check a segment."""
        return MultiSealed.open(folder, checksum, numbers_of)

    def spare(self, files: Collection[str]) -> set[str]:
        """Return the files that the others determine."""
        return spare(files)

    def seal(
        self, folder: Directory, parts: Sequence[tuple[MultiPart, Dead]], to: Build[MultiConfig]
    ) -> int | None:
        """Write live rows as a segment."""
        return write_multi(folder, parts, to)

    def bytes_to_write(
        self, config: MultiConfig, parts: Sequence[SealedPart[MultiSealed] | MultiGrowing]
    ) -> int:
        """Return about how much memory sealing takes, which sets pass through in pieces."""
        vectors = sum(_vectors_in(part) for part in parts)
        return bytes_to_write(config, sum(part.live for part in parts), vectors)

    def search(self, view: View, column: int, vectors: MultiView, asked: Asked) -> Closest:
        """Return the points whose sets are closest, whichever versions they hold."""
        request, allowed, without = asked.request, asked.allowed, asked.without
        started = perf_counter()
        plan = resolve_multi(request, vectors.config, without=0 if without is None else 1)
        given = cast(PointVector, request.query)  # the caller has read the set of an id
        query = checked_query(given, vectors.config, averaged=request.averaged)
        ways = across(view, column, request.bridge, allowed)
        if ways.bridges:
            over = closest_over(view, column, request, query, allowed, ways.bridges, without)
            over.stats.out_of_reach.extend(ways.missed)
            return over
        planned = perf_counter()
        found, stats = search_multi(vectors, query, plan, allowed)
        merging = perf_counter()
        merged = page_of(merge(found, plan.page.fetch), plan.page, without)
        seconds = stats.seconds
        seconds["plan"], seconds["merge"] = planned - started, perf_counter() - merging
        stats.out_of_reach.extend(ways.missed)
        return Closest(merged, stats)

    def score(
        self,
        view: View,
        column: int,
        vectors: MultiView,
        targets: Sequence[PointVector],
        asked: Compared,
    ) -> tuple[Iterator[Block], SearchStats]:
        """Return distances of sets as ``score_multi`` does, and estimates over bridges."""
        queries = [checked_query(target, vectors.config) for target in targets]
        ways = across(view, column, asked.bridge, asked.allowed)
        stats = SearchStats(out_of_reach=[*ways.missed])
        stats.estimated += [one.points for one in ways.bridges]
        blocks = score_all_sets(vectors, queries, asked.allowed, ways.bridges, exact=asked.exact)
        return blocks, stats

    def mean(self, vectors: Sequence[PointVector], shares: Sequence[float]) -> MultiVector:
        """Return the vectors of all sets, those of a negative share negated.

        Of sets there is no mean: each vector asks for itself, and its share with it.
        """
        sets = cast(Sequence[MultiVector], vectors)
        signed = [
            one.values * np.float32(np.sign(of)) for one, of in zip(sets, shares, strict=True)
        ]
        return MultiVector(np.concatenate(signed))

    def check_example(self, vector: PointVector, config: MultiConfig) -> None:
        """Refuse what would be refused as a query: of several together more is taken."""
        checked_query(vector, config)

    def seconds(self, view: View, vectors: MultiView, request: SearchRequest) -> float:
        """Return roughly how long a search takes, of all versions that it goes over."""
        return seconds(view, vectors, request)

    def read(self, vectors: MultiView, slots: Slots) -> tuple[Sequence[MultiVector | None], bool]:
        """Return sets as they were given."""
        found: list[MultiVector | None] = [None] * len(slots)
        for rows, source in vectors.find(slots):
            here = np.flatnonzero(rows >= 0)
            some = source.rows_of(rows[here])
            given, starts = some.given(), some.starts.tolist()
            for row, place in enumerate(here.tolist()):
                found[place] = MultiVector(given[starts[row] : starts[row + 1]])
        return found, all(one is not None for one in found)

    def given(self, source: MultiPart, rows: NDArray[np.intp]) -> NamedMultiVectors:
        """Return rows as a batch."""
        some = source.rows_of(rows)
        return NamedMultiVectors(np.arange(len(rows)), some.starts, some.given())

    def taken(self, vector: PointVector) -> PointVector | None:
        """Return a set, which a vector by itself is one of, None for a sparse vector."""
        one = MultiVector(vector[None, :]) if isinstance(vector, np.ndarray) else vector
        return one if isinstance(one, MultiVector) else None

    def check_size(
        self,
        vector: PointVector,
        name: str,
        config: MultiConfig,
        declared: Mapping[str, ColumnConfig],
    ) -> None:
        """Raise DimensionMismatch, which tells of the versions where there are several."""
        values = vector.values if isinstance(vector, MultiVector) else np.asarray(vector)[None, :]
        if values.ndim == 2 and len(values) and values.shape[1] != config.size:
            raise DimensionMismatch(config.size, values.shape[1], describe_sizes(name, declared))

    def as_query(self, vector: PointVector, config: MultiConfig) -> PointVector:
        """Return a set that was read as it is searched for."""
        assert isinstance(vector, MultiVector)  # what ``read`` gives
        return as_query(vector, config)

    def is_exact(self, vectors: MultiView, request: SearchRequest) -> bool:
        """Tell whether originals of all sets are compared."""
        return request.exact or request.ignore_codes or not vectors.config.is_coded

    def ef(self, vectors: MultiView, request: SearchRequest) -> int | None:
        """Return the most candidates that are compared of a segment."""
        plan = resolve_multi(request, vectors.config)
        found = [part.segment.candidates for part in vectors.sealed]
        return max((plan.candidates(one.depth) for one in found if one is not None), default=None)

    def walked(self, vectors: MultiView) -> Sequence[Searcher]:
        """Return what searches the rows of candidates over a graph."""
        found = [part.segment.candidates for part in vectors.sealed]
        searchers = [one.dense.searcher for one in found if isinstance(one, CandidateRows)]
        return [one for one in searchers if one.has_graph]

    def recent(self, vectors: MultiView) -> Sequence[PointVector]:
        """Return what was asked of late, newest last."""
        asked = map(MultiVector, vectors.recent.queries())
        return [as_query(one, vectors.config) for one in asked]

    def likeness(self, rows: Sequence[PointVector], config: MultiConfig) -> Likeness:
        """Return what compares sets that were read with others."""
        return MultiLikeness(cast(Sequence[MultiVector], rows), config)

    def matched(
        self, vectors: MultiView, slots: Slots, query: PointVector
    ) -> Sequence[MatchedParts | None]:
        """Return which vectors of the sets of slots match a query, None where there is no set."""
        asked = checked_query(query, vectors.config, averaged=True)
        found: list[MatchedParts | None] = [None] * len(slots)
        for rows, source in vectors.find(slots):
            sets, pooled = sets_of(source), pooled_of(source)
            for place in np.flatnonzero(rows >= 0).tolist():
                row = int(rows[place])
                parts = sets.parts(asked, row)
                found[place] = parts if pooled is None else pooled.named(parts, row)
        return found

    def recall(self, vectors: MultiView) -> RecallInfo | None:
        """Return what segments were found to need; None where all sets are compared exactly."""
        if not vectors.config.is_coded:
            return None
        segments = [part.segment for part in vectors.sealed]
        known = [(one.n, one.probed) for one in segments if one.probed is not None]
        rows = sum(n for n, _ in known)
        return RecallInfo(
            segments=Counter(one.decision for one in segments),
            bits=Counter(one.coded.encoder.bits for one in segments if one.coded is not None),
            rows=rows,
            recall=sum(n * one.recall.mean for n, one in known) / rows if rows else None,
            worst=min((one.recall.worst for _, one in known), default=None),
            generators=Counter(one.generator for _, one in known),
            candidates=max((one.depth for _, one in known), default=None),
        )

    def numbers_in(self, vectors: MultiView) -> int:
        """Return about how many numbers a set has: the mean of all rows, dead ones too."""
        every = [(part.n, _vectors_in(part)) for part in vectors.parts]
        sets, held = np.sum([(0, 0), *every], axis=0).tolist()
        return vectors.config.size * (-(-held // sets) if sets else 0)

    def live_bytes(self, vectors: MultiView) -> float:
        """Return about how many bytes sets take: of as many numbers each as all have on average."""
        config, numbers = vectors.config, vectors.live * self.numbers_in(vectors)
        if config.datatype == "uint8":
            return numbers
        if config.originals == "none":
            return numbers * config.token_bits / 8
        return numbers * ORIGINAL_BYTES[config.originals]


def _vectors_in(part: SealedPart[MultiSealed] | MultiGrowing) -> int:
    """Return how many vectors a part has, those of dead rows too."""
    if isinstance(part, MultiGrowing):
        return int(part.columns.starts[part.n])
    return int(part.segment.starts[-1])
