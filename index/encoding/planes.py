"""Codes of 1, 2, 4 or 8 bits a dimension around a centroid, compared with float queries.

One encoder belongs to one segment and never changes after ``fit``. A row is the code bytes and two
float32 factors; ``index/native/encoder.h`` has the formulas (RaBitQ, arXiv 2405.12497, and its
extension, 2409.09913), ``kernels.h`` the layout. Distances under cosine and dot are estimated as
minus the inner product, under euclid as the squared length.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import _native
from palimpsest.index.encoding.rotation import draw_signs
from palimpsest.index.types import Codes, Distance, Distances, Vector, Vectors

_METRICS = {
    Distance.COSINE: "inner_product",
    Distance.DOT: "inner_product",
    Distance.EUCLID: "l2",
}
_SAMPLED_ROWS = 2_048  # rows whose error intervals set the segment's
_LONGEST = 4.0  # times the median length: longer rows do not count towards the centre
_COVERED = 0.9  # share of rows whose own interval the segment's covers


class Encoder:
    """A fitted encoding: centroid, rotation and the error scale of its rows."""

    def __init__(
        self,
        distance: Distance,
        bits: int,
        centroid: Vector,
        signs: NDArray[np.int8],
        error_scale: float,
    ) -> None:
        self.distance = distance
        self.bits = bits
        self.size = len(centroid)
        self.error_scale = error_scale
        self._centroid = centroid
        self._signs = signs
        self.native = _native.Encoder(self.size, bits, _METRICS[distance], centroid, signs)
        self.row_bytes: int = self.native.row_bytes

    @classmethod
    def fit(cls, vectors: Vectors, distance: Distance, bits: int, seed: int) -> Encoder:
        """Return an encoder around the centre of ``vectors`` (n, d), rotated by ``seed``."""
        centroid = _centre(vectors)
        signs = draw_signs(vectors.shape[1], seed)
        unscaled = cls(distance, bits, centroid, signs, 0.0)
        step = max(1, len(vectors) // _SAMPLED_ROWS)
        scale = _error_scale(unscaled, np.ascontiguousarray(vectors[::step]))
        return cls(distance, bits, centroid, signs, scale)

    def encode(self, vectors: Vectors) -> Codes:
        """Return (n, row_bytes) rows for (n, d) vectors."""
        return self.encode_with_errors(vectors)[0]

    def encode_with_errors(self, vectors: Vectors) -> tuple[Codes, Distances]:
        """Return rows, and (n,) half-widths of their estimates at unit distance of the query.

        The half-width times ``|query - centroid|`` is 1.9 standard deviations of the estimate
        (2405.12497, Theorem 3.2).
        """
        rows = np.empty((len(vectors), self.row_bytes), dtype=np.uint8)
        errors = np.empty(len(vectors), dtype=np.float32)
        self.native.encode(np.ascontiguousarray(vectors), rows, errors)
        return rows, errors

    def decode(self, codes: Codes) -> Vectors:
        """Return the (n, d) vectors that rows stand for."""
        vectors = np.empty((len(codes), self.size), dtype=np.float32)
        self.native.decode(np.ascontiguousarray(codes), vectors)
        return vectors

    def estimate(self, query: Vector, codes: Codes) -> Distances:
        """Return (n,) estimated distances of a float query to rows; squared under euclid."""
        distances = np.empty(len(codes), dtype=np.float32)
        self.native.estimate(query, codes, distances)
        return distances

    def to_json(self) -> dict[str, Any]:
        """Return everything but the arrays."""
        return {
            "distance": str(self.distance),
            "bits": self.bits,
            "error_scale": self.error_scale,
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the realised rotation and the centroid, to be stored beside the codes."""
        return {"signs": self._signs, "centroid": self._centroid}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Encoder:
        """Return the encoder that ``to_json`` and ``arrays`` describe."""
        return cls(
            Distance(stored["distance"]),
            stored["bits"],
            arrays["centroid"],
            arrays["signs"],
            stored["error_scale"],
        )


def _centre(vectors: Vectors) -> Vector:
    """Mean of the rows but those over four times as long as the median: one must not move all."""
    norm2 = np.einsum("ij,ij->i", vectors, vectors)
    usual = norm2 <= _LONGEST**2 * np.median(norm2)
    among = vectors if usual.all() else vectors[usual]
    centre: Vector = among.mean(axis=0, dtype=np.float64).astype(np.float32)
    return centre


def _error_scale(encoder: Encoder, sample: Vectors) -> float:
    """Half-width per unit of a row's rescale factor: nearly constant, so rows need not store it."""
    rows, errors = encoder.encode_with_errors(sample)
    rescale = np.abs(np.ascontiguousarray(rows[:, -4:]).view(np.float32)[:, 0])
    usable = rescale > 0
    if not usable.any():
        return 0.0
    return float(np.quantile(errors[usable] / rescale[usable], _COVERED))
