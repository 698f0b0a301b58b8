"""Queries that no point is closer to than another: zero ones, whose every score is 0.

Programs send one under cosine to get what a filter lets through. The points come in the order of
their ids, so that pages of them join up; nothing is compared.
"""

from __future__ import annotations

import numpy as np
from pyroaring import BitMap

from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.search.every_point import parts_of
from palimpsest.index.search.merge import PartHits, RowColumns
from palimpsest.index.segments.searcher import Hits
from palimpsest.index.types import Distance, Rows, Vector
from palimpsest.index.view.dense import DenseView

_SIMILARITIES = (Distance.COSINE, Distance.DOT)


def is_alike(query: Vector, config: VectorConfig) -> bool:
    """Tell whether a query, checked or not, scores 0 with everything."""
    if query.size == 0 or query.item(0) != 0:  # as nearly always
        return False
    return config.distance in _SIMILARITIES and not query.any()


def first_by_id(vectors: DenseView, points: BitMap | None, count: int) -> list[PartHits]:
    """Return rows at distance 0 of the ``count`` lowest ids of each part.

    Args:
        vectors: of a dense vector name.
        points: numbers of the points that may be found, None for all.
        count: how many.
    """
    found: list[PartHits] = []
    for part, _, _, rows in parts_of(vectors, points):
        found.append(_first(part.columns, rows, count))
    return found


def _first(columns: RowColumns, rows: Rows, count: int) -> PartHits:
    own = columns.ids[rows]
    keys = own if own.ndim == 1 else np.ascontiguousarray(own).view(f"S{own.shape[1]}").ravel()
    rows = rows[np.argsort(keys, kind="stable")[:count]]
    return PartHits(columns, Hits(rows, np.zeros(len(rows), np.float32), 0, 0, 0))
