"""Adapters that only map queries: Procrustes, a given matrix, identity and prefix.

They serve every distance, for rows are compared with the mapped query as with any of their own
version. Only a prefix of longer rows needs a factor under cosine: the rows' prefixes are not of
unit length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.adapter import Arrays, Factors, Linear, MappedQuery, MatrixLike
from palimpsest.index.adapters.unit import positive_inverse_norms, unit_row, unit_rows
from palimpsest.index.types import Distance, Vector, Vectors


@dataclass(frozen=True, slots=True, eq=False)
class MatrixAdapter(MatrixLike):
    """``m = q @ A + t``, ``A`` (d_q, d_v) and ``t`` (d_v,): Procrustes or a given matrix.

    ``back`` (d_v, d_q) and ``origin`` (d_q,) give the estimate of a row, ``y @ back + origin``.
    """

    kind: str
    rows_distance: Distance
    queries_distance: Distance
    matrix: Vectors
    offset: Vector
    back: Vectors
    origin: Vector
    scales_rows = False

    def map_query(self, query: Vector) -> MappedQuery:
        """Return ``q @ A + t``, of unit length under cosine."""
        mapped: Vector = query @ self.matrix
        mapped += self.offset
        return MappedQuery(_as_stored(mapped, self.rows_distance), 0.0)

    def row_factors(self, rows: Vectors) -> Factors:
        """Return ones."""
        return np.ones(len(rows), dtype=np.float32)

    def map_rows(self, rows: Vectors) -> Vectors:
        """Return ``y @ back + origin``, of unit length where the queries' distance is cosine."""
        mapped: Vectors = rows @ self.back
        mapped += self.origin
        return unit_rows(mapped) if self.queries_distance is Distance.COSINE else mapped

    def to_json(self) -> dict[str, Any]:
        """Return everything but the arrays."""
        return {
            "kind": self.kind,
            "rows_distance": str(self.rows_distance),
            "queries_distance": str(self.queries_distance),
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the map, there and back."""
        return {
            "matrix": self.matrix,
            "offset": self.offset,
            "back": self.back,
            "origin": self.origin,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], arrays: Arrays) -> MatrixAdapter:
        """Return the adapter that ``to_json`` and ``arrays`` describe."""
        return cls(
            stored["kind"],
            Distance(stored["rows_distance"]),
            Distance(stored["queries_distance"]),
            arrays["matrix"],
            arrays["offset"],
            arrays["back"],
            arrays["origin"],
        )


@dataclass(frozen=True, slots=True, eq=False)
class PrefixAdapter(Linear):
    """The dimensions both have, in their order: identity where all are, else the shorter's.

    For models trained so that prefixes of their vectors, or all of them, are those of the other:
    Matryoshka (arXiv 2205.13147), BT2 (ICCV 2023), stationary models.
    """

    kind: str
    rows_distance: Distance
    queries_distance: Distance
    rows_size: int
    queries_size: int

    @property
    def scales_rows(self) -> bool:
        """Whether only a prefix of each row is compared, by its cosine."""
        return self.rows_size > self.queries_size and self.queries_distance is Distance.COSINE

    def map_query(self, query: Vector) -> MappedQuery:
        """Return the query cut, or filled up with zeros, to the size of the rows."""
        if self.rows_size > self.queries_size:
            mapped = np.zeros(self.rows_size, dtype=np.float32)
            mapped[: self.queries_size] = query
            return MappedQuery(mapped, 0.0)
        cut: Vector = np.array(query[: self.rows_size], dtype=np.float32)
        return MappedQuery(_as_stored(cut, self.rows_distance), 0.0)

    def row_factors(self, rows: Vectors) -> Factors:
        """Return 1 over the length of what is compared of each row, ones unless ``scales_rows``."""
        if not self.scales_rows:
            return np.ones(len(rows), dtype=np.float32)
        return positive_inverse_norms(rows[:, : self.queries_size])

    def map_rows(self, rows: Vectors) -> Vectors:
        """Return the rows cut, or filled up with zeros, to the size of the queries."""
        kept = min(self.rows_size, self.queries_size)
        mapped = np.zeros((len(rows), self.queries_size), dtype=np.float32)
        mapped[:, :kept] = rows[:, :kept]
        return unit_rows(mapped) if self.queries_distance is Distance.COSINE else mapped

    def to_json(self) -> dict[str, Any]:
        """Return everything: there are no arrays."""
        return {
            "kind": self.kind,
            "rows_distance": str(self.rows_distance),
            "queries_distance": str(self.queries_distance),
            "rows_size": self.rows_size,
            "queries_size": self.queries_size,
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return nothing."""
        return {}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], arrays: Arrays) -> PrefixAdapter:
        """Return the adapter that ``to_json`` describes."""
        return cls(
            stored["kind"],
            Distance(stored["rows_distance"]),
            Distance(stored["queries_distance"]),
            stored["rows_size"],
            stored["queries_size"],
        )


def _as_stored(mapped: Vector, rows_distance: Distance) -> Vector:
    return unit_row(mapped) if rows_distance is Distance.COSINE else mapped
