"""Many sets of vectors in two arrays, and the checks that make them.

Set i holds the vectors ``starts[i]`` to ``starts[i + 1]`` of ``values``, at least one. Nothing here
changes an array it was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.collection import describe_sizes
from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.encoding.normalise import (
    Lengths,
    as_examples,
    as_given,
    check_rows,
    rounded,
    without_lengths,
)
from palimpsest.index.errors import DimensionMismatch, InvalidVector
from palimpsest.index.kinds.kind import Whose
from palimpsest.index.types import (
    MultiVector,
    NamedMultiVectors,
    PointVector,
    Vectors,
)

Starts = NDArray[np.int64]  # (n + 1,), from 0


@dataclass(frozen=True, slots=True, eq=False)
class MultiRows:
    """n sets: ``starts`` (n + 1,), ``values`` (m, d), and ``lengths`` (m,) where they are kept."""

    starts: Starts
    values: Vectors
    lengths: Lengths | None = None

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, rows: slice | NDArray[np.integer[Any]]) -> MultiRows:
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(len(self))
            return self.part(start, stop)
        return self.take(rows)

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many vectors each set has (n,)."""
        return np.diff(self.starts)

    def take(self, rows: NDArray[np.integer[Any]]) -> MultiRows:
        """Return some sets, in the order asked for."""
        starts, places = places_of(self.starts, rows)
        lengths = None if self.lengths is None else self.lengths[places]
        return MultiRows(starts, self.values[places], lengths)

    def part(self, start: int, stop: int) -> MultiRows:
        """Return the sets from ``start`` up to ``stop``; their vectors are shared."""
        stop = max(start, stop)
        first, last = self.starts[start], self.starts[stop]
        lengths = None if self.lengths is None else self.lengths[first:last]
        return MultiRows(self.starts[start : stop + 1] - first, self.values[first:last], lengths)

    def given(self) -> Vectors:
        """Return all vectors (m, d) as they were given."""
        return as_given(self.values, self.lengths)

    def to_bytes(self) -> bytes:
        """Return counts, vectors and lengths, little-endian, four bytes a number."""
        counts = self.counts.astype("<u4").tobytes()
        lengths = b"" if self.lengths is None else self.lengths.astype("<f4").tobytes()
        return counts + np.ascontiguousarray(self.values, "<f4").tobytes() + lengths

    @classmethod
    def from_bytes(cls, stored: bytes | memoryview, n: int, config: MultiConfig) -> MultiRows:
        """Return the n sets of ``to_bytes``. Raises ValueError when the length does not fit."""
        starts = starts_of(np.frombuffer(stored, "<u4", n).astype(np.int64))
        m, keeps = int(starts[-1]), config.token.keeps_lengths
        expected = 4 * n + 4 * m * (config.size + keeps)
        if len(stored) != expected:
            raise ValueError(f"expected {expected} bytes, got {len(stored)}")
        values = np.frombuffer(stored, "<f4", m * config.size, 4 * n).reshape(m, config.size)
        lengths = None
        if keeps:
            lengths = np.frombuffer(stored, "<f4", m, 4 * n + values.nbytes).astype(np.float32)
        return cls(starts, values.astype(np.float32, copy=False), lengths)


def starts_of(counts: NDArray[np.int64]) -> Starts:
    """Return where sets of some counts (n,) start, and where the last one ends."""
    starts = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=starts[1:])
    return starts


def places_of(starts: Starts, rows: NDArray[np.integer[Any]]) -> tuple[Starts, NDArray[np.int64]]:
    """Return where some sets start once they stand in a row, and the places of their vectors."""
    counts = starts[rows + 1] - starts[rows]
    own = starts_of(counts)
    return own, np.repeat(starts[rows] - own[:-1], counts) + np.arange(own[-1])


def join_rows(pieces: Sequence[MultiRows], size: int) -> MultiRows:
    """Return the sets of all pieces, one after the other; no length of a piece that has none is 0.

    Args:
        pieces: any number.
        size: of their vectors.
    """
    counts = np.concatenate([np.empty(0, np.int64), *(piece.counts for piece in pieces)])
    values = np.concatenate([np.empty((0, size), np.float32), *(one.values for one in pieces)])
    lengths = [one.lengths for one in pieces if one.lengths is not None]
    whole = len(pieces) > 0 and len(lengths) == len(pieces)
    return MultiRows(starts_of(counts), values, np.concatenate(lengths) if whole else None)


