"""A third kind of vector, for tests alone: points have sets of short vectors, compared by MaxSim.

It is all that a kind has to bring, and is registered from outside. A search has two stages: the
means of the sets choose candidates, whose sets are compared whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index.errors import InvalidVector, Unsupported
from palimpsest.index.kinds.kind import Asked, Block, Compared, Kind, Whose
from palimpsest.index.kinds.registry import register
from palimpsest.index.search.closest import Closest, page_of
from palimpsest.index.search.merge import PartHits, merge
from palimpsest.index.search.plan import SearchRequest, page
from palimpsest.index.segments.build import Build
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.growing_part import FIRST_CAPACITY, GrowingPart
from palimpsest.index.segments.points import PointColumns, lengthened, longer, points_at, room_for
from palimpsest.index.segments.searcher import Hits
from palimpsest.index.segments.segment import NumbersOf, Segment, of_points, open_segment
from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.files import Folder, write_folder
from palimpsest.index.types import Distance, KindVector, PointVector, SearchStats, Slots, Vectors
from palimpsest.index.view.view import SealedPart, VectorView, View

CANDIDATES = 64


@dataclass(frozen=True, slots=True)
class SetsConfig:
    """Vectors of one size, in sets."""

    kind: ClassVar[str] = "sets"
    distance: ClassVar[Distance] = Distance.DOT

    size: int

    @property
    def fixed(self) -> object:
        return self.kind, self.size

    @property
    def space(self) -> object:
        return self.fixed

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True, slots=True, eq=False)
class SetVector(KindVector):
    """One set (t, d)."""

    kind: ClassVar[str] = "sets"

    values: Vectors

    def to_json(self) -> Any:
        return [*self.values]


@dataclass(frozen=True, slots=True, eq=False)
class Sets:
    """n sets: rows ``starts[i]`` to ``starts[i + 1]`` of ``values`` (m, d)."""

    starts: NDArray[np.int64]
    values: Vectors

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, rows: slice | NDArray[np.integer[Any]]) -> Sets:
        places = np.arange(len(self))[rows]
        return joined([self.one(place) for place in places.tolist()], self.values.shape[1])

    def one(self, row: int) -> Vectors:
        return self.values[self.starts[row] : self.starts[row + 1]]


def joined(sets: Sequence[Vectors], size: int) -> Sets:
    starts = np.cumsum([0, *map(len, sets)], dtype=np.int64)
    return Sets(starts, np.concatenate([np.empty((0, size), np.float32), *sets]))


@dataclass(frozen=True, slots=True)
class NamedSets:
    """The sets of one name in a batch."""

    kind: ClassVar[str] = "sets"

    positions: NDArray[np.int64]
    sets: Sets


@dataclass(frozen=True, slots=True, eq=False)
class SetsColumns(PointColumns):
    """Growing rows: as many starts as there is room for, and one more."""

    starts: NDArray[np.int64]
    values: Vectors

    @property
    def nbytes(self) -> int:
        return self.points_nbytes + self.starts.nbytes + self.values.nbytes


@dataclass(frozen=True, slots=True, eq=False)
class SetsGrowing(GrowingPart[SetsConfig, SetsColumns, Sets]):
    """Rows in memory."""

    @classmethod
    def empty(cls, config: SetsConfig) -> SetsGrowing:
        starts = np.zeros(FIRST_CAPACITY + 1, dtype=np.int64)
        values = np.empty((0, config.size), dtype=np.float32)
        columns = SetsColumns(**room_for(FIRST_CAPACITY), starts=starts, values=values)
        return cls(config, columns, 0, Dead())

    def _with_room(self, n: int, values: Sets) -> SetsColumns:
        columns = self.columns
        if n > columns.capacity:
            most = max(n, 2 * columns.capacity)
            starts = lengthened(columns.starts, self.n + 1, most + 1)
            columns = replace(columns, starts=starts, **longer(columns, self.n, most))
        used = int(columns.starts[self.n])
        room = lengthened(columns.values, used, used + len(values.values))
        return replace(columns, values=room)

    def _filled(self, columns: SetsColumns, n: int, values: Sets) -> SetsGrowing:
        used = int(columns.starts[self.n])
        columns.starts[self.n + 1 : n + 1] = used + values.starts[1:]
        columns.values[used:] = values.values
        return SetsGrowing(self.config, columns, n, self.dead)

    @property
    def sets(self) -> Sets:
        return Sets(self.columns.starts[: self.n + 1], self.columns.values)


@dataclass(frozen=True, slots=True, eq=False)
class SetsSealed(Segment):
    """Rows on disk, in the files ``starts`` and ``values``."""

    sets: Sets

    @classmethod
    def of(cls, files: Folder, numbers_of: NumbersOf | None) -> SetsSealed:
        points = of_points(files, numbers_of)
        sets = Sets(files.loaded("starts"), files.mapped("values"))
        sizes = {"starts": sets.starts.nbytes, "ids": points["ids"].nbytes}
        sizes["originals_mapped"] = sets.values.nbytes
        return cls(**points, sets=sets, bytes_by_component=sizes)


SetsView: TypeAlias = VectorView[SetsConfig, SetsGrowing, SetsSealed]
SetsPart: TypeAlias = SetsGrowing | SetsSealed


class SetsKind(Kind[SetsConfig, Sets, SetsGrowing, SetsSealed]):
    """Answers for sets."""

    name = SetsConfig.kind

    def config_of(
        self, stored: Mapping[str, Any], name: str, declared: Mapping[str, Any]
    ) -> SetsConfig:
        return SetsConfig(stored["size"])

    def check(self, given: NamedSets, whose: Whose, config: SetsConfig) -> Sets:
        for place, count in zip(given.positions, np.diff(given.sets.starts), strict=True):
            if not count or given.sets.values.shape[1] != config.size:
                raise InvalidVector(f"A set of point {whose.ids[place]} is empty, or of other size")
        return joined([given.sets.one(row).copy() for row in range(len(given.sets))], config.size)

    def to_bytes(self, values: Sets) -> bytes:
        return values.starts.tobytes() + values.values.tobytes()

    def from_bytes(self, stored: bytes | memoryview, n: int, config: SetsConfig) -> Sets:
        starts = np.frombuffer(stored, dtype=np.int64, count=n + 1)
        values = np.frombuffer(stored, dtype=np.float32, offset=starts.nbytes)
        return Sets(starts, values.reshape(-1, config.size))

    def grow(self, config: SetsConfig) -> SetsGrowing:
        return SetsGrowing.empty(config)

    def open(
        self, folder: Directory, checksum: int, numbers_of: NumbersOf | None = None
    ) -> SetsSealed:
        return open_segment(
            folder, checksum, self.spare, lambda files: SetsSealed.of(files, numbers_of)
        )

    def spare(self, files: Collection[str]) -> set[str]:
        return {"by_slot.npy"} & {*files}

    def seal(
        self, folder: Directory, parts: Sequence[tuple[SetsPart, Dead]], to: Build[SetsConfig]
    ) -> int | None:
        chosen = [(part, dead.live_rows(part.n)) for part, dead in parts]
        sets = [part.sets.one(row) for part, rows in chosen for row in rows.tolist()]
        rows = joined(sets, to.config.size)
        points = PointColumns(**points_at([(part.columns, rows) for part, rows in chosen]))
        arrays = {**points.files(), "starts": rows.starts, "values": rows.values}
        return write_folder(folder, arrays, {**to.said, "kind": self.name}, to.admitted)

    def bytes_to_write(
        self, config: SetsConfig, parts: Sequence[SealedPart[SetsSealed] | SetsGrowing]
    ) -> int:
        return 2 * sum(part.stored_bytes for part in parts)

    def search(self, view: View, column: int, vectors: SetsView, asked: Asked) -> Closest:
        request, allowed, without = asked.request, asked.allowed, asked.without
        plan = page(request, without=0 if without is None else 1)
        assert isinstance(request.query, SetVector)
        found, stats = [], SearchStats()
        for part in vectors.parts:
            rows = _allowed(part, allowed)
            rows, distances = _closest(part.source.sets, rows, request.query.values, plan.fetch)
            found.append(PartHits(part.columns, Hits(rows, distances, 0, len(rows), 0)))
            stats.scored += len(rows)
        return Closest(page_of(merge(found, plan.fetch), plan, without), stats)

    def score(
        self,
        view: View,
        column: int,
        vectors: SetsView,
        targets: Sequence[PointVector],
        asked: Compared,
    ) -> tuple[Iterator[Block], SearchStats]:
        return self._blocks(vectors, cast(Sequence[SetVector], targets), asked), SearchStats()

    def _blocks(
        self, vectors: SetsView, targets: Sequence[SetVector], asked: Compared
    ) -> Iterator[Block]:
        for part in vectors.parts:
            rows = _allowed(part, asked.allowed)
            sets = [part.source.sets.one(row) for row in rows.tolist()]
            scores = [[-maxsim(target.values, one) for one in sets] for target in targets]
            yield part.columns.numbers[rows], np.array(scores, dtype=np.float32), True

    def mean(self, vectors: Sequence[PointVector], shares: Sequence[float]) -> SetVector:
        raise Unsupported("sets have no mean")

    def seconds(self, view: View, vectors: SetsView, request: SearchRequest) -> float:
        return 1e-5 * vectors.live

    def read(self, vectors: SetsView, slots: Slots) -> tuple[Sequence[SetVector | None], bool]:
        found: list[SetVector | None] = [None] * len(slots)
        for rows, source in vectors.find(slots):
            for place in np.flatnonzero(rows >= 0).tolist():
                found[place] = SetVector(source.sets.one(int(rows[place])))
        return found, all(one is not None for one in found)

    def given(self, source: SetsPart, rows: NDArray[np.intp]) -> NamedSets:
        return NamedSets(np.arange(len(rows)), source.sets[rows])


def _allowed(
    part: SealedPart[SetsSealed] | SetsGrowing, allowed: BitMap | None
) -> NDArray[np.intp]:
    rows = part.dead.live_rows(part.n)
    if allowed is None:
        return rows
    return rows[[number in allowed for number in part.columns.numbers[rows].tolist()]]


def _closest(
    sets: Sets, rows: NDArray[np.intp], query: Vectors, k: int
) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
    """Return the k best of some rows, best first: candidates by their means, then by whole sets."""
    means = [-float((query @ sets.one(row).mean(axis=0)).sum()) for row in rows.tolist()]
    rows = rows[np.argsort(means, kind="stable")[: max(k, CANDIDATES)]]
    scores = [-maxsim(query, sets.one(row)) for row in rows.tolist()]
    order = np.argsort(scores, kind="stable")[:k]
    return rows[order].astype(np.uint32), np.array(scores, dtype=np.float32)[order]


def maxsim(query: Vectors, one: Vectors) -> float:
    """Return the sum, over the vectors of a query, of the largest product with one of a set."""
    return float((query @ one.T).max(axis=1).sum())


register(SetsKind())
