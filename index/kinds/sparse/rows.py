"""Many sparse vectors in three arrays, and the checks that make them.

Row i holds the places ``indptr[i]`` to ``indptr[i + 1]`` of ``indices`` and ``values``; the indices
of a row are ascending, each once. A row may be empty. Nothing here changes an array it was given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from palimpsest.index.errors import InvalidVector
from palimpsest.index.types import SparseVector

MAX_INDEX = 2**32 - 1


@dataclass(frozen=True, slots=True, eq=False)
class SparseRows:
    """n rows: ``indptr`` (n + 1,) from 0, ``indices`` and ``values`` of all rows in turn."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.uint32]
    values: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __getitem__(self, rows: slice | NDArray[np.integer[Any]]) -> SparseRows:
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(len(self))
            return self.part(start, stop)
        return self.take(rows)

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        return self.indptr.nbytes + self.indices.nbytes + self.values.nbytes

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The number of indices of each row (n,)."""
        return np.diff(self.indptr)

    def vector(self, row: int) -> SparseVector:
        """Return one row."""
        start, stop = self.indptr[row], self.indptr[row + 1]
        return SparseVector(self.indices[start:stop], self.values[start:stop])

    def copy(self) -> SparseRows:
        """Return the same rows in arrays of their own."""
        return SparseRows(self.indptr.copy(), self.indices.copy(), self.values.copy())

    def take(self, rows: NDArray[np.integer[Any]]) -> SparseRows:
        """Return some rows, in the order asked for."""
        lengths = self.indptr[rows + 1] - self.indptr[rows]
        indptr = indptr_of(lengths)
        places = np.repeat(self.indptr[rows] - indptr[:-1], lengths) + np.arange(indptr[-1])
        return SparseRows(indptr, self.indices[places], self.values[places])

    def part(self, start: int, stop: int) -> SparseRows:
        """Return the rows from ``start`` up to ``stop``; their entries are shared."""
        first, last = self.indptr[start], self.indptr[stop]
        return SparseRows(
            self.indptr[start : stop + 1] - first, self.indices[first:last], self.values[first:last]
        )

    def to_bytes(self) -> bytes:
        """Return lengths, indices and values, little-endian, four bytes each."""
        lengths = self.lengths.astype("<u4").tobytes()
        return lengths + self.indices.astype("<u4").tobytes() + self.values.astype("<f4").tobytes()

    @classmethod
    def from_bytes(cls, stored: bytes | memoryview, n: int) -> SparseRows:
        """Return the n rows of ``to_bytes``. Raises ValueError when the length does not fit."""
        indptr = indptr_of(np.frombuffer(stored, "<u4", n).astype(np.int64))
        entries = int(indptr[-1])
        if len(stored) != 4 * n + 8 * entries:
            raise ValueError(f"expected {4 * n + 8 * entries} bytes, got {len(stored)}")
        indices = np.frombuffer(stored, "<u4", entries, 4 * n)
        values = np.frombuffer(stored, "<f4", entries, 4 * (n + entries))
        return cls(indptr, indices.astype(np.uint32), values.astype(np.float32))


@dataclass(frozen=True, slots=True)
class NamedSparse:
    """The sparse vectors of one name in a batch; ``positions`` (m,) as in ``NamedVectors``."""

    kind: ClassVar[str] = "sparse"

    positions: NDArray[np.int64]
    rows: SparseRows


def join_rows(pieces: Sequence[SparseRows]) -> SparseRows:
    """Return the rows of all pieces, one after the other."""
    no_lengths, no_indices, no_values = (
        np.empty(0, dtype=kind) for kind in (np.int64, np.uint32, np.float32)
    )
    return SparseRows(
        indptr_of(np.concatenate([no_lengths, *(piece.lengths for piece in pieces)])),
        np.concatenate([no_indices, *(piece.indices for piece in pieces)]),
        np.concatenate([no_values, *(piece.values for piece in pieces)]),
    )


def indptr_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where rows of the given lengths start, and where the last one ends (n + 1,)."""
    indptr = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=indptr[1:])
    return indptr


