"""Checks a batch as a whole, before anything of it is written, and brings it into stored form."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from index.config import CollectionConfig, VectorConfig
from index.errors import DimensionMismatch, InvalidInput, InvalidVector, UnknownVectorName
from index.storage.ids import Ids, Key, check_ids, keys_of, pack_ids
from index.types import Distance, NamedVectors, PointBatch, PointId, Vector, Vectors

Whose: TypeAlias = Callable[[int], str]  # row -> what to call its vector in a text

_LONGEST = 1e15
_SAFE = (1e-24, _LONGEST**2)  # squared lengths that float32 sums without losing them


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The vectors of one name; ``positions`` are places in the batch, ascending."""

    name: str
    positions: NDArray[np.int64]
    values: Vectors


@dataclass(frozen=True, slots=True, eq=False)
class Upsert:
    """A checked batch: each id once, vectors as they are stored."""

    ids: Ids
    keys: Sequence[Key]
    payloads: Sequence[bytes | None]
    columns: Sequence[Column]


@dataclass(frozen=True, slots=True, eq=False)
class Deletion:
    """Checked ids of points to delete, each once."""

    keys: Sequence[Key]


def check_upsert(batch: PointBatch, config: CollectionConfig) -> Upsert:
    """Return the batch as it will be stored; of points with one id the last wins.

    Raises:
        InvalidInput: one of its subclasses; the text names the point.
    """
    if len(batch.ids) == 0:
        raise InvalidVector("Empty batch: expected at least one point")
    if len(batch.payloads) != len(batch.ids):
        raise InvalidInput(
            f"Expected one payload or None per point: {len(batch.ids)}, got {len(batch.payloads)}"
        )
    check_ids(batch.ids)
    columns = [
        _check_column(name, vectors, batch.ids, config.vectors)
        for name, vectors in batch.vectors.items()
        if len(vectors.positions)
    ]
    ids, payloads = batch.ids, list(batch.payloads)
    last = {one: place for place, one in enumerate(ids)}
    if len(last) < len(ids):
        kept = np.fromiter(last.values(), dtype=np.int64)
        kept.sort()
        columns = [one for column in columns if len((one := _only(column, kept)).positions)]
        ids, payloads = [ids[i] for i in kept], [payloads[i] for i in kept]
    return Upsert(pack_ids(ids), keys_of(ids), payloads, columns)


def check_deletion(ids: Sequence[PointId]) -> Deletion:
    """Return the ids to delete. Raises InvalidId."""
    check_ids(ids)
    return Deletion(keys_of(dict.fromkeys(ids)))


def check_query(query: Vector, config: VectorConfig) -> Vector:
    """Return a query vector ready for search.

    Raises:
        DimensionMismatch: its length is not the declared one.
        InvalidVector: it holds NaN or Inf, or is zero under cosine.
    """
    if query.shape != (config.size,):
        raise DimensionMismatch(config.size, query.size)
    if query.dtype != np.float32 or not query.flags.c_contiguous:
        query = np.ascontiguousarray(query, dtype=np.float32)
    norm2 = float(np.vdot(query, query))  # unlike dot, it overflows without a warning
    if _SAFE[0] < norm2 < _SAFE[1]:
        if config.distance is not Distance.COSINE:
            return query
        unit: Vector = query * np.float32(norm2**-0.5)
        return unit
    wide = query.astype(np.float64)  # squares of float32 values neither overflow nor vanish in it
    norm2 = float(wide.dot(wide))
    if not math.isfinite(norm2):
        raise InvalidVector("The query vector holds NaN or Inf")
    if config.distance is Distance.COSINE:
        if norm2 == 0:
            raise InvalidVector("The query vector is zero, which cosine distance cannot compare")
        wide *= norm2**-0.5
        return wide.astype(np.float32)
    return query


def _check_column(
    name: str, vectors: NamedVectors, ids: Sequence[PointId], declared: Mapping[str, VectorConfig]
) -> Column:
    config = declared.get(name)
    if config is None:
        raise UnknownVectorName(name, list(declared))
    values, positions = vectors.values, vectors.positions
    if values.ndim != 2 or len(values) != len(positions):
        raise InvalidVector(
            f"Vectors of {name!r}: expected ({len(positions)}, {config.size}), got {values.shape}"
        )
    if values.shape[1] != config.size:
        where = f"point {ids[positions[0]]}"
        raise DimensionMismatch(config.size, values.shape[1], where)
    values = np.ascontiguousarray(values, dtype=np.float32)
    values = _check_values(values, config, lambda row: f"point {ids[positions[row]]}")
    if np.may_share_memory(values, vectors.values):
        values = values.copy()  # the caller may reuse its array before the write is carried out
    return Column(name, positions.copy(), values)


def _check_values(values: Vectors, config: VectorConfig, whose: Whose) -> Vectors:
    norm2 = np.einsum("ij,ij->i", values, values)
    unsafe = ~((norm2 > _SAFE[0]) & (norm2 < _SAFE[1]))
    if unsafe.any():
        rows = np.flatnonzero(unsafe)
        finite = np.isfinite(values[rows]).all(axis=1)
        if not finite.all():
            raise InvalidVector(f"The vector of {whose(rows[finite.argmin()])} holds NaN or Inf")
        if config.distance is Distance.COSINE:
            return _normalised_exactly(values, whose)
        too_long = norm2[rows] >= _SAFE[1]
        if too_long.any():
            raise InvalidVector(
                f"The vector of {whose(rows[too_long.argmax()])} is longer than {_LONGEST:.0e}, "
                "beyond which float32 distances lose their meaning: scale the vectors down"
            )
    if config.distance is Distance.COSINE:
        scales: Vector = 1 / np.sqrt(norm2, dtype=np.float32)
        values = values * scales[:, None]
    return values


def _normalised_exactly(values: Vectors, whose: Whose) -> Vectors:
    """Normalise rows whose squared length float32 cannot hold."""
    wide = values.astype(np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    if not lengths.all():
        raise InvalidVector(
            f"The vector of {whose(lengths.argmin())} is zero, which cosine distance cannot compare"
        )
    normalised: Vectors = (wide / lengths[:, None]).astype(np.float32)
    return normalised


def _only(column: Column, kept: NDArray[np.int64]) -> Column:
    """Keep the vectors of the kept points, and number those points anew."""
    chosen = np.isin(column.positions, kept)
    positions = np.searchsorted(kept, column.positions[chosen])
    return Column(column.name, positions, column.values[chosen])
