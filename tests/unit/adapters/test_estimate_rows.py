"""Affine estimates of rows: the score of a mapped query is that of the query with the estimate."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.adapters.estimate_rows import AffineAdapter
from palimpsest.index.types import Distance

COSINE, DOT = Distance.COSINE, Distance.DOT


def affine(distance: Distance, bias: list[float] | None = None) -> AffineAdapter:
    matrix = np.array([[1, 0], [0, 2], [1, 1]], dtype=np.float32)
    return AffineAdapter("ridge", distance, matrix, np.array(bias or [0, 0, 1], dtype=np.float32))


def test_a_mapped_query_scores_as_the_query_scores_the_estimate(rng: np.random.Generator) -> None:
    adapter = affine(DOT)
    rows = rng.standard_normal((20, 2)).astype(np.float32)
    query = rng.standard_normal(3).astype(np.float32)
    vector, shift = adapter.map_query(query)
    np.testing.assert_allclose(rows @ vector + shift, adapter.estimate(rows) @ query, atol=1e-5)
    np.testing.assert_allclose(
        adapter.estimate(rows),
        np.stack([rows[:, 0], 2 * rows[:, 1], rows.sum(axis=1) + 1], axis=1),
        atol=1e-6,
    )


def test_only_under_cosine_are_lengths_divided_out() -> None:
    rows = np.array([[3, 0], [0, 0]], dtype=np.float32)
    assert affine(DOT).row_factors(rows).tolist() == [1, 1]
    factors = affine(COSINE).row_factors(rows)
    assert factors.tolist() == pytest.approx([1 / 5, 1])  # of (3, 0, 4) and of (0, 0, 1)
    assert np.linalg.norm(affine(COSINE).map_rows(rows), axis=1).tolist() == pytest.approx([1, 1])
    assert affine(DOT).map_rows(rows).tolist() == [[3, 0, 4], [0, 0, 1]]


def test_an_estimate_of_nothing_scores_next_to_nothing() -> None:
    adapter = affine(COSINE, [0.0, 0.0, 0.0])
    nothing = np.zeros((1, 2), dtype=np.float32)
    (factor,) = adapter.row_factors(nothing)
    assert 0 < factor < 1e-20
    assert adapter.rescore(np.ones(3, dtype=np.float32), nothing).tolist() == [0.0]
    assert adapter.map_rows(nothing).tolist() == [[0, 0, 0]]


def test_it_comes_back_from_json_and_arrays() -> None:
    adapter = affine(COSINE)
    back = AffineAdapter.from_json(adapter.to_json(), adapter.arrays())
    assert (back.kind, back.queries_distance) == ("ridge", COSINE)
    np.testing.assert_array_equal(back.matrix, adapter.matrix)
    np.testing.assert_array_equal(back.bias, adapter.bias)
