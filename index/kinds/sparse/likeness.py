"""Sparse vectors that were read, laid out for dot products with one vector at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.types import PointVector, SparseVector


class SparseLikeness:
    """The vectors of some points, as candidates of a choice among them."""

    def __init__(self, rows: Sequence[SparseVector]) -> None:
        """Take vectors whose indices are ascending."""
        self._rows, self._n = rows, len(rows)
        indices = np.concatenate([np.empty(0, np.uint32), *(row.indices for row in rows)])
        values = np.concatenate([np.empty(0, np.float32), *(row.values for row in rows)])
        self._values = values.astype(np.float64)
        self._row = np.repeat(np.arange(self._n), [len(row.indices) for row in rows])
        self._terms, self._term = np.unique(indices, return_inverse=True)

    def of(self, query: PointVector) -> NDArray[np.float64]:
        """Return the dot product (m,) of every row with a query."""
        other = cast(SparseVector, query)
        weights = np.zeros(len(self._terms) + 1)
        places = np.searchsorted(self._terms, other.indices)
        known = places < len(self._terms)
        known[known] = self._terms[places[known]] == other.indices[known]
        weights[places[known]] = other.values[known]
        products = self._values * weights[self._term]
        return np.bincount(self._row, products, self._n).astype(np.float64)

    def to(self, place: int) -> NDArray[np.float64]:
        """Return the dot product (m,) of every row with the one at a place."""
        return self.of(self._rows[place])
