"""Sets of vectors that are not sealed yet (``index.segments.growing_part``).

Where a name's vectors are coded, these are as they come: codes of one depend on no other. They are
not pooled, which would take longer than all else that is done with a set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.encoding.means import means_of
from palimpsest.index.encoding.normalise import Lengths
from palimpsest.index.encoding.tokens import TokenEncoder
from palimpsest.index.kinds.multi.exact import CodedSets
from palimpsest.index.kinds.multi.rows import MultiRows, Starts
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.growing_part import FIRST_CAPACITY, GrowingPart
from palimpsest.index.segments.points import PointColumns, lengthened, longer, room_for
from palimpsest.index.types import Codes, Vectors

_PER_ROW = 16  # vectors that count as a row: 65,536 of them are half a gigabyte of 128 dimensions


@dataclass(frozen=True, slots=True, eq=False)
class MultiColumns(PointColumns):
    """The shared arrays; only what lies below the owner's ``n`` rows means anything."""

    starts: Starts
    values: Vectors
    lengths: Lengths | None
    codes: Codes | None

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        beside = sum(one.nbytes for one in (self.lengths, self.codes) if one is not None)
        return self.points_nbytes + self.starts.nbytes + self.values.nbytes + beside


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
            codes=_encoder(config).encode(np.empty((0, config.size), dtype=np.float32))
            if config.is_coded
            else None,
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
            vectors = max(needed, 2 * len(columns.values))
            lengths, codes = columns.lengths, columns.codes
            columns = replace(
                columns,
                values=lengthened(columns.values, used, vectors),
                lengths=None if lengths is None else lengthened(lengths, used, vectors),
                codes=None if codes is None else lengthened(codes, used, vectors),
            )
        return columns

    def _filled(self, columns: MultiColumns, n: int, values: MultiRows) -> MultiGrowing:
        start = int(columns.starts[self.n])
        stop = start + len(values.values)
        columns.starts[self.n + 1 : n + 1] = start + values.starts[1:]
        columns.values[start:stop] = values.values
        if columns.lengths is not None:
            columns.lengths[start:stop] = 0 if values.lengths is None else values.lengths
        if columns.codes is not None:
            columns.codes[start:stop] = _encoder(self.config).encode(values.values)
        return MultiGrowing(self.config, columns, n, self.dead)

    @property
    def weight(self) -> int:
        """As how many rows it counts: searches and memory bear vectors, not sets."""
        return max(self.n, int(self.columns.starts[self.n]) // _PER_ROW)

    @property
    def coded(self) -> CodedSets | None:
        """The sets by their codes; None where they have none."""
        codes, n = self.columns.codes, self.n
        if codes is None:
            return None
        starts = self.columns.starts[: n + 1]
        return CodedSets(starts, codes[: starts[n]], _encoder(self.config))

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


def _encoder(config: MultiConfig) -> TokenEncoder:
    return _encoder_of(config.size, config.token_bits)


@lru_cache(maxsize=64)  # of the names in use: making one draws its rotation
def _encoder_of(size: int, bits: int) -> TokenEncoder:
    return TokenEncoder(size, bits)
