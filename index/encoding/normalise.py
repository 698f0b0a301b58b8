"""Brings vectors into the form they are searched and read in, at the moment they come.

Under cosine they are of unit length, but a zero one, which has no direction, stays zero and scores
0. Values become numbers of the declared datatype: ``uint8`` cuts fractions off and ends at 0 and
255, before anything else; ``float16`` rounds to the nearest and ends at the largest finite one.
So a value that is read is the value searched, before a row is sealed and after.

Bytes under cosine are given back as bytes, as Qdrant does, and searched by unit vectors: rows of
such a name are stored with their lengths behind them, 0 for a row that is read as it is searched.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import _native
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.errors import DimensionMismatch, InvalidVector
from palimpsest.index.types import Distance, KindVector, PointVector, Vector, Vectors

Whose: TypeAlias = Callable[[int], str]  # row -> what to call its vector in a text
Lengths: TypeAlias = NDArray[np.float32]  # (n,)

LONGEST = 1e18
_AVERAGED = 3  # times as long is twice the mean of some examples less that of others, at most
_SLACK = 1 + 1e-6  # of the longest: float32 values of such a vector are off by that much
_SAFE = (1e-24, LONGEST**2)  # squared lengths that float32 sums without losing them
_UNIT2 = 1.5  # squared length; bytes below it are a single 1, whose direction scaling keeps
_UNIT_SLACK = 2.5e-7  # of a squared length: what rounding to float32 leaves of unit rows, at most
_LARGEST_HALF = float(np.finfo(np.float16).max)


def check_query(query: PointVector, config: VectorConfig, *, averaged: bool = False) -> Vector:
    """Return a query vector ready for search.

    One ``averaged`` of checked examples may be as long as these make it.

    Raises:
        DimensionMismatch: its length is not the declared one.
        InvalidVector: it holds NaN or Inf, is too long, or is sparse.
    """
    if isinstance(query, KindVector):
        what = f"The query vector is {query.kind}, expected a dense one for this vector name"
        raise InvalidVector(what)
    if query.shape != (config.size,):
        raise DimensionMismatch(config.size, query.size)
    if query.dtype != np.float32 or not query.flags.c_contiguous:
        query = np.ascontiguousarray(query, dtype=np.float32)
    if config.datatype == "float32":
        return _checked_query(query, config, averaged)
    if config.datatype == "uint8" and np.isfinite(query).all():
        query = _to_uint8(query)
    query = _checked_query(query, config, averaged)
    return _to_float16(query) if config.datatype == "float16" else query


def _checked_query(query: Vector, config: VectorConfig, averaged: bool) -> Vector:
    # As searches that are ready do it (``index/native/ready.h``), to the last bit.
    norm2 = _native.squared_length(query)
    if _SAFE[0] < norm2 < _SAFE[1]:
        if config.distance is not Distance.COSINE:
            return query
        unit = np.empty_like(query)
        _native.to_unit(query, norm2, unit)
        return unit
    wide = query.astype(np.float64)  # squares of float32 values neither overflow nor vanish in it
    norm2 = float(wide.dot(wide))
    if not math.isfinite(norm2):
        raise InvalidVector("The query vector holds NaN or Inf")
    if config.distance is Distance.COSINE:
        if norm2 > 0:
            wide *= norm2**-0.5
        return wide.astype(np.float32)
    longest = _AVERAGED * LONGEST if averaged else LONGEST
    if norm2 > (longest * _SLACK) ** 2:
        raise InvalidVector(_too_long("The query vector"))
    return query


def check_rows(values: Vectors, config: VectorConfig, whose: Whose) -> Vectors:
    """Return vectors (n, d) float32 as they are stored; the array itself where nothing changes.

    Where lengths are kept they are a last column.

    Raises:
        InvalidVector: one holds NaN or Inf, or is too long; ``whose`` names it.
    """
    norm2 = np.einsum("ij,ij->i", values, values)
    odd = np.flatnonzero(~((norm2 > _SAFE[0]) & (norm2 < _SAFE[1])))
    if odd.size:
        _check_odd(values[odd], config, lambda row: whose(int(odd[row])))
    if config.datatype == "uint8":
        values = _to_uint8(values)
    if config.distance is not Distance.COSINE:
        return rounded(values, config)
    unit = rounded(_unit_rows(values), config)
    if not config.keeps_lengths:
        return unit
    lengths = np.sqrt(np.einsum("ij,ij->i", values, values, dtype=np.float64))
    return with_lengths(unit, lengths.astype(np.float32))


def with_lengths(unit: Vectors, lengths: Lengths | None = None) -> Vectors:
    """Return rows (n, d) with their lengths (n,), or 0, as a last column."""
    column = np.zeros(len(unit), dtype=np.float32) if lengths is None else lengths
    return np.ascontiguousarray(np.column_stack([unit, column]), dtype=np.float32)


def without_lengths(values: Vectors, config: VectorConfig) -> tuple[Vectors, Lengths | None]:
    """Return stored rows (n, d) and their lengths (n,), None where none are kept."""
    if not config.keeps_lengths:
        return values, None
    if values.shape[1] == config.size:  # stored before lengths were kept
        return values, np.zeros(len(values), dtype=np.float32)
    return values[:, : config.size], values[:, config.size]


def as_given(unit: Vectors, lengths: Lengths | None) -> Vectors:
    """Return rows as the user sees them: bytes where the lengths of unit vectors are known."""
    if lengths is None:
        return unit
    return np.where((lengths > 0)[:, None], np.rint(unit * lengths[:, None]), unit)


def as_examples(values: Vectors, config: VectorConfig) -> Vectors:
    """Return stored or mapped vectors (n, d) as queries are made of them.

    Queries of bytes are cut to bytes, of which a unit vector would leave nothing: one whose bytes
    are not known (a mapped one, or one of an earlier release) becomes as long as bytes can be.
    """
    if not config.keeps_lengths or not len(values):
        return values
    norm2 = np.einsum("ij,ij->i", values, values)
    largest = np.abs(values).max(axis=1)
    is_unit = (largest > 0) & (norm2 < _UNIT2)
    scales = np.where(is_unit, 255 / np.where(largest > 0, largest, 1), 1).astype(np.float32)
    return values * scales[:, None]


def rounded(values: Vectors, config: VectorConfig) -> Vectors:
    """Return rows in the numbers they are kept in; those that are already stay as they are.

    Bytes under cosine are of unit length by now, and no bytes any more.
    """
    if config.numbers == "uint8" and not config.keeps_lengths:
        return _to_uint8(values)
    if config.numbers == "float16" or (config.keeps_lengths and config.originals == "float16"):
        return _to_float16(values)
    return values


def _check_odd(values: Vectors, config: VectorConfig, whose: Whose) -> None:
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        raise InvalidVector(f"The vector of {whose(int(finite.argmin()))} holds NaN or Inf")
    if config.distance is Distance.COSINE:
        return  # of whatever length: only the direction counts
    wide = values.astype(np.float64)
    long = np.einsum("ij,ij->i", wide, wide) > (LONGEST * _SLACK) ** 2
    if long.any():
        raise InvalidVector(_too_long(f"The vector of {whose(int(long.argmax()))}"))


def _too_long(what: str) -> str:
    return (
        f"{what} is longer than {LONGEST:.0e}, beyond which float32 cannot hold the squares of "
        "distances: scale the vectors down"
    )


def _unit_rows(values: Vectors) -> Vectors:
    """Return rows of unit length, zero ones as they are, and so those that are of it already.

    A row that is read and written again so stays the same to the last bit.

    Lengths are summed in float64, so that equal vectors score 1 to within float32 rounding.
    """
    norm2 = np.einsum("ij,ij->i", values, values, dtype=np.float64)
    lengths = np.sqrt(norm2)
    lengths[(lengths == 0) | (np.abs(norm2 - 1) <= _UNIT_SLACK)] = 1
    with np.errstate(over="ignore", invalid="ignore"):  # of rows that are done again below
        scales = (1 / lengths).astype(np.float32)
        unit: Vectors = values * scales[:, None]
    odd = np.flatnonzero(~((norm2 > _SAFE[0]) & (norm2 < _SAFE[1])))
    if odd.size:  # what float32 cannot scale
        unit[odd] = values[odd].astype(np.float64) / lengths[odd][:, None]
    return unit


def _to_uint8(values: Vectors) -> Vectors:
    return np.trunc(np.clip(values, 0, 255))


def _to_float16(values: Vectors) -> Vectors:
    narrow = np.clip(values, -_LARGEST_HALF, _LARGEST_HALF).astype(np.float16)
    return narrow.astype(np.float32)
