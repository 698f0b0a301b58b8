"""What one search reads: every part of every column, at one log position.

A view never changes. The writer thread makes the next one from it (``index.write.changes``) and
publishes it by one assignment; a search keeps the one it took.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index.config.collection import CollectionConfig
from palimpsest.index.config.kinds import ColumnConfig
from palimpsest.index.filters.bitmaps import from_numbers, to_flags
from palimpsest.index.segments.dead import Dead, flagged
from palimpsest.index.segments.growing_part import AnyGrowing
from palimpsest.index.segments.recent import Recent
from palimpsest.index.segments.segment import Segment
from palimpsest.index.storage.leases import Lease
from palimpsest.index.storage.seqs import Seqs
from palimpsest.index.types import Numbers, Slots
from palimpsest.index.view.bridge import Bridge

C = TypeVar("C", bound=ColumnConfig, covariant=True)
G = TypeVar("G", bound=AnyGrowing, covariant=True)
S = TypeVar("S", bound=Segment, covariant=True)


@dataclass(frozen=True, slots=True, eq=False)
class SealedPart(Generic[S]):
    """A segment and which of its rows are dead; its folder stays for as long as any view has it."""

    segment: S
    dead: Dead
    lease: Lease | None = field(default=None, repr=False)
    _held: list[BitMap] = field(default_factory=list, init=False, repr=False)

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

    @property
    def columns(self) -> S:
        """What is known of each row."""
        return self.segment

    @property
    def stored_bytes(self) -> int:
        """Bytes of the rows where they are kept: on disk."""
        return self.segment.disk_bytes

    @property
    def folder(self) -> str | None:
        """The name of the folder that it is in."""
        return self.segment.name

    @property
    def source(self) -> S:
        """What reads the rows."""
        return self.segment

    @property
    def key(self) -> str:
        """What tells the part from others of its column: the segment's name."""
        return self.segment.name

    @property
    def live_numbers(self) -> Numbers:
        """The numbers of the points whose rows are not dead."""
        return self.numbers[self.dead.live_rows(self.n)]

    @property
    def held(self) -> BitMap:
        """The numbers of the points whose rows are not dead; not to be changed."""
        if not self._held:
            self._held.append(from_numbers(self.live_numbers))
        return self._held[0]

    def only(self, flags: NDArray[np.bool_]) -> SealedPart[S]:
        """Return the part with the rows of points that are not flagged dead."""
        return replace(self, dead=self.dead.only(flagged(flags, self.numbers)))

    def without(self, slots: Slots) -> SealedPart[S]:
        """Return the part with the rows of ``slots`` dead; slots that are elsewhere are ignored."""
        rows = self.segment.find(slots)
        rows = rows[rows >= 0]
        dead = self.dead.with_rows(rows, self.segment.n)
        if dead is self.dead:
            return self
        part = replace(self, dead=dead)
        if self._held:  # a segment holds each point once, so the others stay as they were
            part._held.append(self._held[0] - from_numbers(self.numbers[rows]))
        return part


