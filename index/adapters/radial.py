"""A small network beside the linear map: one hidden layer of radial units, for rescoring.

The engine searches rows through the affine estimate (``estimate_rows``); the few hundred candidates
are then scored by ``x_hat = y @ D + exp(-g |y - p|^2) @ U + b`` over centres ``p`` drawn from the
pairs (kernel ridge regression on landmarks: Nystroem, Williams and Seeger 2001). On the text data
of algorithms 8.2 random Fourier features and trained perceptrons of the same cost found less.

A score is ``q . x_hat / |x_hat|``. The product costs one number per unit and row, the length d_q of
them: over half the time, unless ``rescoring_factors`` of the rows are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.adapter import Arrays, Factors, MappedQuery, Scores
from palimpsest.index.adapters.estimate_rows import AffineAdapter
from palimpsest.index.adapters.unit import positive_inverse_norms, unit_rows
from palimpsest.index.types import Distance, Vector, Vectors

_BLOCK = 2_048  # rows estimated at once


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """Radial units around ``centres`` (m, d_v), each ``exp(-sharpness |y - p|^2)``."""

    centres: Vectors
    sharpness: float
    _doubled: Vectors = field(init=False)  # (d_v, m), as the matrix product reads them
    _squares: Vector = field(init=False)

    def __post_init__(self) -> None:
        scaled = np.float32(2.0 * self.sharpness) * self.centres
        object.__setattr__(self, "_doubled", np.ascontiguousarray(scaled.T))
        squares = np.float32(self.sharpness) * _squares(self.centres)
        object.__setattr__(self, "_squares", squares)

    def of(self, rows: Vectors) -> Vectors:
        """Return the units' values (n, m) for (n, d_v) rows."""
        values: Vectors = rows @ self._doubled
        values -= self._squares
        values -= np.float32(self.sharpness) * _squares(rows)[:, None]
        return np.exp(values, out=values)


class Layer(NamedTuple):
    """``y @ direct + units @ weights + bias``: rows (n, d_v) and unit values (n, m) to (n, out)."""

    direct: Vectors
    weights: Vectors
    bias: Vector

    def of(self, rows: Vectors, values: Vectors) -> Vectors:
        """Return the layer's output (n, out)."""
        output: Vectors = values @ self.weights
        output += rows @ self.direct
        output += self.bias
        return output


@dataclass(frozen=True, slots=True, eq=False)
class RadialAdapter:
    """``linear`` finds candidates, ``units`` and ``layer`` (out = d_q) score them."""

    linear: AffineAdapter
    units: Units
    layer: Layer
    kind = "mlp"
    rescores = True

    @property
    def rows_size(self) -> int:
        """Dimensions of the rows."""
        return self.linear.rows_size

    @property
    def queries_size(self) -> int:
        """Dimensions of the queries."""
        return self.linear.queries_size

    @property
    def queries_distance(self) -> Distance:
        """How vectors of the queries' version are compared."""
        return self.linear.queries_distance

    @property
    def scales_rows(self) -> bool:
        """Whether the estimates' lengths are divided out: under cosine."""
        return self.linear.scales_rows

    def map_query(self, query: Vector) -> MappedQuery:
        """Return the linear map of a query."""
        return self.linear.map_query(query)

    def row_factors(self, rows: Vectors) -> Factors:
        """Return the linear map's factors."""
        return self.linear.row_factors(rows)

    def map_rows(self, rows: Vectors) -> Vectors:
        """Return the network's estimates, of unit length where the queries' distance is cosine."""
        mapped = self._estimate(rows)
        return unit_rows(mapped) if self.scales_rows else mapped

    def rescoring_factors(self, rows: Vectors) -> Factors:
        """Return ``1 / |x_hat|`` of the network's estimates under cosine, else ones."""
        if not self.scales_rows:
            return np.ones(len(rows), dtype=np.float32)
        return positive_inverse_norms(self._estimate(rows))

    def rescore(self, query: Vector, rows: Vectors, factors: Factors | None = None) -> Scores:
        """Return the network's scores, cosines where the queries' distance is cosine."""
        values = self.units.of(rows)
        scores = values @ (self.layer.weights @ query)
        scores += rows @ (self.layer.direct @ query)
        scores += query @ self.layer.bias
        if self.scales_rows:
            scores *= (
                positive_inverse_norms(self.layer.of(rows, values)) if factors is None else factors
            )
        return np.asarray(scores, dtype=np.float32)

    def _estimate(self, rows: Vectors) -> Vectors:
        estimates = np.empty((len(rows), self.queries_size), dtype=np.float32)
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            estimates[start : start + _BLOCK] = self.layer.of(block, self.units.of(block))
        return estimates

    def to_json(self) -> dict[str, Any]:
        """Return everything but the arrays."""
        return {
            "kind": self.kind,
            "queries_distance": str(self.linear.queries_distance),
            "sharpness": self.units.sharpness,
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the linear map and the network."""
        return {
            "matrix": self.linear.matrix,
            "bias": self.linear.bias,
            "centres": self.units.centres,
            **{f"layer_{part}": array for part, array in self.layer._asdict().items()},
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], arrays: Arrays) -> RadialAdapter:
        """Return the adapter that ``to_json`` and ``arrays`` describe."""
        distance = Distance(stored["queries_distance"])
        return cls(
            AffineAdapter(cls.kind, distance, arrays["matrix"], arrays["bias"]),
            Units(arrays["centres"], stored["sharpness"]),
            Layer(*(arrays[f"layer_{part}"] for part in Layer._fields)),
        )


def _squares(rows: Vectors) -> NDArray[np.float32]:
    return np.asarray(np.einsum("ij,ij->i", rows, rows), dtype=np.float32)
