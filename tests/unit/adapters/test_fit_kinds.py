"""What fits recover, what they refuse, and how they end early."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palimpsest.index.adapters.kinds import (
    FitCancelled,
    FitOptions,
    Kind,
    Pairs,
    Watch,
    best,
    bridged_scores,
    fit,
    make_pairs,
    native_scores,
    needed_pairs,
)
from palimpsest.index.adapters.solving import SHRINKAGES, ridge
from palimpsest.index.errors import InvalidConfig, InvalidPairs
from palimpsest.index.types import Distance, Vectors

COSINE, DOT, EUCLID, MANHATTAN = Distance
FITTED: tuple[Kind, ...] = ("ridge", "low_rank", "procrustes", "procrustes_centred", "mlp")


def rotation(rng: np.random.Generator, size: int) -> np.ndarray:
    return np.linalg.qr(rng.standard_normal((size, size)))[0]


def some(rng: np.random.Generator, n: int, size: int) -> Vectors:
    vectors = rng.standard_normal((n, size)) + 0.2
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("distance", [COSINE, DOT, EUCLID])
@pytest.mark.parametrize("kind", ["procrustes", "procrustes_centred"])
@pytest.mark.parametrize(("rows_size", "queries_size"), [(40, 40), (56, 40), (40, 56)])
def test_a_known_rotation_is_recovered(
    kind: Kind, rows_size: int, queries_size: int, distance: Distance, rng: np.random.Generator
) -> None:
    common = min(rows_size, queries_size)
    hidden = some(rng, 500, common)
    turned = rotation(rng, max(rows_size, queries_size))[:common]
    if rows_size <= queries_size:
        rows, queries, truth = hidden, hidden @ turned, turned.T
    else:
        rows, queries, truth = hidden @ turned, hidden, turned
    if queries_size == rows_size:
        truth = turned.T
    pairs = make_pairs(rows, queries, distance, distance)
    adapter = fit(kind, pairs, distance, distance)
    np.testing.assert_allclose(adapter.arrays()["matrix"], truth, atol=1e-4)
    mapped = np.stack([adapter.map_query(query).vector for query in pairs.queries])
    np.testing.assert_allclose(mapped, pairs.rows, atol=1e-4)
    np.testing.assert_allclose(adapter.map_rows(pairs.rows), pairs.queries, atol=1e-4)


def test_a_moved_rotation_is_recovered_only_when_centred(rng: np.random.Generator) -> None:
    queries = rng.standard_normal((600, 24))
    turned = rotation(rng, 24)
    pairs = make_pairs(queries @ turned + 3.0, queries, EUCLID, EUCLID)
    centred = fit("procrustes_centred", pairs, EUCLID, EUCLID)
    np.testing.assert_allclose(centred.arrays()["matrix"], turned, atol=1e-4)
    mapped = centred.map_query(pairs.queries[3]).vector
    np.testing.assert_allclose(mapped, pairs.rows[3], atol=1e-4)
    plain = fit("procrustes", pairs, EUCLID, EUCLID)
    assert np.abs(plain.map_query(pairs.queries[3]).vector - pairs.rows[3]).max() > 1.0


def test_a_rotation_to_another_scale_is_recovered(rng: np.random.Generator) -> None:
    queries = rng.standard_normal((600, 24))
    pairs = make_pairs(7.0 * queries @ rotation(rng, 24), queries, EUCLID, EUCLID)
    adapter = fit("procrustes", pairs, EUCLID, EUCLID)
    np.testing.assert_allclose(adapter.map_query(pairs.queries[0]).vector, pairs.rows[0], atol=1e-3)
    np.testing.assert_allclose(adapter.map_rows(pairs.rows), pairs.queries, atol=1e-3)


@pytest.mark.parametrize("shrinkage", SHRINKAGES)
def test_ridge_is_the_solution_of_its_normal_equations(
    shrinkage: float, rng: np.random.Generator
) -> None:
    pairs = Pairs(some(rng, 200, 12), some(rng, 200, 9))
    affine, _ = ridge(pairs, shrinkage)
    rows = pairs.rows - pairs.rows.mean(axis=0, dtype=np.float64)
    queries = pairs.queries - pairs.queries.mean(axis=0, dtype=np.float64)
    gram = rows.T @ rows
    penalty = shrinkage * np.trace(gram) / 12
    plain = np.linalg.solve(gram + penalty * np.eye(12), rows.T @ queries)
    np.testing.assert_allclose(affine.matrix, plain, atol=1e-9)
    mean = pairs.rows.mean(axis=0, dtype=np.float64) @ affine.matrix + affine.bias
    np.testing.assert_allclose(mean, pairs.queries.mean(axis=0, dtype=np.float64), atol=1e-9)


def test_the_shrinkage_chosen_is_that_of_the_best_left_out_estimates(
    rng: np.random.Generator,
) -> None:
    hidden = rng.standard_normal((90, 20))
    rows = (hidden + 0.7 * rng.standard_normal((90, 20))).astype(np.float32)
    pairs = Pairs(rows, (hidden @ rotation(rng, 20)).astype(np.float32))
    costs = [_left_out_cost(pairs, shrinkage) for shrinkage in SHRINKAGES]
    assert ridge(pairs)[1] == SHRINKAGES[int(np.argmin(costs))]
    assert len({round(cost, 4) for cost in costs}) > 3


def _left_out_cost(pairs: Pairs, shrinkage: float) -> float:
    gram = np.cov(pairs.rows.T.astype(np.float64), bias=True) * len(pairs.rows)
    penalty = shrinkage * np.trace(gram) / gram.shape[0]  # the same in every fit
    costs = []
    for i in range(len(pairs.rows)):
        rest = pairs.take(np.delete(np.arange(len(pairs.rows)), i))
        rows = rest.rows - rest.rows.mean(axis=0, dtype=np.float64)
        targets = rest.queries - rest.queries.mean(axis=0, dtype=np.float64)
        matrix = np.linalg.solve(rows.T @ rows + penalty * np.eye(rows.shape[1]), rows.T @ targets)
        at = pairs.rows[i] - rest.rows.mean(axis=0, dtype=np.float64)
        estimate = at @ matrix + rest.queries.mean(axis=0, dtype=np.float64)
        truth = pairs.queries[i]
        costs.append(1 - estimate @ truth / np.linalg.norm(estimate) / np.linalg.norm(truth))
    return float(np.mean(costs))


def test_low_rank_keeps_what_matters_most(rng: np.random.Generator) -> None:
    pairs = Pairs(some(rng, 400, 20), some(rng, 400, 16))
    pairs = Pairs(pairs.rows, (pairs.rows @ rng.standard_normal((20, 16))).astype(np.float32))
    low = fit("low_rank", pairs, DOT, DOT, FitOptions(rank=5))
    full = fit("low_rank", pairs, DOT, DOT, FitOptions(rank=16))
    ridge_map = fit("ridge", pairs, DOT, DOT)
    assert np.linalg.matrix_rank(low.arrays()["matrix"], tol=1e-4) == 5
    np.testing.assert_allclose(full.map_rows(pairs.rows), ridge_map.map_rows(pairs.rows), atol=1e-4)
    fitted = ridge_map.map_rows(pairs.rows).astype(np.float64)
    mean = fitted.mean(axis=0)
    left, values, right = np.linalg.svd(fitted - mean, full_matrices=False)
    plain = (left[:, :5] * values[:5]) @ right[:5] + mean
    np.testing.assert_allclose(low.map_rows(pairs.rows), plain, atol=1e-4)


def test_a_given_matrix_maps_queries(rng: np.random.Generator) -> None:
    turned = rotation(rng, 12)
    rows = some(rng, 50, 12)
    pairs = make_pairs(rows, rows @ turned.T, COSINE, COSINE)
    options = FitOptions(matrix=(5.0 * turned).astype(np.float32))
    adapter = fit("matrix", pairs.take(slice(1)), COSINE, COSINE, options)
    scores = bridged_scores(adapter, pairs.queries, pairs.rows, COSINE)
    assert (best(scores, 1)[:, 0] == np.arange(50)).all()
    np.testing.assert_allclose(
        scores, native_scores(pairs.queries, pairs.queries, COSINE), atol=1e-5
    )


@pytest.mark.parametrize(
    "matrix", [None, np.ones((3, 3)), np.zeros((12, 12)), np.full((12, 12), np.nan)]
)
def test_a_matrix_that_maps_nothing_is_refused(matrix: Any, rng: np.random.Generator) -> None:
    pairs = Pairs(some(rng, 2, 12), some(rng, 2, 12))
    with pytest.raises(InvalidConfig, match="matrix"):
        fit("matrix", pairs, COSINE, COSINE, FitOptions(matrix=matrix))


@pytest.mark.parametrize(
    ("rows", "queries", "words"),
    [
        (np.ones((5, 4)), np.ones((6, 4)), "5 rows and 6 queries"),
        ([[1.0, 2.0], [1.0]], np.ones((2, 4)), "one length"),
        (np.ones(4), np.ones((1, 4)), "shape"),
        (np.ones((0, 4)), np.ones((0, 4)), "shape"),
        (np.ones((2, 4)), [[1.0, np.nan], [1.0, 2.0]], "NaN or infinity in 1 of 2"),
    ],
)
def test_arrays_that_are_no_pairs_are_refused(rows: Any, queries: Any, words: str) -> None:
    with pytest.raises(InvalidPairs, match=words):
        make_pairs(rows, queries, COSINE, COSINE)


def test_pairs_without_a_direction_are_left_out_under_cosine() -> None:
    rows, queries = make_pairs([[3.0, 4.0], [0.0, 0.0], [1.0, 0.0]], np.eye(3), COSINE, COSINE)
    np.testing.assert_allclose(rows, [[0.6, 0.8], [1.0, 0.0]])
    np.testing.assert_array_equal(queries, np.eye(3)[[0, 2]])
    rows, _ = make_pairs([[0.0, 0.0], [1.0, 0.0]], [[1.0], [0.0]], DOT, DOT)
    assert len(rows) == 2


def test_pairs_are_normalised_only_under_cosine() -> None:
    rows, queries = make_pairs([[3.0, 4.0]], [[0.0, 2.0]], COSINE, DOT)
    np.testing.assert_allclose(rows, [[0.6, 0.8]])
    assert queries.tolist() == [[0.0, 2.0]] and queries.dtype == np.float32


@pytest.mark.parametrize("kind", FITTED)
def test_too_few_pairs_are_refused_with_how_many_are_needed(
    kind: Kind, rng: np.random.Generator
) -> None:
    needed = needed_pairs(80, 96)
    assert needed == 40
    pairs = Pairs(some(rng, 60, 80), some(rng, 60, 96))
    with pytest.raises(InvalidPairs, match="at least 40 are needed.*got 39"):
        fit(kind, pairs.take(slice(39)), COSINE, COSINE)
    assert fit(kind, pairs.take(slice(40)), COSINE, COSINE).kind == kind


@pytest.mark.parametrize("kind", FITTED)
@pytest.mark.parametrize("side", ["rows", "queries"])
def test_degenerate_pairs_are_refused(kind: Kind, side: str, rng: np.random.Generator) -> None:
    good, n = some(rng, 200, 64), 200
    constant = np.repeat(some(rng, 1, 64), n, axis=0)
    repeated = np.tile(some(rng, 10, 64), (n // 10, 1))
    for bad, words in ((constant, "constant"), (repeated, "rank-deficient.*span only 9 of 64")):
        pairs = Pairs(bad, good) if side == "rows" else Pairs(good, bad)
        with pytest.raises(InvalidPairs, match=f"the {side} of the pairs are {words}"):
            fit(kind, pairs, COSINE, COSINE)


def test_unused_dimensions_are_no_reason_to_refuse(rng: np.random.Generator) -> None:
    rows = some(rng, 200, 32)
    rows[:, 20:] = 0.0
    pairs = make_pairs(rows, some(rng, 200, 32), COSINE, COSINE)
    for kind in FITTED:
        factors = fit(kind, pairs, COSINE, COSINE).row_factors(pairs.rows)
        assert np.isfinite(factors).all()


@pytest.mark.parametrize("kind", ["ridge", "low_rank", "mlp", "relative"])
@pytest.mark.parametrize("distances", [(EUCLID, COSINE), (COSINE, MANHATTAN)])
def test_kinds_that_compare_by_inner_products_refuse_other_distances(
    kind: Kind, distances: tuple[Distance, Distance], rng: np.random.Generator
) -> None:
    pairs = Pairs(some(rng, 100, 16), some(rng, 100, 16))
    with pytest.raises(InvalidConfig, match="use procrustes"):
        fit(kind, pairs, *distances)


@pytest.mark.parametrize(
    ("kind", "sizes", "distance"),
    [("identity", (16, 12), COSINE), ("prefix", (16, 12), EUCLID)],
)
def test_sizes_that_a_kind_cannot_compare_are_refused(
    kind: Kind, sizes: tuple[int, int], distance: Distance, rng: np.random.Generator
) -> None:
    pairs = Pairs(some(rng, 100, sizes[0]), some(rng, 100, sizes[1]))
    with pytest.raises(InvalidConfig, match=f"kind '{kind}'"):
        fit(kind, pairs, distance, distance)


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("ridge", FitOptions(shrinkage=0.0), InvalidConfig),
        ("ridge", FitOptions(shrinkage=float("nan")), InvalidConfig),
        ("mlp", FitOptions(units=0), InvalidConfig),
        ("low_rank", FitOptions(rank=0), InvalidConfig),
        ("low_rank", FitOptions(rank=13), InvalidConfig),
        (
            "relative",
            FitOptions(anchors=Pairs(np.ones((1, 16), "f4"), np.ones((1, 12), "f4"))),
            InvalidPairs,
        ),
        (
            "relative",
            FitOptions(anchors=Pairs(np.ones((5, 12), "f4"), np.ones((5, 16), "f4"))),
            InvalidPairs,
        ),
    ],
)
def test_options_out_of_range_are_refused(
    kind: Kind, options: FitOptions, error: type[Exception], rng: np.random.Generator
) -> None:
    pairs = Pairs(some(rng, 100, 16), some(rng, 100, 12))
    with pytest.raises(error):
        fit(kind, pairs, COSINE, COSINE, options)


@pytest.mark.parametrize("kind", ["ridge", "procrustes", "mlp"])
def test_progress_goes_from_nothing_to_all_and_never_back(
    kind: Kind, rng: np.random.Generator
) -> None:
    pairs = Pairs(some(rng, 100, 16), some(rng, 100, 12))
    told: list[float] = []
    fit(kind, pairs, COSINE, COSINE, watch=Watch(progress=told.append))
    assert told[0] == 0.0 and told[-1] == 1.0 and told == sorted(told)
    assert kind != "mlp" or len(told) > 5


def test_a_cancelled_fit_ends_before_it_is_done(rng: np.random.Generator) -> None:
    pairs = Pairs(some(rng, 100, 16), some(rng, 100, 12))
    told: list[float] = []
    watch = Watch(progress=told.append, cancelled=lambda: len(told) == 3)
    with pytest.raises(FitCancelled):
        fit("mlp", pairs, COSINE, COSINE, watch=watch)
    assert len(told) == 3
