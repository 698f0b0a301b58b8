"""Sets of vectors that are not sealed yet (``index.segments.growing_part``): compared exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.encoding.means import means_of
from palimpsest.index.encoding.normalise import Lengths
from palimpsest.index.kinds.multi.rows import MultiRows, Starts
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.growing_part import FIRST_CAPACITY, GrowingPart
from palimpsest.index.segments.points import PointColumns, lengthened, longer, room_for
from palimpsest.index.types import Vectors

_PER_ROW = 16  # vectors that count as a row: 65,536 of them are half a gigabyte of 128 dimensions


@dataclass(frozen=True, slots=True, eq=False)
class MultiColumns(PointColumns):
    """The shared arrays; only what lies below the owner's ``n`` rows means anything."""

    starts: Starts
    values: Vectors
    lengths: Lengths | None

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        lengths = 0 if self.lengths is None else self.lengths.nbytes
        return self.points_nbytes + self.starts.nbytes + self.values.nbytes + lengths


@dataclass(frozen=True, slots=True, eq=False)
class MultiGrowing(GrowingPart[MultiConfig, MultiColumns, MultiRows]):
    """The first ``n`` rows of ``columns``, less the dead ones."""

    @classmethod
    def empty(cls, config: MultiConfig) -> MultiGrowing:
        """Return a part without rows."""
        columns = MultiColumns(
            **room_for(FIRST_CAPACITY),
            starts=np.zeros(FIRST_CAPACITY + 1, dtype=np.int64),
            values=np.empty((0, config.size), dtype=np.float32),
            lengths=np.empty(0, dtype=np.float32) if config.token.keeps_lengths else None,
        )
        return cls(config, columns, 0, Dead())

    def _with_room(self, n: int, values: MultiRows) -> MultiColumns:
        columns, capacity = self.columns, self.columns.capacity
        if n > capacity:
            capacity = max(n, 2 * capacity)
            starts = lengthened(columns.starts, self.n + 1, capacity + 1)
            columns = replace(columns, starts=starts, **longer(columns, self.n, capacity))
        used = int(columns.starts[self.n])
        needed = used + len(values.values)
        if needed > len(columns.values):
            vectors, lengths = max(needed, 2 * len(columns.values)), columns.lengths
            columns = replace(
                columns,
                values=lengthened(columns.values, used, vectors),
                lengths=None if lengths is None else lengthened(lengths, used, vectors),
            )
        return columns

    def _filled(self, columns: MultiColumns, n: int, values: MultiRows) -> MultiGrowing:
        start = int(columns.starts[self.n])
        stop = start + len(values.values)
        columns.starts[self.n + 1 : n + 1] = start + values.starts[1:]
        columns.values[start:stop] = values.values
        if columns.lengths is not None:
            columns.lengths[start:stop] = 0 if values.lengths is None else values.lengths
        return MultiGrowing(self.config, columns, n, self.dead)

    @property
    def weight(self) -> int:
        """As how many rows it counts: searches and memory bear vectors, not sets."""
        return max(self.n, int(self.columns.starts[self.n]) // _PER_ROW)

    @property
    def rows(self) -> MultiRows:
        """All rows, which share the arrays."""
        columns = self.columns
        whole = MultiRows(columns.starts[: self.n + 1], columns.values, columns.lengths)
        return whole.part(0, self.n)

    def rows_of(self, rows: NDArray[np.integer[Any]]) -> MultiRows:
        """Return some rows, in the order asked for."""
        return self.rows.take(rows)

    def means_of(self, rows: NDArray[np.integer[Any]], *, unit: bool) -> Vectors:
        """Return the means of some rows (m, d), of unit length where asked for."""
        some = self.rows_of(rows)
        return means_of(some.values, some.starts, unit=unit)
