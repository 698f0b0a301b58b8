"""Fits the network of ``radial`` by solving for its weights, not by descending to them.

Centres are drawn from the pairs. How sharp the units are and how much they are held back is chosen
on pairs set aside inside the fit, with few centres; then all pairs are fitted on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from palimpsest.index.adapters.estimate_rows import AffineAdapter
from palimpsest.index.adapters.pairs import Pairs
from palimpsest.index.adapters.radial import Layer, RadialAdapter, Units
from palimpsest.index.adapters.solving import Affine, Array
from palimpsest.index.adapters.watch import Watch
from palimpsest.index.types import Distance, Vectors

DEFAULT_UNITS = 1_536  # 2 ms for 200 rows of 256 dimensions, and 3 ms more for their lengths
_TRIED_UNITS = 512
_SHARPNESSES = (0.5, 1.0, 2.0)  # over the mean squared distance of two rows
_PENALTIES = (0.1, 0.3, 1.0)  # noise over signal of one unit
_SET_ASIDE = 8  # each eighth pair judges the choice
_JITTER = 1e-6


class Draw(NamedTuple):
    """How many pairs become centres, and the seed they are drawn with."""

    units: int
    seed: int


def fit_radial(
    pairs: Pairs,
    affine: Affine,
    shrinkage: float,
    queries_distance: Distance,
    draw: Draw,
    watch: Watch,
) -> RadialAdapter:
    """Return the network beside an affine map fitted on the same pairs.

    Args:
        pairs: to fit on.
        affine: the ridge regression of the queries' side on the rows'.
        shrinkage: with which it was fitted.
        queries_distance: of the queries' version.
        draw: how centres are drawn.
        watch: progress from 0 to 1.
    """
    drawn = np.random.default_rng(draw.seed).permutation(len(pairs.rows))[: draw.units]
    centres = np.ascontiguousarray(pairs.rows[drawn])
    variance = float(pairs.rows.var(axis=0, dtype=np.float64).mean())
    direct_penalty = shrinkage * variance * len(pairs.rows)
    few = centres[:_TRIED_UNITS]
    sharpness, penalty = _choose(pairs, few, direct_penalty, watch.part(0.0, 0.6))
    units = Units(centres, sharpness)
    layer = _Normal.of(pairs, units).solve(units, penalty, direct_penalty)
    linear = AffineAdapter(
        "mlp",
        queries_distance,
        np.ascontiguousarray(affine.matrix.T, dtype=np.float32),
        np.ascontiguousarray(affine.bias, dtype=np.float32),
    )
    return RadialAdapter(linear, units, layer)


def _choose(
    pairs: Pairs, centres: Vectors, direct_penalty: float, watch: Watch
) -> tuple[float, float]:
    """Return the sharpness and the penalty whose estimates of the pairs set aside are best."""
    aside = np.arange(len(pairs.rows)) % _SET_ASIDE == 0
    fitted, judged = pairs.take(np.flatnonzero(~aside)), pairs.take(np.flatnonzero(aside))
    spread = 2.0 * float(pairs.rows.var(axis=0, dtype=np.float64).sum())
    tried: list[tuple[float, float, float]] = []
    for sharpness in _SHARPNESSES:
        units = Units(centres, sharpness / spread)
        normal, values = _Normal.of(fitted, units), units.of(judged.rows)
        for penalty in _PENALTIES:
            layer = normal.solve(units, penalty, direct_penalty)
            cosine = _cosine(layer.of(judged.rows, values), judged)
            tried.append((cosine, units.sharpness, penalty))
            watch.reached(len(tried) / (len(_SHARPNESSES) * len(_PENALTIES)))
    _, chosen, penalty = max(tried)
    return chosen, penalty


def _cosine(estimates: Vectors, judged: Pairs) -> float:
    lengths = np.linalg.norm(estimates, axis=1) * np.linalg.norm(judged.queries, axis=1)
    products = np.einsum("ij,ij->i", estimates, judged.queries)
    return float((products / np.maximum(lengths, 1e-12)).mean())


class _Normal(NamedTuple):
    """The normal equations of a least squares fit on rows and unit values, centred."""

    gram: Array  # (d_v + m, d_v + m)
    moments: Array  # (d_v + m, d_q)
    inputs_mean: Array
    targets_mean: Array

    @classmethod
    def of(cls, pairs: Pairs, units: Units) -> _Normal:
        inputs = np.hstack([pairs.rows, units.of(pairs.rows)]).astype(np.float64)
        targets = pairs.queries.astype(np.float64)
        inputs_mean, targets_mean = inputs.mean(axis=0), targets.mean(axis=0)
        inputs -= inputs_mean
        targets -= targets_mean
        return cls(inputs.T @ inputs, inputs.T @ targets, inputs_mean, targets_mean)

    def solve(self, units: Units, penalty: float, direct_penalty: float) -> Layer:
        """Return the weights of least squared error; the units are penalised by their kernel."""
        kernel = units.of(units.centres).astype(np.float64)
        kernel[np.diag_indices(len(kernel))] += _JITTER
        size = len(self.gram) - len(kernel)
        penalised = self.gram.copy()
        penalised[size:, size:] += penalty * kernel
        penalised[np.arange(size), np.arange(size)] += direct_penalty + _JITTER
        weights = np.linalg.solve(penalised, self.moments)
        bias = self.targets_mean - self.inputs_mean @ weights
        return Layer(
            np.ascontiguousarray(weights[:size], dtype=np.float32),
            np.ascontiguousarray(weights[size:], dtype=np.float32),
            np.asarray(bias, dtype=np.float32),
        )
