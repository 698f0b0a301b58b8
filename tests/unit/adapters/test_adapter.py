"""What linear adapters have in common: rescoring changes nothing, sizes are those of the matrix."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.adapters.estimate_rows import AffineAdapter
from palimpsest.index.adapters.map_queries import PrefixAdapter
from palimpsest.index.types import Distance


def affine(distance: Distance, rng: np.random.Generator) -> AffineAdapter:
    matrix = rng.standard_normal((5, 3)).astype(np.float32)
    return AffineAdapter("ridge", distance, matrix, rng.standard_normal(5).astype(np.float32))


@pytest.mark.parametrize("distance", [Distance.COSINE, Distance.DOT])
def test_scoring_again_is_the_mapped_query_with_its_shift_and_the_factors(
    distance: Distance, rng: np.random.Generator
) -> None:
    adapter = affine(distance, rng)
    rows = rng.standard_normal((7, 3)).astype(np.float32)
    rows[3] = rows[2]
    query = rng.standard_normal(5).astype(np.float32)
    estimates = rows.astype(np.float64) @ adapter.matrix.T.astype(np.float64) + adapter.bias
    if distance is Distance.COSINE:
        estimates /= np.linalg.norm(estimates, axis=1, keepdims=True)
    scores = adapter.rescore(query, rows)
    assert scores.dtype == np.float32 and scores[2] == scores[3]
    np.testing.assert_allclose(scores, estimates @ query, rtol=2e-4, atol=2e-4)
    np.testing.assert_array_equal(
        scores, adapter.rescore(query, rows, adapter.rescoring_factors(rows))
    )
    assert (adapter.rows_size, adapter.queries_size, adapter.rescores) == (3, 5, False)


def test_given_factors_take_the_place_of_those_of_the_rows() -> None:
    adapter = PrefixAdapter("prefix", Distance.COSINE, Distance.COSINE, 3, 2)
    rows = np.array([[3, 4, 12], [0, 0, 1]], dtype=np.float32)
    query = np.array([1, 0], dtype=np.float32)
    assert adapter.rescore(query, rows)[0] == pytest.approx(0.6)
    assert adapter.rescore(query, rows, np.array([2, 1], dtype=np.float32)).tolist() == [6, 0]
