"""Rows of any kind that are not sealed yet, in append-only arrays that many views share.

A growing part is a value: ``extended`` returns a longer one on the same arrays (or on longer copies
when they are full), so a view keeps seeing the rows it took. Only the longest one may be extended,
and only by the writer thread.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.segments.dead import Dead, flagged
from palimpsest.index.segments.finding import find_ascending
from palimpsest.index.segments.points import PointColumns
from palimpsest.index.storage.ids import Ids
from palimpsest.index.types import Numbers, Slots

FIRST_CAPACITY = 256


class Values(Protocol):
    """Vectors of several points, as a kind stores them: an array, or what acts like one."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any:
        """Return some rows, by a slice or by their places (m,), as values of the same kind."""


C = TypeVar("C")
R = TypeVar("R", bound=PointColumns)
V = TypeVar("V", bound=Values)


@dataclass(frozen=True, slots=True, eq=False)
class GrowingPart(ABC, Generic[C, R, V]):
    """The first ``n`` rows of ``columns``, less the dead ones. A kind adds what it searches by."""

    config: C
    columns: R
    n: int
    dead: Dead

    @classmethod
    @abstractmethod
    def empty(cls, config: C) -> Self:
        """Return a part without rows."""

    @abstractmethod
    def _with_room(self, n: int, values: V) -> R:
        """Return columns with room for the values of new rows, which make ``n`` of all."""

    @abstractmethod
    def _filled(self, columns: R, n: int, values: V) -> Self:
        """Write values behind the rows there are; return the part of all ``n``."""

    @property
    def live(self) -> int:
        """Rows that are not dead."""
        return self.n - self.dead.count

    @property
    def weight(self) -> int:
        """As how many rows it counts where it is asked whether these are enough to be sealed."""
        return self.n

    @property
    def first_slot(self) -> int:
        """The lowest slot; 0 when empty."""
        return int(self.columns.slots[0]) if self.n else 0

    @property
    def last_slot(self) -> int:
        """The highest slot; 0 when empty."""
        return int(self.columns.slots[self.n - 1]) if self.n else 0

    @property
    def stored_bytes(self) -> int:
        """Bytes of the rows where they are kept: in memory."""
        return self.columns.nbytes

    @property
    def folder(self) -> str | None:
        """The name of the folder that it is in: none."""
        return None

    @property
    def source(self) -> Self:
        """What reads the rows: the part itself."""
        return self

    @property
    def key(self) -> int:
        """What tells the part from others of its column: its first slot."""
        return int(self.columns.slots[0])

    @property
    def live_numbers(self) -> Numbers:
        """The numbers of the points whose rows are not dead."""
        return self.columns.numbers[self.dead.live_rows(self.n)]

    def extended(self, slots: Slots, seq: int, ids: Ids, numbers: Numbers, values: V) -> Self:
        """Return the part with rows appended; rows it already has are left out.

        ``values`` are as they are stored.
        """
        # Slots only ascend within a part, which is what makes applying the same rows twice
        # harmless.
        fresh = int(np.searchsorted(slots, self.last_slot, side="right"))
        if fresh == len(slots):
            return self
        slots, values = slots[fresh:], values[fresh:]
        n = self.n + len(slots)
        columns = self._with_room(n, values).put(self.n, slots, seq, ids[fresh:], numbers[fresh:])
        dead = self.dead.with_capacity(columns.capacity)
        return replace(self._filled(columns, n, values), dead=dead)

    def without(self, slots: Slots) -> Self:
        """Return the part with the rows of ``slots`` dead; slots that are elsewhere are ignored."""
        rows = self.find(slots)
        dead = self.dead.with_rows(rows[rows >= 0], self.columns.capacity)
        return self if dead is self.dead else replace(self, dead=dead)

    def only(self, flags: NDArray[np.bool_]) -> Self:
        """Return the part with the rows of points that are not flagged dead."""
        kept = flagged(flags, self.columns.numbers[: self.n])
        return replace(self, dead=self.dead.only(kept))

    def find(self, slots: Slots) -> NDArray[np.intp]:
        """Return the row of each slot, -1 where it is not here."""
        return find_ascending(self.columns.slots[: self.n], slots)


AnyGrowing: TypeAlias = GrowingPart[Any, Any, Any]
