"""Rows not sealed yet, in append-only arrays that any number of views share.

``Growing`` is a value: ``extended`` returns a longer one on the same arrays (or on doubled copies
when they are full), so a view keeps seeing the rows it took. Only the longest one may be extended,
and only by the writer thread. From ``CODED_ROWS`` rows on rows are also coded with 4 bits around
the mean of the first ``CODED_ROWS``, and searched by a scan of the codes with rescoring; before
that, and where the encoding is float32 or the distance manhattan, by an exact scan.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.encoding.normalise import Lengths, without_lengths
from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.segments.dead import Dead
from palimpsest.index.segments.finding import find_ascending
from palimpsest.index.segments.searcher import Searcher
from palimpsest.index.storage.ids import Ids, widen_ids
from palimpsest.index.types import Codes, Distance, Numbers, Slots, Vectors

CODED_ROWS = 1_024
CODE_BITS = 4
_FIRST_CAPACITY = 256
_ENCODE_ROWS = 8_192
_SEED = 0


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """The shared arrays; only rows below the owner's ``n`` mean anything."""

    vectors: Vectors
    lengths: Lengths | None
    ids: Ids
    slots: Slots
    numbers: Numbers
    seqs: NDArray[np.uint64]
    codes: Codes | None

    @property
    def capacity(self) -> int:
        """Rows there is room for."""
        return len(self.slots)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        columns = (
            self.vectors,
            self.lengths,
            self.ids,
            self.slots,
            self.numbers,
            self.seqs,
            self.codes,
        )
        return sum(column.nbytes for column in columns if column is not None)


@dataclass(frozen=True, slots=True, eq=False)
class Growing:
    """The first ``n`` rows of ``columns``, less the dead ones."""

    config: VectorConfig
    columns: Columns
    n: int
    dead: Dead
    encoder: Encoder | None
    searcher: Searcher

    @classmethod
    def empty(cls, config: VectorConfig) -> Growing:
        """Return a part without rows."""
        columns = _columns(config, _FIRST_CAPACITY)
        return cls(config, columns, 0, Dead(), None, _searcher(config, columns, None))

    @property
    def live(self) -> int:
        """Rows that are not dead."""
        return self.n - self.dead.count

    @property
    def last_slot(self) -> int:
        """The highest slot; 0 when empty."""
        return int(self.columns.slots[self.n - 1]) if self.n else 0

    def extended(
        self, slots: Slots, seq: int, ids: Ids, numbers: Numbers, vectors: Vectors
    ) -> Growing:
        """Return the part with rows appended; rows it already has are left out.

        ``vectors`` are as they are stored (``index.encoding.normalise``).
        """
        fresh = int(np.searchsorted(slots, self.last_slot, side="right"))
        slots, ids = slots[fresh:], ids[fresh:]
        numbers = numbers[fresh:]
        vectors, lengths = without_lengths(vectors[fresh:], self.config)
        n = self.n + len(slots)
        columns, encoder = self.columns, self.encoder
        if n > columns.capacity:
            columns = _grown(self.config, columns, self.n, n)
        if ids.ndim != columns.ids.ndim:
            ids, columns = widen_ids(ids), replace(columns, ids=widen_ids(columns.ids))
        columns.vectors[self.n : n] = vectors
        if columns.lengths is not None and lengths is not None:
            columns.lengths[self.n : n] = lengths
        columns.ids[self.n : n] = ids
        columns.slots[self.n : n] = slots
        columns.numbers[self.n : n] = numbers
        columns.seqs[self.n : n] = seq
        if encoder is None and n >= CODED_ROWS and _is_coded(self.config):
            encoder = Encoder.fit(
                columns.vectors[:CODED_ROWS], self.config.distance, CODE_BITS, seed=_SEED
            )
            codes = np.empty((columns.capacity, encoder.row_bytes), dtype=np.uint8)
            columns = replace(columns, codes=codes)
            _encode(encoder, columns, 0, n)
        elif encoder is not None:
            _encode(encoder, columns, self.n, n)
        same = columns is self.columns and encoder is self.encoder
        searcher = self.searcher if same else _searcher(self.config, columns, encoder)
        dead = self.dead.with_capacity(columns.capacity)
        return Growing(self.config, columns, n, dead, encoder, searcher)

    def without(self, slots: Slots) -> Growing:
        """Return the part with the rows of ``slots`` dead; slots that are elsewhere are ignored."""
        rows = self.find(slots)
        dead = self.dead.with_rows(rows[rows >= 0], self.columns.capacity)
        return self if dead is self.dead else replace(self, dead=dead)

    def find(self, slots: Slots) -> NDArray[np.intp]:
        """Return the row of each slot, -1 where it is not here."""
        return find_ascending(self.columns.slots[: self.n], slots)

    def vectors_of(self, rows: NDArray[np.intp]) -> Vectors:
        """Return the vectors of rows, (m, d)."""
        return self.columns.vectors[rows]

    def lengths_of(self, rows: NDArray[np.intp]) -> Lengths | None:
        """Return the lengths rows were given with (m,), None where none are kept."""
        return None if self.columns.lengths is None else self.columns.lengths[rows]


def _is_coded(config: VectorConfig) -> bool:
    return config.encoding != "float32" and config.distance is not Distance.MANHATTAN


def _columns(config: VectorConfig, capacity: int) -> Columns:
    return Columns(
        vectors=np.empty((capacity, config.size), dtype=np.float32),
        lengths=np.empty(capacity, dtype=np.float32) if config.keeps_lengths else None,
        ids=np.empty(capacity, dtype=np.uint64),
        slots=np.empty(capacity, dtype=np.uint64),
        numbers=np.empty(capacity, dtype=np.uint32),
        seqs=np.empty(capacity, dtype=np.uint64),
        codes=None,
    )


def _grown(config: VectorConfig, old: Columns, n: int, needed: int) -> Columns:
    capacity = max(needed, 2 * old.capacity)

    def grown(array: NDArray) -> NDArray:  # type: ignore[type-arg]
        larger = np.empty((capacity, *array.shape[1:]), dtype=array.dtype)
        larger[:n] = array[:n]
        return larger

    return Columns(
        vectors=grown(old.vectors),
        lengths=None if old.lengths is None else grown(old.lengths),
        ids=grown(old.ids),
        slots=grown(old.slots),
        numbers=grown(old.numbers),
        seqs=grown(old.seqs),
        codes=None if old.codes is None else grown(old.codes),
    )


def _encode(encoder: Encoder, columns: Columns, start: int, stop: int) -> None:
    assert columns.codes is not None
    for first in range(start, stop, _ENCODE_ROWS):
        last = min(first + _ENCODE_ROWS, stop)
        columns.codes[first:last] = encoder.encode(columns.vectors[first:last])


def _searcher(config: VectorConfig, columns: Columns, encoder: Encoder | None) -> Searcher:
    return Searcher(
        config.distance, config.size, columns.vectors, encoder=encoder, codes=columns.codes
    )
