"""What one search reads: every part of every vector name, at one log position.

A view never changes. The writer thread makes the next one from it, with ``apply`` for committed
writes, with ``frozen`` and ``replaced`` for seals and compactions, and publishes it by one
assignment; a search keeps the one it took. ``apply`` is also how a reopened collection gets its
growing rows and dead slots back, so a change applied twice must leave what it left the first time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from index.config import SparseConfig, VectorConfig
from index.segments.dead import Dead
from index.segments.growing import Growing
from index.segments.sealed import Sealed
from index.sparse.growing import SparseGrowing
from index.sparse.rows import SparseRows
from index.sparse.sealed import SparseSealed
from index.storage.ids import Ids
from index.types import Numbers, Slots, SparseVector, Vectors

AnySealed: TypeAlias = Sealed | SparseSealed
AnyGrowing: TypeAlias = Growing | SparseGrowing


@dataclass(frozen=True, slots=True, eq=False)
class SealedPart:
    """A segment and which of its rows are dead."""

    segment: AnySealed
    dead: Dead

    @property
    def n(self) -> int:
        """Rows, dead ones too."""
        return self.segment.n

    @property
    def live(self) -> int:
        """Rows that are not dead."""
        return self.segment.n - self.dead.count

    @property
    def numbers(self) -> Numbers:
        """The numbers of the rows' points (n,)."""
        return self.segment.numbers

    def without(self, slots: Slots) -> SealedPart:
        """Return the part with the rows of ``slots`` dead; slots that are elsewhere are ignored."""
        rows = self.segment.find(slots)
        dead = self.dead.with_rows(rows[rows >= 0], self.segment.n)
        return self if dead is self.dead else replace(self, dead=dead)


@dataclass(frozen=True, slots=True, eq=False)
class VectorView:
    """The parts of one vector name. Only the last of ``growing`` still grows."""

    config: VectorConfig | SparseConfig
    sealed: tuple[SealedPart, ...]
    growing: tuple[AnyGrowing, ...]

    @classmethod
    def empty(cls, config: VectorConfig | SparseConfig) -> VectorView:
        """Return the view of a vector name without rows."""
        return cls(config, (), (_growing(config),))

    @property
    def live(self) -> int:
        """Rows that are not dead."""
        return sum(part.live for part in self.sealed) + sum(part.live for part in self.growing)

    def numbers(self) -> Iterator[Numbers]:
        """Yield the numbers of the points that have a vector of this name, part by part."""
        for part in self.sealed:
            yield part.numbers[part.dead.live_rows(part.n)]
        for growing in self.growing:
            yield growing.columns.numbers[growing.dead.live_rows(growing.n)]

    def find(self, slots: Slots) -> Iterator[tuple[NDArray[np.intp], AnySealed | AnyGrowing]]:
        """Yield each part that has some of the slots, with a row for each slot or -1."""
        left = len(slots)
        for source in (*self.growing, *(part.segment for part in self.sealed)):
            if left == 0:
                return
            rows = source.find(slots)
            here = int(np.count_nonzero(rows >= 0))
            if here:
                left -= here
                yield rows, source

    def vectors_of(self, slots: Slots) -> tuple[Vectors, bool]:
        """Return the dense vectors of slots (m, d), and whether every slot was found."""
        assert isinstance(self.config, VectorConfig)
        found = np.zeros(len(slots), dtype=bool)
        vectors = np.empty((len(slots), self.config.size), dtype=np.float32)
        for rows, source in self.find(slots):
            assert isinstance(source, (Growing, Sealed))
            here = rows >= 0
            vectors[here] = source.vectors_of(rows[here])
            found |= here
        return vectors, bool(found.all())

    def sparse_of(self, slots: Slots) -> list[SparseVector | None]:
        """Return the sparse vector of each slot, None where the slot is in no part."""
        vectors: list[SparseVector | None] = [None] * len(slots)
        for rows, source in self.find(slots):
            assert isinstance(source, (SparseGrowing, SparseSealed))
            here = np.flatnonzero(rows >= 0)
            some = source.rows_of(rows[here])
            for row, place in enumerate(here.tolist()):
                vectors[place] = some.vector(row)
        return vectors


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """All vector names, the numbers of all points and the last seq applied."""

    seq: int
    live: BitMap
    vectors: Mapping[str, VectorView]

    @property
    def points(self) -> int:
        """How many points there are."""
        return len(self.live)


