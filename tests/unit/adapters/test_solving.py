"""Linear maps between two versions: exact where the pairs are, and the best of a rank."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.adapters.pairs import Pairs
from palimpsest.index.adapters.solving import SHRINKAGES, low_rank, procrustes, ridge


def pairs_of(rows: np.ndarray, queries: np.ndarray) -> Pairs:
    return Pairs(rows.astype(np.float32), queries.astype(np.float32))


def test_an_affine_map_is_found_again(rng: np.random.Generator) -> None:
    rows, matrix = rng.standard_normal((200, 5)), rng.standard_normal((5, 3))
    affine, shrinkage = ridge(pairs_of(rows, rows @ matrix + [1, 2, 3]))
    assert shrinkage == min(SHRINKAGES), "nothing is noise, so nothing is held back"
    np.testing.assert_allclose(affine.matrix, matrix, atol=2e-3)
    np.testing.assert_allclose(affine.bias, [1, 2, 3], atol=2e-3)


def test_a_given_shrinkage_is_kept_and_draws_towards_the_mean(rng: np.random.Generator) -> None:
    rows = rng.standard_normal((100, 4))
    pairs = pairs_of(rows, rows + 7)
    for given in (0.0, 1e6):
        affine, kept = ridge(pairs, given)
        assert kept == given
    assert np.abs(affine.matrix).max() < 1e-4
    np.testing.assert_allclose(affine.bias, (rows + 7).mean(axis=0), atol=1e-3)


def test_noise_is_held_back_by_more_than_a_clean_map_is(rng: np.random.Generator) -> None:
    rows = rng.standard_normal((60, 40))
    _, clean = ridge(pairs_of(rows, rows))
    _, noisy = ridge(pairs_of(rows, rng.standard_normal((60, 40))))
    assert noisy > clean


def test_the_leave_one_out_choice_is_that_of_fits_without_the_point(
    rng: np.random.Generator,
) -> None:
    rows = rng.standard_normal((25, 6))
    queries = rows @ rng.standard_normal((6, 4)) + rng.standard_normal((25, 4)) + 2
    pairs = pairs_of(rows, queries)
    unit = float(np.linalg.eigvalsh(np.cov(rows.T, bias=True) * 25).mean())
    costs = []
    for shrinkage in SHRINKAGES:
        cosines = []
        for out in range(25):
            kept = np.delete(np.arange(25), out)
            x, y = rows[kept], queries[kept]
            centred = x - x.mean(axis=0)
            gram = centred.T @ centred + shrinkage * unit * np.eye(6)
            fitted = np.linalg.solve(gram, centred.T @ (y - y.mean(axis=0)))
            estimate = y.mean(axis=0) + (rows[out] - x.mean(axis=0)) @ fitted
            lengths = np.linalg.norm(estimate) * np.linalg.norm(queries[out])
            cosines.append(estimate @ queries[out] / lengths)
        costs.append(1 - np.mean(cosines))
    _, chosen = ridge(pairs)
    assert costs[SHRINKAGES.index(chosen)] <= min(costs) + 1e-4


def test_the_full_rank_changes_nothing_and_a_lower_one_has_its_rank(
    rng: np.random.Generator,
) -> None:
    rows = rng.standard_normal((100, 5)) + 1
    pairs = pairs_of(rows, rows @ rng.standard_normal((5, 4)) - 3)
    affine, _ = ridge(pairs)
    same, two = low_rank(pairs, affine, 4), low_rank(pairs, affine, 2)
    np.testing.assert_allclose(rows @ same.matrix + same.bias, rows @ affine.matrix + affine.bias)
    assert np.linalg.matrix_rank(two.matrix, tol=1e-8) == 2
    fitted = rows @ affine.matrix + affine.bias
    left = np.linalg.svd(fitted - fitted.mean(axis=0), compute_uv=False)[2:]
    missed = np.square(rows @ two.matrix + two.bias - fitted).sum()
    assert missed == pytest.approx(float(np.square(left).sum()), rel=1e-4)


@pytest.mark.parametrize(("size_from", "size_to"), [(4, 4), (3, 6), (6, 3)])
def test_procrustes_finds_a_turn_of_any_sizes(
    size_from: int, size_to: int, rng: np.random.Generator
) -> None:
    large = max(size_from, size_to)
    turn = np.linalg.qr(rng.standard_normal((large, large)))[0][:size_from, :size_to]
    source = rng.standard_normal((50, size_from))
    found = procrustes(source, source @ turn)
    small = found if size_from > size_to else found.T
    np.testing.assert_allclose(small.T @ small, np.eye(min(size_from, size_to)), atol=1e-9)
    if size_from <= size_to:
        np.testing.assert_allclose(found, turn, atol=1e-9)
