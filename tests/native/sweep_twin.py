"""Scans of codes that go on until no row is likely to be closer, in plain numpy.

The twin of ``index/native/scan.h`` and ``rescore.h``: candidates by code, rescored up to where the
error bound says that no better one follows, then a sweep over all codes while it stays open what
the best rows are. Distances are squared under euclid until the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.encoding.planes import Encoder
from palimpsest.index.segments.searcher import Rescoring, Scaling
from palimpsest.index.types import Codes, Distance, Vector, Vectors
from tests.codes import factors

_DEVIATIONS = 1.9  # of the error that an encoder states
_STOP, _OPEN = 2.5, 2.0  # deviations: to stop at a candidate, to go on beyond the last
_ROUNDED_QUERY = 1.4  # times the error, where queries are as coarse as the codes
_BATCH = 128  # rows that are compared with the k-th before it is looked at again

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Swept:
    """What a scan finds, and what it did for that."""

    rows: list[int]
    distances: Floats
    scored: int
    rescored: int
    extended: int
    scanned: int


@dataclass(frozen=True)
class Coded:
    """Rows (n, d) as they are kept, and their codes."""

    vectors: Vectors
    encoder: Encoder
    codes: Codes

    @property
    def is_euclid(self) -> bool:
        return self.encoder.distance is Distance.EUCLID

    def true(self, query: Vector) -> Floats:
        wide, asked = self.vectors.astype(np.float64), query.astype(np.float64)
        exact = ((wide - asked) ** 2).sum(axis=1) if self.is_euclid else -(wide @ asked)
        return exact.astype(np.float32)

    def errors(self, query: Vector) -> Floats:
        """Return how far the estimate of each row may be off (n,)."""
        centre = self.encoder.arrays()["centroid"].astype(np.float64)
        asked = query.astype(np.float64)
        away = float(((asked - centre) ** 2).sum())
        terms = (
            (2 * away,) if self.is_euclid else (centre @ centre, centre @ centre - asked @ centre)
        )
        width = _STOP / _DEVIATIONS * (_ROUNDED_QUERY if self.encoder.bits == 8 else 1.0)
        spread = np.abs(factors(self.codes)[1]).astype(np.float64)
        stated = width * self.encoder.error_scale * np.sqrt(away) * spread
        return np.asarray(stated + 2.0**-21 * np.abs(terms).sum(), dtype=np.float32)


def swept(
    coded: Coded,
    query: Vector,
    k: int,
    rescoring: Rescoring,
    allowed: NDArray[np.bool_],
    scaling: Scaling | None,
    batches: Any,
) -> Swept:
    """Return what the native scan of the allowed rows (n,) has to find.

    ``batches`` gives the allowed rows in the order and the batches in which they are swept.
    """
    scale = _scale(coded, scaling)
    estimates, errors = coded.encoder.estimate(query, coded.codes), coded.errors(query)
    true = coded.true(query)
    if scaling is not None:
        shift = np.float32(scaling.shift)
        estimates, true = (estimates - shift) * scale, (true - shift) * scale
    errors = errors * scale
    among = np.flatnonzero(allowed)
    capacity = max(k, rescoring.most)
    pool = among[np.lexsort((among, estimates[among]))][:capacity]
    rows, read = _rescored(pool, k, rescoring, estimates - errors, true, errors)
    limit = min(rescoring.most, len(pool))
    is_open, scored = False, len(among)
    if rescoring.sure and len(pool) == capacity:
        beyond = estimates[pool[-1]] - _OPEN / _STOP * errors[pool].max()
        is_open = bool(beyond < true[rows[min(rescoring.sure, len(rows)) - 1]])
    if is_open:
        known = set(rows)
        for batch in batches(allowed):
            last = true[rows[-1]] if len(rows) == k else np.inf
            passed = [row for row in batch if estimates[row] - errors[row] <= last]
            fresh = [row for row in passed if row not in known]
            read += len(fresh)
            rows = sorted([*rows, *fresh], key=lambda row: (true[row], row))[:k]
        scored += len(among)
    found = true[rows]
    distances = np.sqrt(np.maximum(found, 0)) if coded.is_euclid else found
    return Swept(rows, distances, scored, read, int(is_open or read > limit), int(is_open))


def by_words(allowed: NDArray[np.bool_]) -> Iterator[list[int]]:
    """Give rows as scans of a part do: 64 that all are allowed by themselves, others gathered."""
    waiting: list[int] = []
    for start in range(0, len(allowed), 64):
        some = (start + np.flatnonzero(allowed[start : start + 64])).tolist()
        if len(some) == 64 and not waiting:
            yield some
            continue
        waiting += some
        if len(waiting) >= _BATCH:
            yield waiting[:_BATCH]
            waiting = waiting[_BATCH:]
    if waiting:
        yield waiting


def by_number(allowed: NDArray[np.bool_]) -> Iterator[list[int]]:
    """Give rows as scans among the points of a filter do."""
    rows = np.flatnonzero(allowed).tolist()
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]


def _scale(coded: Coded, scaling: Scaling | None) -> Floats:
    n = len(coded.vectors)
    return np.ones(n, np.float32) if scaling is None else scaling.factors[:n]


def _rescored(
    pool: NDArray[np.intp],
    k: int,
    rescoring: Rescoring,
    least_of: Floats,
    true: Floats,
    errors: Floats,
) -> tuple[list[int], int]:
    """Return the k closest candidates, and how many were read to know them."""
    limit = min(rescoring.most, len(pool))
    n = len(pool) if rescoring.sure else limit
    is_bounded = bool(rescoring.sure) or (k < n and not rescoring.every and errors.any())
    least = np.minimum.accumulate(least_of[pool[:n]][::-1])[::-1]
    rows: list[int] = []
    for i, row in enumerate(pool[:n].tolist()):
        may_end = is_bounded and len(rows) == k and (i >= limit or not rescoring.every)
        if may_end and least[i] > true[rows[-1]]:
            return rows, i
        rows = sorted([*rows, row], key=lambda one: (true[one], one))[:k]
    return rows, n
