"""Sparse rows not sealed yet, in append-only arrays that any number of views share.

``SparseGrowing`` is a value like ``index.segments.growing.Growing``: ``extended`` returns a longer
one on the same arrays, only the longest may be extended, and only by the writer thread. The rows of
each write get posting lists at once. Stretches of similar length are inverted again as one, like
the runs of a log-structured merge tree: a row takes part in one inversion per power of ``_FACTOR``
and a search meets fewer than ``_FACTOR`` stretches per power.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.vectors import SparseConfig
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.finding import find_ascending
from palimpsest.index.segments.sparse.postings import PostingLists
from palimpsest.index.segments.sparse.rows import SparseRows
from palimpsest.index.storage.ids import Ids, widen_ids
from palimpsest.index.types import Numbers, Slots

_FIRST_CAPACITY = 256
_FACTOR = 8


@dataclass(frozen=True, slots=True, eq=False)
class SparseColumns:
    """The shared arrays; only what lies below the owner's ``n`` rows means anything."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.uint32]
    values: NDArray[np.float32]
    ids: Ids
    slots: Slots
    numbers: Numbers
    seqs: NDArray[np.uint64]
    postings: tuple[PostingLists, ...]  # of stretches of rows, together all of them

    @property
    def capacity(self) -> int:
        """Rows there is room for."""
        return len(self.slots)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        rows = self.indptr.nbytes + self.indices.nbytes + self.values.nbytes
        points = self.ids.nbytes + self.slots.nbytes + self.numbers.nbytes + self.seqs.nbytes
        return rows + points + sum(postings.nbytes for postings in self.postings)

    def rows(self, start: int, stop: int) -> SparseRows:
        """Return the rows from ``start`` up to ``stop``, which share the arrays."""
        return SparseRows(self.indptr[: stop + 1], self.indices, self.values).part(start, stop)


@dataclass(frozen=True, slots=True, eq=False)
class SparseGrowing:
    """The first ``n`` rows of ``columns``, less the dead ones."""

    config: SparseConfig
    columns: SparseColumns
    n: int
    dead: Dead

    @classmethod
    def empty(cls, config: SparseConfig) -> SparseGrowing:
        """Return a part without rows."""
        return cls(config, _columns(_FIRST_CAPACITY), 0, Dead())

    @property
    def live(self) -> int:
        """Rows that are not dead."""
        return self.n - self.dead.count

    @property
    def last_slot(self) -> int:
        """The highest slot; 0 when empty."""
        return int(self.columns.slots[self.n - 1]) if self.n else 0

    def extended(
        self, slots: Slots, seq: int, ids: Ids, numbers: Numbers, rows: SparseRows
    ) -> SparseGrowing:
        """Return the part with rows appended; rows it already has are left out."""
        fresh = int(np.searchsorted(slots, self.last_slot, side="right"))
        slots, ids, numbers = slots[fresh:], ids[fresh:], numbers[fresh:]
        if not len(slots):
            return self
        rows = rows.part(fresh, len(rows))
        n = self.n + len(slots)
        columns = _with_room(self.columns, self.n, n, len(rows.indices))
        if ids.ndim != columns.ids.ndim:
            ids, columns = widen_ids(ids), replace(columns, ids=widen_ids(columns.ids))
        columns.ids[self.n : n] = ids
        columns.slots[self.n : n] = slots
        columns.numbers[self.n : n] = numbers
        columns.seqs[self.n : n] = seq
        start = int(columns.indptr[self.n])
        columns.indptr[self.n + 1 : n + 1] = start + rows.indptr[1:]
        columns.indices[start : start + len(rows.indices)] = rows.indices
        columns.values[start : start + len(rows.indices)] = rows.values
        columns = replace(columns, postings=_inverted(columns, self.n, n))
        return SparseGrowing(self.config, columns, n, self.dead.with_capacity(columns.capacity))

    def without(self, slots: Slots) -> SparseGrowing:
        """Return the part with the rows of ``slots`` dead; slots that are elsewhere are ignored."""
        rows = self.find(slots)
        dead = self.dead.with_rows(rows[rows >= 0], self.columns.capacity)
        return self if dead is self.dead else replace(self, dead=dead)

    def find(self, slots: Slots) -> NDArray[np.intp]:
        """Return the row of each slot, -1 where it is not here."""
        return find_ascending(self.columns.slots[: self.n], slots)

    def rows_of(self, rows: NDArray[np.integer[Any]]) -> SparseRows:
        """Return some rows, in the order asked for."""
        return self.columns.rows(0, self.n).take(rows)


def _columns(capacity: int) -> SparseColumns:
    return SparseColumns(
        indptr=np.zeros(capacity + 1, dtype=np.int64),
        indices=np.empty(0, dtype=np.uint32),
        values=np.empty(0, dtype=np.float32),
        ids=np.empty(capacity, dtype=np.uint64),
        slots=np.empty(capacity, dtype=np.uint64),
        numbers=np.empty(capacity, dtype=np.uint32),
        seqs=np.empty(capacity, dtype=np.uint64),
        postings=(),
    )


def _with_room(old: SparseColumns, n: int, needed: int, entries: int) -> SparseColumns:
    """Return columns for ``needed`` rows, with room for more entries behind those of n rows."""
    columns = old
    if needed > old.capacity:
        capacity = max(needed, 2 * old.capacity)
        columns = replace(
            columns,
            indptr=_grown(old.indptr, n + 1, capacity + 1),
            ids=_grown(old.ids, n, capacity),
            slots=_grown(old.slots, n, capacity),
            numbers=_grown(old.numbers, n, capacity),
            seqs=_grown(old.seqs, n, capacity),
        )
    used = int(old.indptr[n])
    if used + entries > len(old.indices):
        capacity = max(used + entries, 2 * len(old.indices))
        columns = replace(
            columns,
            indices=_grown(old.indices, used, capacity),
            values=_grown(old.values, used, capacity),
        )
    return columns


def _grown(array: NDArray[Any], used: int, capacity: int) -> NDArray[Any]:
    larger = np.empty((capacity, *array.shape[1:]), dtype=array.dtype)
    larger[:used] = array[:used]
    return larger


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