def check_sparse(indices: ArrayLike, values: ArrayLike, whose: str = "the query") -> SparseVector:
    """Return a sparse vector in stored form: ascending indices.

    Args:
        indices: (m,) integers from 0 to 2**32 - 1 in any order, each once.
        values: (m,) finite numbers.
        whose: what the error calls the owner of the vector.

    Raises:
        InvalidVector: one of these does not hold.
    """
    found, wide = np.asarray(indices), np.asarray(values)
    if found.ndim != 1 or found.shape != wide.shape:
        raise InvalidVector(
            f"The sparse vector of {whose} has {found.size} indices and {wide.size} values: "
            "there must be one value per index"
        )
    if found.size:
        _require_numbers(found, wide, whose)
    with np.errstate(over="ignore"):  # what overflows becomes Inf, which is refused
        narrow = found.astype(np.uint32), wide.astype(np.float32)
    indptr = np.array([0, found.size], dtype=np.int64)
    return checked_rows(SparseRows(indptr, *narrow), lambda _: whose).vector(0)


def checked_rows(rows: SparseRows, whose: Callable[[int], str]) -> SparseRows:
    """Return rows with the indices of each ascending; the arrays are shared where they were so.

    Raises:
        InvalidVector: a value is not finite, or a row repeats an index; names the first bad row.
            Or the arrays are not those of rows.
    """
    _require_rows(rows)
    finite = np.isfinite(rows.values)
    if not finite.all():
        owner = whose(_row_of(rows, int(finite.argmin())))
        raise InvalidVector(f"The sparse vector of {owner} holds NaN or Inf: values must be finite")
    keys = np.repeat(np.arange(len(rows), dtype=np.uint64) << np.uint64(32), rows.lengths)
    keys |= rows.indices
    if (keys[1:] > keys[:-1]).all():
        return rows
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    repeated = keys[1:] == keys[:-1]
    if repeated.any():
        key = int(keys[repeated.argmax()])
        raise InvalidVector(
            f"The sparse vector of {whose(key >> 32)} holds index {key & MAX_INDEX} more than once:"
            " indices must be unique"
        )
    return SparseRows(rows.indptr, rows.indices[order], rows.values[order])


def _require_rows(rows: SparseRows) -> None:
    indptr, indices, values = rows.indptr, rows.indices, rows.values
    types = [column.dtype.str for column in (indptr, indices, values)] == ["<i8", "<u4", "<f4"]
    flat = indptr.ndim == indices.ndim == values.ndim == 1 and len(indptr) > 0
    if not (types and flat and len(indices) == len(values)):
        raise InvalidVector(
            "Sparse rows: expected indptr (n + 1,) int64, indices (m,) uint32 and values (m,)"
            f" float32, got {indptr.shape} {indptr.dtype}, {indices.shape} {indices.dtype} and"
            f" {values.shape} {values.dtype}"
        )
    if indptr[0] != 0 or indptr[-1] != len(indices) or (np.diff(indptr) < 0).any():
        raise InvalidVector(
            f"Sparse rows: indptr must rise from 0 to the number of indices, {len(indices)}"
        )


def _require_numbers(indices: NDArray[Any], values: NDArray[Any], whose: str) -> None:
    kind = indices.dtype.kind
    if kind not in "iu" or int(indices.min()) < 0 or int(indices.max()) > MAX_INDEX:
        raise InvalidVector(
            f"The sparse vector of {whose} has an index that is not an integer from 0 to"
            f" {MAX_INDEX}"
        )
    if values.dtype.kind not in "iuf":
        raise InvalidVector(f"The sparse vector of {whose} has a value that is not a number")


def _row_of(rows: SparseRows, place: int) -> int:
    return int(np.searchsorted(rows.indptr, place, side="right")) - 1