@dataclass(frozen=True, slots=True, eq=False)
class VectorView(Generic[C, G, S]):
    """The parts of one column, all of one kind. Only the last of ``growing`` still grows.

    ``recent`` is what was asked of the name of late, in all views of it.
    """

    config: C
    sealed: tuple[SealedPart[S], ...]
    growing: tuple[G, ...]
    recent: Recent = field(default_factory=Recent, repr=False)
    _held: list[BitMap] = field(default_factory=list, init=False, repr=False)
    _only: list[tuple[BitMap, VectorView[C, G, S]]] = field(
        default_factory=list, init=False, repr=False
    )

    @property
    def parts(self) -> tuple[SealedPart[S] | G, ...]:
        """All parts."""
        return (*self.sealed, *self.growing)

    def fresh(self) -> G:
        """Return a growing part without rows, for the ones to come."""
        return type(self.growing[-1]).empty(self.config)

    @property
    def live(self) -> int:
        """Rows that are not dead."""
        return sum(part.live for part in self.parts)

    @property
    def held(self) -> BitMap:
        """The numbers of the points that have a vector of this name; not to be changed."""
        if not self._held:
            growing = (from_numbers(part.live_numbers) for part in self.growing)
            self._held.append(BitMap.union(BitMap(), *(p.held for p in self.sealed), *growing))
        return self._held[0]

    def only(self, points: BitMap) -> VectorView[C, G, S]:
        """Return the parts with the rows of other points dead; the last one asked for is kept.

        A scan passes over dead rows more quickly than it looks up rows that are allowed.
        """
        known = self._only[0] if self._only else None
        if known is None or known[0] is not points:
            flags = to_flags(points, points.max() + 1 if points else 0)
            sealed = tuple(part.only(flags) for part in self.sealed)
            growing = tuple(part.only(flags) for part in self.growing)
            known = points, VectorView(self.config, sealed, growing, self.recent)
            # One alone: pages of the same filter follow each other, and each of these holds a
            # bitmap per part.
            self._only[:] = [known]
        return known[1]

    def numbers(self) -> Iterator[Numbers]:
        """Yield the numbers of the points that have a vector of this name, part by part."""
        for part in self.parts:
            yield part.live_numbers

    def find(self, slots: Slots) -> Iterator[tuple[NDArray[np.intp], S | G]]:
        """Yield each part that has some of the slots, with a row for each slot or -1."""
        left = len(slots)
        sources: list[S | G] = [*self.growing, *(part.segment for part in self.sealed)]
        for source in sources:
            if left == 0:
                return
            rows = source.find(slots)
            here = int(np.count_nonzero(rows >= 0))
            if here:
                left -= here
                yield rows, source

    def holds(self, slots: Slots) -> NDArray[np.bool_]:
        """Tell which slots (m,) are in some part."""
        found = np.zeros(len(slots), dtype=bool)
        for rows, _ in self.find(slots):
            found |= rows >= 0
        return found


AnyVectors: TypeAlias = VectorView[ColumnConfig, AnyGrowing, Segment]
AnySealed: TypeAlias = SealedPart[Segment]
AnyPart: TypeAlias = AnySealed | AnyGrowing


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """All columns by number, the numbers of all points and the last seq applied.

    ``config`` says what names mean, to all who read this view: an activation changes the names of
    columns and moves none. ``bridges`` are, by the column whose queries they serve, the other
    versions of the same vector, in the order they are searched. ``seqs`` are those of the last
    write to each point, also to come. ``memo`` is what searches worked out of it for later ones,
    ``ready`` those of them that are ready for any vector (``search.ready``), by their parameters.
    """

    seq: int
    live: BitMap
    vectors: Mapping[int, AnyVectors]
    config: CollectionConfig
    bridges: Mapping[int, tuple[Bridge, ...]] = field(default_factory=dict)
    seqs: Seqs = field(default_factory=Seqs)
    memo: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)
    ready: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)
    _bridged: dict[tuple[int, ...], BitMap] = field(default_factory=dict, init=False, repr=False)

    @property
    def points(self) -> int:
        """How many points there are."""
        return len(self.live)

    def find(self, name: str) -> AnyVectors | None:
        """Return the parts of the column that a name means, None where it means none."""
        number = self.config.numbers.get(name)
        return None if number is None else self.vectors[number]

    def bridges_of(self, column: int) -> tuple[Bridge, ...]:
        """Return the bridges that serve queries of a column."""
        return self.bridges.get(column, ())

    def bridged(
        self, column: int, bridges: Sequence[Bridge] | None = None
    ) -> Iterator[tuple[Bridge, BitMap]]:
        """Yield bridges and the points found through them, which are found no other way.

        A point belongs to its vector of the column itself if it has one, else to the first bridge
        whose rows hold it; so it is found once.

        Args:
            column: of the queries.
            bridges: of the column, in the order they are searched; None for all in their own order.
        """
        above: tuple[int, ...] = (column,)
        for bridge in self.bridges_of(column) if bridges is None else bridges:
            yield bridge, self._only_in(bridge.column, above)
            above = (*above, bridge.column)

    def _only_in(self, column: int, above: tuple[int, ...]) -> BitMap:
        """Return the points that have a vector of a column and of none ``above``."""
        key = (column, *above)
        if key not in self._bridged:
            points = self.vectors[column].held
            for other in above:
                held = self.vectors[other].held
                # Without a copy where nothing is to be taken away, as of versions that share no
                # point.
                points = points - held if points.intersect(held) else points
            self._bridged[key] = points
        return self._bridged[key]
