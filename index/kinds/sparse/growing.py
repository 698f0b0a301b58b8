"""Sparse rows that are not sealed yet (``index.segments.growing_part``).

The rows of each write get posting lists at once. Stretches of similar length are inverted again as
one, like the runs of a log-structured merge tree: a row takes part in one inversion per power of
``_FACTOR`` and a search meets fewer than ``_FACTOR`` stretches per power.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.vectors import SparseConfig
from palimpsest.index.kinds.sparse.postings import PostingLists
from palimpsest.index.kinds.sparse.rows import SparseRows
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.growing_part import FIRST_CAPACITY, GrowingPart
from palimpsest.index.segments.points import PointColumns, lengthened, longer, room_for

_FACTOR = 8


@dataclass(frozen=True, slots=True, eq=False)
class SparseColumns(PointColumns):
    """The shared arrays; only what lies below the owner's ``n`` rows means anything."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.uint32]
    values: NDArray[np.float32]
    postings: tuple[PostingLists, ...]  # of stretches of rows, together all of them

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        rows = self.indptr.nbytes + self.indices.nbytes + self.values.nbytes
        return self.points_nbytes + rows + sum(postings.nbytes for postings in self.postings)

    def rows(self, start: int, stop: int) -> SparseRows:
        """Return the rows from ``start`` up to ``stop``, which share the arrays."""
        return SparseRows(self.indptr[: stop + 1], self.indices, self.values).part(start, stop)


@dataclass(frozen=True, slots=True, eq=False)
class SparseGrowing(GrowingPart[SparseConfig, SparseColumns, SparseRows]):
    """The first ``n`` rows of ``columns``, less the dead ones."""

    @classmethod
    def empty(cls, config: SparseConfig) -> SparseGrowing:
        """Return a part without rows."""
        columns = SparseColumns(
            **room_for(FIRST_CAPACITY),
            indptr=np.zeros(FIRST_CAPACITY + 1, dtype=np.int64),
            indices=np.empty(0, dtype=np.uint32),
            values=np.empty(0, dtype=np.float32),
            postings=(),
        )
        return cls(config, columns, 0, Dead())

    def _with_room(self, n: int, values: SparseRows) -> SparseColumns:
        columns, capacity = self.columns, self.columns.capacity
        if n > capacity:
            capacity = max(n, 2 * capacity)
            indptr = lengthened(columns.indptr, self.n + 1, capacity + 1)
            columns = replace(columns, indptr=indptr, **longer(columns, self.n, capacity))
        used = int(columns.indptr[self.n])
        needed = used + len(values.indices)
        if needed > len(columns.indices):
            entries = max(needed, 2 * len(columns.indices))
            columns = replace(
                columns,
                indices=lengthened(columns.indices, used, entries),
                values=lengthened(columns.values, used, entries),
            )
        return columns

    def _filled(self, columns: SparseColumns, n: int, values: SparseRows) -> SparseGrowing:
        start = int(columns.indptr[self.n])
        columns.indptr[self.n + 1 : n + 1] = start + values.indptr[1:]
        columns.indices[start : start + len(values.indices)] = values.indices
        columns.values[start : start + len(values.indices)] = values.values
        columns = replace(columns, postings=_inverted(columns, self.n, n))
        return SparseGrowing(self.config, columns, n, self.dead)

    def rows_of(self, rows: NDArray[np.integer[Any]]) -> SparseRows:
        """Return some rows, in the order asked for."""
        return self.columns.rows(0, self.n).take(rows)


def _inverted(columns: SparseColumns, start: int, stop: int) -> tuple[PostingLists, ...]:
    """Return the columns' posting lists with those of new rows, merged where that is due."""
    lists = list(columns.postings)
    while (behind := _absorbed(lists, stop - start)) > 0:
        start = lists[-behind].first
        del lists[-behind:]
    return (*lists, PostingLists.of(columns.rows(start, stop), start))


def _absorbed(lists: list[PostingLists], rows: int) -> int:
    """Return how many of the last stretches a stretch of ``rows`` behind them takes in.

    All smaller ones, else the last ``_FACTOR - 1`` once they are of its own power.
    """
    power = _power(rows)
    powers = [_power(one.last - one.first) for one in lists[-_FACTOR + 1 :]]
    smaller = 0
    while smaller < len(powers) and powers[-1 - smaller] < power:
        smaller += 1
    if smaller:
        return smaller
    return len(powers) if powers == [power] * (_FACTOR - 1) else 0


def _power(rows: int) -> int:
    return (rows.bit_length() - 1) // (_FACTOR.bit_length() - 1)
