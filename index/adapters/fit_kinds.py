"""Fits one kind of adapter on pairs.

When to choose which (``choosing.fit_best`` does so by measuring):
    ridge               the rows estimated in the queries' space; best where pairs are plenty
    low_rank            the same, kept to its leading axes
    mlp                 ridge, whose best rows are then rescored by a small network: 2 to 10 ms
    procrustes          a rotation, without or with the means taken out; also for the euclidean and
    procrustes_centred    the Manhattan distance; needs no factor per row
    relative            the same anchors known in both versions, any number of them
    identity, prefix    models trained to be compatible
    matrix              the map is known to the caller
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from palimpsest.index.adapters.adapter import ESTIMATING, Adapter, Kind
from palimpsest.index.adapters.estimate_rows import AffineAdapter
from palimpsest.index.adapters.fit_radial import DEFAULT_UNITS, Draw, fit_radial
from palimpsest.index.adapters.map_queries import MatrixAdapter, PrefixAdapter
from palimpsest.index.adapters.pairs import Pairs, check_pairs
from palimpsest.index.adapters.radial import RadialAdapter
from palimpsest.index.adapters.relative import RelativeAdapter
from palimpsest.index.adapters.solving import Affine, low_rank, procrustes, ridge
from palimpsest.index.adapters.watch import Watch
from palimpsest.index.errors import InvalidConfig, InvalidPairs
from palimpsest.index.types import Distance, Vectors

DOCUMENT_SIDE: tuple[Kind, ...] = (*ESTIMATING, "relative")
UNFITTED: tuple[Kind, ...] = ("identity", "prefix", "matrix")
DEFAULT_RANK_SHARE = 0.5  # of the smaller size
MIN_ANCHORS = 2
MIN_SHRINKAGE, MAX_SHRINKAGE = 1e-8, 1e6  # with less, axes that rows do not span are all noise
INNER_PRODUCTS = (Distance.COSINE, Distance.DOT)


@dataclass(frozen=True, slots=True, eq=False)
class FitOptions:
    """What a caller may say about a fit; None leaves it to the fit.

    ``shrinkage`` is ridge's lambda over the mean eigenvalue of the rows' covariance; ``rank`` that
    of ``low_rank``; ``units`` are those of ``mlp``: more find more and take longer, up to one for
    each pair; ``matrix`` (d_q, d_v) maps a query ``q`` to ``q @ matrix``; ``anchors`` are the same
    points in both versions; ``query_pairs`` are queries in both versions, which ``fit_best`` asks
    in place of held-out points.
    """

    shrinkage: float | None = None
    rank: int | None = None
    units: int | None = None
    matrix: Vectors | None = None
    anchors: Pairs | None = None
    query_pairs: Pairs | None = None
    seed: int = 0


def fit(
    kind: Kind,
    pairs: Pairs,
    rows_distance: Distance,
    queries_distance: Distance,
    options: FitOptions | None = None,
    watch: Watch | None = None,
) -> Adapter:
    """Return an adapter from queries of one version to rows of another.

    Args:
        kind: which map.
        pairs: (n, d_v) and (n, d_q); only their sizes count for identity, prefix and matrix.
        rows_distance: of the rows' version.
        queries_distance: of the queries' version.
        options: what the kind takes.
        watch: progress from 0 to 1.

    Raises:
        InvalidPairs: too few pairs, or ones that determine no map.
        InvalidConfig: the kind does not serve these distances or sizes, or an option is wrong.
        FitCancelled: ``watch`` said so.
    """
    options, watch = options or FitOptions(), watch or Watch()
    check_kind(kind, pairs, rows_distance, queries_distance)
    watch.reached(0.0)
    adapter = _fit(kind, pairs, rows_distance, queries_distance, options, watch)
    watch.reached(1.0)
    return adapter


def check_kind(
    kind: Kind, pairs: Pairs, rows_distance: Distance, queries_distance: Distance
) -> None:
    """Raise InvalidConfig where a kind cannot serve the sizes or the distances."""
    rows_size, queries_size = pairs.rows.shape[1], pairs.queries.shape[1]
    if kind in DOCUMENT_SIDE and not (
        rows_distance in INNER_PRODUCTS and queries_distance in INNER_PRODUCTS
    ):
        raise InvalidConfig(
            f"an adapter of kind {kind!r} compares by inner products: expected cosine or dot on "
            f"both sides, got {rows_distance} for the rows and {queries_distance} for the queries; "
            "use procrustes"
        )
    if kind == "identity" and rows_size != queries_size:
        raise InvalidConfig(
            f"an adapter of kind 'identity' needs vectors of one size, got {rows_size} for the "
            f"rows and {queries_size} for the queries; use prefix, or a fitted kind"
        )
    if kind == "prefix" and rows_size > queries_size and rows_distance not in INNER_PRODUCTS:
        raise InvalidConfig(
            f"an adapter of kind 'prefix' cannot compare only the first {queries_size} of "
            f"{rows_size} dimensions of the rows under the {rows_distance} distance; "
            "use procrustes"
        )


def _fit(
    kind: Kind,
    pairs: Pairs,
    rows_distance: Distance,
    queries_distance: Distance,
    options: FitOptions,
    watch: Watch,
) -> Adapter:
    if kind in ("identity", "prefix"):
        rows_size, queries_size = pairs.rows.shape[1], pairs.queries.shape[1]
        return PrefixAdapter(kind, rows_distance, queries_distance, rows_size, queries_size)
    if kind == "matrix":
        return _of_matrix(pairs, rows_distance, queries_distance, options)
    if kind == "relative":
        return _relative(pairs, queries_distance, options)
    check_pairs(pairs)
    if kind in ("procrustes", "procrustes_centred"):
        return _procrustes(kind, pairs, rows_distance, queries_distance)
    return _regressed(kind, pairs, queries_distance, options, watch)


def _regressed(
    kind: Kind, pairs: Pairs, queries_distance: Distance, options: FitOptions, watch: Watch
) -> AffineAdapter | RadialAdapter:
    affine, shrinkage = ridge(pairs, _checked_shrinkage(options.shrinkage))
    if kind == "mlp":
        part = watch.part(0.1, 1.0)
        draw = Draw(_checked_units(options.units), options.seed)
        return fit_radial(pairs, affine, shrinkage, queries_distance, draw, part)
    if kind == "low_rank":
        affine = low_rank(pairs, affine, _checked_rank(options.rank, pairs))
    return AffineAdapter(kind, queries_distance, *_as_map(affine))


def _as_map(affine: Affine) -> tuple[Vectors, Vectors]:
    return (
        np.ascontiguousarray(affine.matrix.T, dtype=np.float32),
        np.ascontiguousarray(affine.bias, dtype=np.float32),
    )


def _checked_shrinkage(shrinkage: float | None) -> float | None:
    if shrinkage is not None and not MIN_SHRINKAGE <= shrinkage <= MAX_SHRINKAGE:
        raise InvalidConfig(
            f"shrinkage: expected {MIN_SHRINKAGE:g} to {MAX_SHRINKAGE:g}, got {shrinkage!r}"
        )
    return shrinkage


def _checked_units(units: int | None) -> int:
    if units is None:
        return DEFAULT_UNITS
    if units < 1:
        raise InvalidConfig(f"units: expected at least 1, got {units}")
    return units


def _checked_rank(rank: int | None, pairs: Pairs) -> int:
    most = min(pairs.rows.shape[1], pairs.queries.shape[1])
    if rank is None:
        return max(1, int(DEFAULT_RANK_SHARE * most))
    if not 1 <= rank <= most:
        raise InvalidConfig(f"rank: expected 1 to {most}, the smaller size, got {rank}")
    return rank


def _procrustes(
    kind: Kind, pairs: Pairs, rows_distance: Distance, queries_distance: Distance
) -> MatrixAdapter:
    source, target = pairs.queries.astype(np.float64), pairs.rows.astype(np.float64)
    centred = kind == "procrustes_centred"
    source_mean = source.mean(axis=0) if centred else np.zeros(source.shape[1])
    target_mean = target.mean(axis=0) if centred else np.zeros(target.shape[1])
    source -= source_mean
    target -= target_mean
    rotation = procrustes(source, target)
    scale = back_scale = 1.0  # cosines ignore lengths
    if rows_distance is not Distance.COSINE:
        scale = float(np.linalg.norm(target) / np.linalg.norm(source @ rotation))
        back_scale = 1 / scale
    elif queries_distance is not Distance.COSINE:
        back_scale = float(np.linalg.norm(source) / np.linalg.norm(target @ rotation.T))
    matrix, back = scale * rotation, back_scale * rotation.T
    return MatrixAdapter(
        kind,
        rows_distance,
        queries_distance,
        np.ascontiguousarray(matrix, dtype=np.float32),
        np.asarray(target_mean - source_mean @ matrix, dtype=np.float32),
        np.ascontiguousarray(back, dtype=np.float32),
        np.asarray(source_mean - target_mean @ back, dtype=np.float32),
    )


def _of_matrix(
    pairs: Pairs, rows_distance: Distance, queries_distance: Distance, options: FitOptions
) -> MatrixAdapter:
    shape = (pairs.queries.shape[1], pairs.rows.shape[1])
    if options.matrix is None:
        raise InvalidConfig(f"an adapter of kind 'matrix' needs a matrix of shape {shape}")
    matrix = np.ascontiguousarray(options.matrix, dtype=np.float32)
    if matrix.shape != shape:
        raise InvalidConfig(
            f"matrix: expected shape {shape} (sizes of the queries and of the rows), "
            f"got {matrix.shape}"
        )
    if not np.isfinite(matrix).all() or not matrix.any():
        raise InvalidConfig("matrix: expected finite numbers that are not all zero")
    inner = rows_distance in INNER_PRODUCTS
    back = matrix.T if inner else np.linalg.pinv(matrix.astype(np.float64))
    return MatrixAdapter(
        "matrix",
        rows_distance,
        queries_distance,
        matrix,
        np.zeros(shape[1], dtype=np.float32),
        np.ascontiguousarray(back, dtype=np.float32),
        np.zeros(shape[0], dtype=np.float32),
    )


def _relative(pairs: Pairs, queries_distance: Distance, options: FitOptions) -> RelativeAdapter:
    anchors = options.anchors if options.anchors is not None else pairs
    sizes = (anchors.rows.shape[1], anchors.queries.shape[1])
    expected = (pairs.rows.shape[1], pairs.queries.shape[1])
    if sizes != expected:
        raise InvalidPairs(f"anchors: expected sizes {expected} of rows and queries, got {sizes}")
    if len(anchors.rows) < MIN_ANCHORS:
        raise InvalidPairs(
            f"anchors: at least {MIN_ANCHORS} are needed (better {max(sizes)}), "
            f"got {len(anchors.rows)}"
        )
    return RelativeAdapter.of_anchors(anchors, queries_distance)
