"""Relative representations: both sides described by their cosines to the same anchors.

``r(x) = (cos(x, a_1), ..., cos(x, a_m))`` means the same in both versions when the anchors are the
same points (Moschella et al., arXiv 2209.15430); rows and queries are compared by the cosine of
their ``r``. With unit anchors as rows of ``A_q`` and ``A_v`` that is
``q A_q' A_v y / (|A_q q| |A_v y|)``: linear in the query, one factor per row, no row touched, and
no cost per anchor when searching.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.adapter import Arrays, Factors, MappedQuery, MatrixLike
from palimpsest.index.adapters.pairs import Pairs
from palimpsest.index.adapters.unit import positive_inverse_norms, unit_rows
from palimpsest.index.types import Distance, Vector, Vectors

_ROUNDING = 1e-12  # of the largest eigenvalue, in float64


@dataclass(frozen=True, slots=True, eq=False)
class RelativeAdapter(MatrixLike):
    """``matrix`` (d_q, d_v) is ``A_q' A_v``; the roots (d, d) give the lengths of ``r``."""

    queries_distance: Distance
    matrix: Vectors
    query_root: Vectors
    row_root: Vectors
    kind = "relative"
    scales_rows = True

    @classmethod
    def of_anchors(cls, anchors: Pairs, queries_distance: Distance) -> RelativeAdapter:
        """Return the adapter of anchors known in both versions."""
        rows = unit_rows(anchors.rows).astype(np.float64)
        queries = unit_rows(anchors.queries).astype(np.float64)
        scale = 1.0 / len(rows)
        return cls(
            queries_distance,
            np.ascontiguousarray(scale * (queries.T @ rows), dtype=np.float32),
            _root(scale * (queries.T @ queries)),
            _root(scale * (rows.T @ rows)),
        )

    def map_query(self, query: Vector) -> MappedQuery:
        """Return ``q A_q' A_v / |A_q q|``, so that scaled scores are cosines."""
        described = query @ self.query_root
        length = max(sqrt(float(described @ described)), 1e-12)
        mapped: Vector = query @ self.matrix
        mapped *= np.float32(1.0 / length)
        return MappedQuery(mapped, 0.0)

    def row_factors(self, rows: Vectors) -> Factors:
        """Return ``1 / |A_v y|`` of each row."""
        return positive_inverse_norms(rows @ self.row_root)

    def map_rows(self, rows: Vectors) -> Vectors:
        """Return the vectors (n, d_q) whose inner product with a query ranks as the scores do."""
        mapped: Vectors = rows @ self.matrix.T
        if self.queries_distance is Distance.COSINE:
            return unit_rows(mapped)
        return mapped * self.row_factors(rows)[:, None]

    def to_json(self) -> dict[str, Any]:
        """Return everything but the arrays."""
        return {"kind": self.kind, "queries_distance": str(self.queries_distance)}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the map and the roots."""
        return {
            "matrix": self.matrix,
            "query_root": self.query_root,
            "row_root": self.row_root,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], arrays: Arrays) -> RelativeAdapter:
        """Return the adapter that ``to_json`` and ``arrays`` describe."""
        return cls(
            Distance(stored["queries_distance"]),
            arrays["matrix"],
            arrays["query_root"],
            arrays["row_root"],
        )


def _root(gram: NDArray[np.float64]) -> Vectors:
    """Return the symmetric root: ``|x @ root|^2 = x' gram x``, exact where anchors are few.

    What is 0 but for rounding stays 0: its root would be large enough to look like a length.
    """
    values, axes = np.linalg.eigh(gram)
    values = np.where(values > _ROUNDING * values[-1], values, 0.0)
    root = (axes * np.sqrt(values)) @ axes.T
    return np.ascontiguousarray(root, dtype=np.float32)