@dataclass(frozen=True, slots=True, eq=False)
class NewRows:
    """Rows of one write and one vector name; ``slots`` ascending."""

    name: str
    slots: Slots
    seq: int
    ids: Ids
    numbers: Numbers
    values: Vectors | SparseRows


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """What a committed transaction did."""

    seq: int
    live: BitMap
    rows: Sequence[NewRows]
    dead: Slots


def apply(view: View, changes: Changes) -> View:
    """Return the view after the changes; applying them again changes nothing."""
    vectors = dict(view.vectors)
    for rows in changes.rows:
        old = vectors[rows.name]
        growing = _extended(old.growing[-1], rows)
        vectors[rows.name] = replace(old, growing=(*old.growing[:-1], growing))
    if changes.dead.size:
        for name, old in vectors.items():
            vectors[name] = replace(
                old,
                sealed=tuple(part.without(changes.dead) for part in old.sealed),
                growing=tuple(part.without(changes.dead) for part in old.growing),
            )
    return View(max(view.seq, changes.seq), changes.live, vectors)


def _extended(part: AnyGrowing, rows: NewRows) -> AnyGrowing:
    if isinstance(part, SparseGrowing):
        assert isinstance(rows.values, SparseRows)
        return part.extended(rows.slots, rows.seq, rows.ids, rows.numbers, rows.values)
    assert isinstance(rows.values, np.ndarray)
    return part.extended(rows.slots, rows.seq, rows.ids, rows.numbers, rows.values)


def _growing(config: VectorConfig | SparseConfig) -> AnyGrowing:
    if isinstance(config, SparseConfig):
        return SparseGrowing.empty(config)
    return Growing.empty(config)


def frozen(view: View, name: str) -> View:
    """Return the view with new rows of the name going to a new growing part."""
    old = view.vectors[name]
    grown = replace(old, growing=(*old.growing, _growing(old.config)))
    return replace(view, vectors={**view.vectors, name: grown})


def has_parts(vectors: VectorView, parts: Sequence[AnySealed | AnyGrowing]) -> bool:
    """Tell whether all parts are, or were with fewer dead rows, of this vector name."""
    own = {id(part.segment) for part in vectors.sealed}
    own |= {id(part.columns) for part in vectors.growing}
    return all(id(_identity(part)) in own for part in parts)


def replaced(
    view: View, name: str, gone: Sequence[AnySealed | AnyGrowing], segment: AnySealed | None
) -> View:
    """Return the view with a segment in place of the parts it was made from (see ``has_parts``).

    Rows that died since the parts were read are dead in the segment. A growing part is told by its
    arrays, for the value itself changes whenever one of its rows dies.
    """
    old = view.vectors[name]
    marks = {id(_identity(part)) for part in gone}
    sealed = tuple(part for part in old.sealed if id(part.segment) not in marks)
    growing = tuple(part for part in old.growing if id(part.columns) not in marks)
    if segment is not None:
        dead = [
            *(_dead_slots(p.segment.slots, p.n, p.dead) for p in old.sealed if p not in sealed),
            *(_dead_slots(p.columns.slots, p.n, p.dead) for p in old.growing if p not in growing),
        ]
        part = SealedPart(segment, Dead()).without(np.concatenate(dead))
        sealed = (*sealed, part)
    vectors = {**view.vectors, name: replace(old, sealed=sealed, growing=growing)}
    return replace(view, vectors=vectors)


def _identity(part: AnySealed | AnyGrowing) -> object:
    return part.columns if isinstance(part, (Growing, SparseGrowing)) else part


def _dead_slots(slots: Slots, n: int, dead: Dead) -> Slots:
    return slots[dead.dead_rows(n)]
