"""Sparse search the plain way: dictionaries, one row at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from palimpsest.index.kinds.sparse.rows import SparseRows, check_sparse, join_rows
from palimpsest.index.types import PointId, SparseVector

Row = Mapping[int, float]


def vector(row: Row) -> SparseVector:
    return check_sparse(list(row.keys()), list(row.values()))


def rows_of(rows: Iterable[Row]) -> SparseRows:
    vectors = [vector(row) for row in rows]
    return join_rows(
        [SparseRows(np.array([0, len(v.indices)]), v.indices, v.values) for v in vectors]
    )


def as_dict(found: SparseVector) -> dict[int, float]:
    return dict(zip(found.indices.tolist(), found.values.tolist(), strict=True))


def dot(query: Row, row: Row) -> float | None:
    """Return the score, None where no dimension is shared."""
    shared = query.keys() & row.keys()
    return math.fsum(query[i] * row[i] for i in shared) if shared else None


def weighed(query: Row, corpus: Iterable[Row]) -> dict[int, float]:
    rows = list(corpus)
    holding = {index: sum(index in row for row in rows) for index in query}
    return {
        index: value * math.log((len(rows) - holding[index] + 0.5) / (holding[index] + 0.5) + 1)
        for index, value in query.items()
    }


def best(query: Row, rows: Mapping[PointId, Row], k: int) -> list[tuple[PointId, float]]:
    """Return ids and scores, highest first, of equal ones the lowest id (integers before UUIDs)."""
    scores = {one: dot(query, row) for one, row in rows.items()}
    found = [(one, float(np.float32(score))) for one, score in scores.items() if score is not None]
    return sorted(found, key=lambda pair: (-pair[1], *order(pair[0])))[:k]


def order(one: PointId) -> tuple[bool, int]:
    return (False, one) if isinstance(one, int) else (True, one.int)
