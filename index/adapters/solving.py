"""The mathematics of linear maps between two versions, in float64.

``ridge`` regresses the queries' version on the rows' over points; its shrinkage is the one whose
leave-one-out estimates are closest to the truth, which costs no second fit (PRESS: Allen 1974).
``procrustes`` is the orthogonal map closest to the pairs (Schoenemann 1966); of unequal sizes the
smaller side is filled up with zeros, which leaves a semi-orthogonal one.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.pairs import Pairs

Array: TypeAlias = NDArray[np.float64]

SHRINKAGES = (1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)  # of the mean variance of a dimension
_JUDGED = 2_000  # pairs whose leave-one-out estimates choose the shrinkage


class Affine(NamedTuple):
    """``y @ matrix + bias`` estimates the other side."""

    matrix: Array  # (d_from, d_to)
    bias: Array  # (d_to,)


def ridge(pairs: Pairs, shrinkage: float | None = None) -> tuple[Affine, float]:
    """Return the ridge regression of the queries' side on the rows', and its shrinkage.

    Args:
        pairs: to fit on.
        shrinkage: lambda over the mean eigenvalue of the rows' covariance; None chooses it.
    """
    rows, queries = pairs.rows.astype(np.float64), pairs.queries.astype(np.float64)
    rows_mean, queries_mean = rows.mean(axis=0), queries.mean(axis=0)
    rows -= rows_mean
    queries -= queries_mean
    variances, axes = np.linalg.eigh(rows.T @ rows)
    variances = np.maximum(variances, 0.0)
    along = rows @ axes  # (n, d_v)
    target = along.T @ queries  # (d_v, d_q)
    unit = float(variances.mean())
    if shrinkage is None:
        step = max(1, len(rows) // _JUDGED)
        judged = _Judged(along[::step], queries[::step], queries_mean, len(rows))
        costs = [judged.cost(variances + one * unit, target) for one in SHRINKAGES]
        shrinkage = SHRINKAGES[int(np.argmin(costs))]
    matrix = axes @ (target / (variances + shrinkage * unit)[:, None])
    return Affine(matrix, queries_mean - rows_mean @ matrix), shrinkage


class _Judged(NamedTuple):
    """Centred pairs, the rows along the axes of their covariance, to leave out one by one."""

    along: Array
    queries: Array
    mean: Array
    n: int

    def cost(self, scales: Array, target: Array) -> float:
        """Return the mean of 1 - cosine between left-out points and their estimates."""
        scaled = self.along / scales
        leverage = 1.0 / self.n + np.einsum("ij,ij->i", scaled, self.along)
        kept = np.maximum(1.0 - leverage, 1e-9)
        errors = (self.queries - scaled @ target) / kept[:, None]
        truth = self.queries + self.mean
        estimates = truth - errors
        lengths = np.linalg.norm(estimates, axis=1) * np.linalg.norm(truth, axis=1)
        cosines = np.einsum("ij,ij->i", estimates, truth) / np.maximum(lengths, 1e-12)
        return float(1.0 - cosines.mean())


def low_rank(pairs: Pairs, affine: Affine, rank: int) -> Affine:
    """Return the best map of a rank: the fitted values' leading axes (Izenman 1975)."""
    fitted = pairs.rows.astype(np.float64) @ affine.matrix
    centre = fitted.mean(axis=0)
    fitted -= centre
    _, axes = np.linalg.eigh(fitted.T @ fitted)
    leading = axes[:, -rank:]
    projection = leading @ leading.T
    mean = affine.bias + centre  # of the estimates, which a projection of the rest leaves alone
    matrix = affine.matrix @ projection
    rows_mean = pairs.rows.mean(axis=0, dtype=np.float64)
    return Affine(matrix, mean - rows_mean @ matrix)


def procrustes(source: Array, target: Array) -> Array:
    """Return the (semi-)orthogonal R (d_from, d_to) with ``source @ R`` closest to target."""
    size = max(source.shape[1], target.shape[1])
    product = np.zeros((size, size))
    product[: source.shape[1], : target.shape[1]] = source.T @ target
    left, _, right = np.linalg.svd(product)
    return np.asarray((left @ right)[: source.shape[1], : target.shape[1]])
