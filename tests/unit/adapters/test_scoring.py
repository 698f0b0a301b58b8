"""Exact scores as matrices: every distance against its definition, and the best of each list."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.adapters.estimate_rows import AffineAdapter
from palimpsest.index.adapters.scoring import best, bridged_scores, native_scores, rescored
from palimpsest.index.types import Distance

COSINE, DOT, EUCLID, MANHATTAN = Distance


@pytest.mark.parametrize("distance", list(Distance))
def test_scores_are_those_of_the_definition(distance: Distance, rng: np.random.Generator) -> None:
    queries = rng.standard_normal((4, 6)).astype(np.float32)
    rows = rng.standard_normal((9, 6)).astype(np.float32)
    rows[0], rows[1] = queries[0], 0
    differences = queries[:, None].astype(np.float64) - rows[None]
    wanted = {
        EUCLID: -np.sqrt(np.square(differences).sum(axis=2)),
        MANHATTAN: -np.abs(differences).sum(axis=2),
    }.get(distance, queries.astype(np.float64) @ rows.T)
    found = native_scores(queries, rows, distance)
    assert found.dtype == np.float32 and not np.isnan(found).any()
    np.testing.assert_allclose(found, wanted, atol=2e-3 if distance is EUCLID else 1e-5)


def test_a_row_far_from_the_origin_is_never_at_an_imaginary_distance() -> None:
    rows = np.full((2, 3), 1e4, dtype=np.float32)
    found = native_scores(rows, rows, EUCLID)
    assert not np.isnan(found).any() and (found <= 0).all()


def test_the_best_come_first_and_equal_ones_by_position() -> None:
    scores = np.array([[1, 3, 3, 2, -np.inf], [0, 0, 0, 0, 0]], dtype=np.float32)
    assert best(scores, 3)[0].tolist() == [1, 2, 3]
    assert best(scores, 5).tolist() == [[1, 2, 3, 0, 4], [0, 1, 2, 3, 4]]
    assert best(scores, 9).tolist() == best(scores, 5).tolist()
    some = best(scores, 2)[1].tolist()
    assert len(set(some)) == 2 and some == sorted(some)


def test_bridged_scores_have_the_shift_and_the_factors() -> None:
    matrix = np.array([[2, 0]], dtype=np.float32)
    adapter = AffineAdapter("ridge", DOT, matrix, np.array([3], dtype=np.float32))
    rows = np.array([[1, 9], [0, 0]], dtype=np.float32)
    queries = np.array([[1], [-1]], dtype=np.float32)
    assert bridged_scores(adapter, queries, rows, DOT).tolist() == [[5, 3], [-5, -3]]
    cosine = AffineAdapter("ridge", COSINE, matrix, np.array([3], dtype=np.float32))
    assert bridged_scores(cosine, queries, rows, DOT) == pytest.approx(
        np.array([[1, 1], [-1, -1]]), abs=1e-6
    )


def test_only_candidates_are_scored_again() -> None:
    adapter = AffineAdapter("ridge", DOT, np.eye(2, dtype=np.float32), np.zeros(2, np.float32))
    rows = np.array([[1, 0], [0, 1], [2, 2]], dtype=np.float32)
    found = rescored(adapter, rows[:1], rows, np.array([[2, 0]]))
    assert found.tolist() == [[1, -np.inf, 2]]
