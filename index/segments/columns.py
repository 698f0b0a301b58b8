"""Whether the columns of a segment can be those of its rows, though every checksum is right."""

from __future__ import annotations

from typing import Any

import numpy as np

from palimpsest.index.segments.originals import SCALE_BYTES
from palimpsest.index.storage.files import Array, Folder
from palimpsest.index.storage.ids import ID_BYTES

_OF_ROWS: dict[str, type[np.generic]] = {
    "slots": np.uint64,
    "by_slot": np.uint32,
    "seqs": np.uint64,
    "numbers": np.uint32,
    "lengths": np.float32,
}
_BEFORE = {"float32": 0, "float16": 0, "uint8": SCALE_BYTES}  # what stands before a row's values


def require_columns(files: Folder) -> None:
    """Require one entry per row in each column that is there, and rows in order of their slots.

    Raises:
        ValueError: a column has another shape or dtype, or does not fit the others.
        KeyError: there are no ids or slots.
    """
    ids = files.mapped("ids")
    plain = ids.ndim == 1 and ids.dtype == np.uint64
    _require(plain or (ids.ndim == 2 and ids.shape[1] == ID_BYTES and ids.dtype == np.uint8), ids)
    n = len(ids)
    for name, dtype in _OF_ROWS.items():
        if files.has(name):
            column = files.mapped(name)
            _require(column.shape == (n,) and column.dtype == dtype, column, name)
    if files.has("by_slot"):
        by_slot, slots = files.mapped("by_slot"), files.mapped("slots")
        ordered = slots[by_slot]
        _require(bool((ordered[1:] > ordered[:-1]).all()), by_slot, "by_slot")


def require_dense(files: Folder, n: int) -> None:
    """Require kept rows and codes, where they are, to be of n rows. Raises ValueError."""
    if files.has("kept"):
        kept = files.mapped("kept")
        fits = kept.shape == (n, files.description["size"] + _BEFORE.get(kept.dtype.name, 0))
        _require(fits and kept.dtype.name in _BEFORE, kept, "kept")
    if files.has("codes"):
        codes = files.mapped("codes")
        _require(codes.dtype == np.uint8 and codes.ndim == 2 and len(codes) == n, codes, "codes")


def require_rows(indptr: Array, indices: Array, values: Array, n: int) -> None:
    """Require arrays to be those of n sparse rows. Raises ValueError."""
    _require(indptr.dtype == np.int64 and indptr.shape == (n + 1,), indptr, "indptr")
    _require(indices.dtype == np.uint32 and indices.ndim == 1, indices, "indices")
    _require(values.dtype == np.float32 and values.shape == indices.shape, values, "values")
    rising = bool((indptr[1:] >= indptr[:-1]).all())
    _require(rising and indptr[0] == 0 and indptr[-1] == len(indices), indptr, "indptr")


def _require(fits: Any, array: Array, name: str = "ids") -> None:
    if not fits:
        raise ValueError(f"{name} ({array.dtype} of {array.shape}) does not fit the other columns")