def checked_rows(given: NamedMultiVectors, whose: Whose, config: MultiConfig) -> MultiRows:
    """Return sets of a batch as they are stored, in arrays of their own.

    Raises:
        DimensionMismatch: the vectors are not as long as declared.
        InvalidVector: a set is empty or too large, or a vector holds what cannot be compared; the
            text names the point, and the place of the vector in its set.
    """
    starts, values = given.starts, given.values
    _require_sets(given, whose)
    ids, positions = whose.ids, given.positions
    if values.shape[1] != config.size and len(values):
        hint = describe_sizes(whose.name, whose.declared.every_name)
        where = f"each vector of point {ids[positions[0]]}" + (f"; {hint}" if hint else "")
        raise DimensionMismatch(config.size, values.shape[1], where)
    counts = np.diff(starts)
    odd = np.flatnonzero((counts == 0) | (counts > config.max_vectors))
    if odd.size:
        point = f"point {ids[positions[odd[0]]]}"
        _require_count(int(counts[odd[0]]), config, f"Multivector {whose.name!r} of {point}")

    def owner(place: int) -> str:
        row = int(np.searchsorted(starts, place, side="right")) - 1
        return f"point {ids[positions[row]]} at place {place - int(starts[row])} of its set"

    narrow = np.ascontiguousarray(values, dtype=np.float32)
    stored = check_rows(narrow, config.token, owner)
    if np.may_share_memory(stored, values):
        stored = stored.copy()  # the caller may reuse its array before it is written
    vectors, lengths = without_lengths(stored, config.token)
    return MultiRows(starts.astype(np.int64), np.ascontiguousarray(vectors), lengths)


def checked_query(query: PointVector, config: MultiConfig, *, averaged: bool = False) -> Vectors:
    """Return the vectors (t, d) of a query ready for search; one vector is a set of one.

    One ``averaged`` of several, which has the vectors of all of them, may have more than a set.

    Raises:
        DimensionMismatch: its vectors are not as long as declared.
        InvalidVector: it is sparse, or what ``checked_rows`` refuses.
    """
    if not isinstance(query, MultiVector | np.ndarray):
        raise InvalidVector(f"The query vector is {query.kind}, expected a set of dense vectors")
    values = query.values if isinstance(query, MultiVector) else query[None, :]
    if values.ndim != 2:
        raise InvalidVector(
            f"The query: expected vectors of one length, (any number, {config.size}), "
            f"got an array of shape {values.shape}"
        )
    if len(values) and values.shape[1] != config.size:
        raise DimensionMismatch(config.size, values.shape[1], "each vector of the query")
    if not len(values) or not averaged:
        _require_count(len(values), config, "The query")
    values = np.ascontiguousarray(values, dtype=np.float32)
    ready = check_rows(values, config.asked, lambda place: f"the query at place {place} of its set")
    return np.ascontiguousarray(ready[:, : config.size])


def as_query(vector: MultiVector, config: MultiConfig) -> MultiVector:
    """Return a set that was read as it is searched for."""
    return MultiVector(as_examples(vector.values, config.token))


def _require_count(count: int, config: MultiConfig, what: str) -> None:
    if count == 0:
        raise InvalidVector(f"{what} has no vectors: expected at least one")
    if count > config.max_vectors:
        raise InvalidVector(
            f"{what} has {count} vectors: expected at most {config.max_vectors} (max_vectors of "
            "the vector name): pool them, or split the point"
        )


def _require_sets(given: NamedMultiVectors, whose: Whose) -> None:
    starts, values, n = given.starts, given.values, len(given.positions)
    shaped = values.ndim == 2 and starts.shape == (n + 1,) and starts.dtype.kind in "iu"
    if not shaped:
        raise InvalidVector(
            f"Vectors of {whose.name!r}: expected starts ({n + 1},) of whole numbers and values "
            f"(any number, d), got {starts.shape} {starts.dtype} and {values.shape}"
        )
    if starts[0] != 0 or starts[-1] != len(values) or (starts[1:] < starts[:-1]).any():
        raise InvalidVector(
            f"Vectors of {whose.name!r}: starts must rise from 0 to the number of vectors, "
            f"{len(values)}"
        )


def rounded_rows(rows: MultiRows, config: MultiConfig) -> MultiRows:
    """Return sets in the numbers they are kept in."""
    return MultiRows(rows.starts, rounded(rows.values, config.token), rows.lengths)
