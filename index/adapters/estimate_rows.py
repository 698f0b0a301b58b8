"""Adapters that estimate rows in the space of the queries, without touching a row.

With a row ``y`` of the old version and a query ``q`` of the new one, the wanted score is ``q . x``;
its best estimate is ``q . E[x | y]`` (algorithms 8.2). For an affine ``x_hat = y @ A' + b`` it is
``(q @ A) . y + q . b``: an inner product with the unchanged row. The cosine divides by ``|x_hat|``,
one factor per row. Rows and queries must be compared by inner products.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.adapter import Arrays, Factors, MappedQuery, MatrixLike
from palimpsest.index.adapters.unit import positive_inverse_norms, unit_rows
from palimpsest.index.types import Distance, Vector, Vectors


@dataclass(frozen=True, slots=True, eq=False)
class AffineAdapter(MatrixLike):
    """``x_hat = y @ A' + b`` with ``A`` (d_q, d_v) and ``b`` (d_q,): ridge, low-rank or not."""

    kind: str
    queries_distance: Distance
    matrix: Vectors
    bias: Vector

    @property
    def scales_rows(self) -> bool:
        """Whether the estimates' lengths are divided out: under cosine."""
        return self.queries_distance is Distance.COSINE

    def map_query(self, query: Vector) -> MappedQuery:
        """Return ``q @ A`` and ``q . b``."""
        return MappedQuery(query @ self.matrix, float(query @ self.bias))

    def row_factors(self, rows: Vectors) -> Factors:
        """Return ``1 / |x_hat|`` of each row under cosine, else ones."""
        if not self.scales_rows:
            return np.ones(len(rows), dtype=np.float32)
        return positive_inverse_norms(self.estimate(rows))

    def map_rows(self, rows: Vectors) -> Vectors:
        """Return the estimates, of unit length where the queries' distance is cosine."""
        mapped = self.estimate(rows)
        return unit_rows(mapped) if self.scales_rows else mapped

    def estimate(self, rows: Vectors) -> Vectors:
        """Return (n, d_q) ``x_hat`` of (n, d_v) rows, shorter the less a row tells."""
        mapped: Vectors = rows @ self.matrix.T
        mapped += self.bias
        return mapped

    def to_json(self) -> dict[str, Any]:
        """Return everything but the arrays."""
        return {"kind": self.kind, "queries_distance": str(self.queries_distance)}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the map."""
        return {"matrix": self.matrix, "bias": self.bias}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], arrays: Arrays) -> AffineAdapter:
        """Return the adapter that ``to_json`` and ``arrays`` describe."""
        return cls(
            stored["kind"],
            Distance(stored["queries_distance"]),
            arrays["matrix"],
            arrays["bias"],
        )
