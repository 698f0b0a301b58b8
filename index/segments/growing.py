"""Dense rows that are not sealed yet (``growing_part``).

From ``CODED_ROWS`` rows on rows are also coded with 4 bits around
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
from palimpsest.index.segments.growing_part import FIRST_CAPACITY, GrowingPart
from palimpsest.index.segments.points import PointColumns, lengthened, longer, room_for
from palimpsest.index.segments.searcher import Searcher
from palimpsest.index.types import Codes, Distance, Vectors

# Fewer rows are compared as they are: an encoder that was fitted on few would code the later ones
# badly, and scanning so few takes no time.
CODED_ROWS = 1_024
# Whatever the encoding of segments is: codes here only choose candidates, which are compared again
# by vectors that are in memory anyway.
CODE_BITS = 4
_ENCODE_ROWS = 8_192
_SEED = 0


@dataclass(frozen=True, slots=True, eq=False)
class Columns(PointColumns):
    """The shared arrays; only rows below the owner's ``n`` mean anything."""

    vectors: Vectors
    lengths: Lengths | None
    codes: Codes | None

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        columns = self.vectors, self.lengths, self.codes
        return self.points_nbytes + sum(one.nbytes for one in columns if one is not None)


@dataclass(frozen=True, slots=True, eq=False)
class Growing(GrowingPart[VectorConfig, Columns, Vectors]):
    """The first ``n`` rows of ``columns``, less the dead ones.

    Vectors that come are as they are stored (``index.encoding.normalise``).
    """

    encoder: Encoder | None
    searcher: Searcher

    @classmethod
    def empty(cls, config: VectorConfig) -> Growing:
        """Return a part without rows."""
        columns = Columns(
            **room_for(FIRST_CAPACITY),
            vectors=np.empty((FIRST_CAPACITY, config.size), dtype=np.float32),
            lengths=np.empty(FIRST_CAPACITY, dtype=np.float32) if config.keeps_lengths else None,
            codes=None,
        )
        return cls(config, columns, 0, Dead(), None, _searcher(config, columns, None))

    def _with_room(self, n: int, values: Vectors) -> Columns:
        return self.columns if n <= self.columns.capacity else _grown(self.columns, self.n, n)

    def _filled(self, columns: Columns, n: int, values: Vectors) -> Growing:
        vectors, lengths = without_lengths(values, self.config)
        encoder = self.encoder
        # Behind the rows of every view that shares the arrays: none of them looks beyond its own
        # `n`, so that writing here disturbs no reader.
        columns.vectors[self.n : n] = vectors
        if columns.lengths is not None and lengths is not None:
            columns.lengths[self.n : n] = lengths
        if encoder is None and n >= CODED_ROWS and _is_coded(self.config):
            encoder = Encoder.fit(
                # The first rows, never refitted: codes that were written stay as they are for the
                # part's life.
                columns.vectors[:CODED_ROWS],
                self.config.distance,
                CODE_BITS,
                seed=_SEED,
            )
            codes = np.empty((columns.capacity, encoder.row_bytes), dtype=np.uint8)
            columns = replace(columns, codes=codes)
            _encode(encoder, columns, 0, n)
        elif encoder is not None:
            _encode(encoder, columns, self.n, n)
        same = columns is self.columns and encoder is self.encoder
        searcher = self.searcher if same else _searcher(self.config, columns, encoder)
        return Growing(self.config, columns, n, self.dead, encoder, searcher)

    @property
    def in_memory(self) -> Vectors:
        """All rows (n, d), which are not copied to be written."""
        return self.columns.vectors[: self.n]

    @property
    def encoding(self) -> None:
        """What was asked for when rows were coded: nothing, vectors are kept."""
        return None

    def only_codes(self, rows: NDArray[np.intp]) -> None:
        """Return the codes of rows that have no originals: there are none."""
        return None

    def vectors_of(self, rows: NDArray[np.intp]) -> Vectors:
        """Return the vectors of rows, (m, d)."""
        return self.columns.vectors[rows]

    def lengths_of(self, rows: NDArray[np.intp]) -> Lengths | None:
        """Return the lengths rows were given with (m,), None where none are kept."""
        return None if self.columns.lengths is None else self.columns.lengths[rows]


def _is_coded(config: VectorConfig) -> bool:
    return config.encoding != "float32" and config.distance is not Distance.MANHATTAN


def _grown(old: Columns, n: int, needed: int) -> Columns:
    # Doubled, so that each row is copied once on average; readers keep the old arrays as long as
    # they need them.
    capacity = max(needed, 2 * old.capacity)
    return Columns(
        **longer(old, n, capacity),
        vectors=lengthened(old.vectors, n, capacity),
        lengths=None if old.lengths is None else lengthened(old.lengths, n, capacity),
        codes=None if old.codes is None else lengthened(old.codes, n, capacity),
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
