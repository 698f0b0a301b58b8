"""What one search reads: every part of every vector name, at one log position.

A view never changes. The writer thread makes the next one from it, with ``apply`` for committed
writes, with ``frozen`` and ``replaced`` for seals and compactions, and publishes it by one
assignment; a search keeps the one it took. ``apply`` is also how a reopened collection gets its
growing rows and dead slots back, so a change applied twice must leave what it left the first time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from index.config import VectorConfig
from index.segments.dead import Dead
from index.segments.growing import Growing
from index.segments.sealed import Sealed
from index.storage.ids import Ids
from index.types import Slots, Vectors


@dataclass(frozen=True, slots=True, eq=False)
class SealedPart:
    """A segment and which of its rows are dead."""

    segment: Sealed
    dead: Dead

    @property
    def n(self) -> int:
        """Rows, dead ones too."""
        return self.segment.n

    @property
    def live(self) -> int:
        """Rows that are not dead."""
        return self.segment.n - self.dead.count

    def without(self, slots: Slots) -> SealedPart:
        """Return the part with the rows of ``slots`` dead; slots that are elsewhere are ignored."""
        rows = self.segment.find(slots)
        dead = self.dead.with_rows(rows[rows >= 0], self.segment.n)
        return self if dead is self.dead else replace(self, dead=dead)


@dataclass(frozen=True, slots=True, eq=False)
class VectorView:
    """The parts of one vector name. Only the last of ``growing`` still grows."""

    config: VectorConfig
    sealed: tuple[SealedPart, ...]
    growing: tuple[Growing, ...]

    @property
    def live(self) -> int:
        """Rows that are not dead."""
        return sum(part.live for part in self.sealed) + sum(part.live for part in self.growing)

    def vectors_of(self, slots: Slots) -> tuple[Vectors, bool]:
        """Return the vectors of slots (m, d), and whether every slot was found."""
        found = np.zeros(len(slots), dtype=bool)
        vectors = np.empty((len(slots), self.config.size), dtype=np.float32)
        sources: list[Sealed | Growing] = [*self.growing, *(part.segment for part in self.sealed)]
        for source in sources:
            if found.all():
                break
            rows = source.find(slots)
            here = rows >= 0
            if here.any():
                vectors[here] = source.vectors_of(rows[here])
                found |= here
        return vectors, bool(found.all())


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """All vector names, the number of points and the last seq applied."""

    seq: int
    points: int
    vectors: Mapping[str, VectorView]


@dataclass(frozen=True, slots=True, eq=False)
class NewRows:
    """Rows of one write and one vector name; ``slots`` ascending."""

    name: str
    slots: Slots
    seq: int
    ids: Ids
    values: Vectors


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """What a committed transaction did."""

    seq: int
    points: int
    rows: Sequence[NewRows]
    dead: Slots


def apply(view: View, changes: Changes) -> View:
    """Return the view after the changes; applying them again changes nothing."""
    vectors = dict(view.vectors)
    for rows in changes.rows:
        old = vectors[rows.name]
        growing = old.growing[-1].extended(rows.slots, rows.seq, rows.ids, rows.values)
        vectors[rows.name] = replace(old, growing=(*old.growing[:-1], growing))
    if changes.dead.size:
        for name, old in vectors.items():
            vectors[name] = replace(
                old,
                sealed=tuple(part.without(changes.dead) for part in old.sealed),
                growing=tuple(part.without(changes.dead) for part in old.growing),
            )
    return View(max(view.seq, changes.seq), changes.points, vectors)


def frozen(view: View, name: str) -> View:
    """Return the view with new rows of the name going to a new growing part."""
    old = view.vectors[name]
    grown = replace(old, growing=(*old.growing, Growing.empty(old.config)))
    return replace(view, vectors={**view.vectors, name: grown})


def replaced(
    view: View, name: str, gone: Sequence[Sealed | Growing], segment: Sealed | None
) -> View:
    """Return the view with a segment in place of the parts it was made from.

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


def _identity(part: Sealed | Growing) -> object:
    return part.columns if isinstance(part, Growing) else part


def _dead_slots(slots: Slots, n: int, dead: Dead) -> Slots:
    return slots[dead.dead_rows(n)]
