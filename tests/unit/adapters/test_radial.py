"""The network that scores candidates again: against its formula, block by block."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.adapters.estimate_rows import AffineAdapter
from palimpsest.index.adapters.radial import Layer, RadialAdapter, Units
from palimpsest.index.types import Distance, Vectors


def network(rng: np.random.Generator, distance: Distance = Distance.COSINE) -> RadialAdapter:
    def drawn(*shape: int) -> Vectors:
        return rng.standard_normal(shape).astype(np.float32)

    linear = AffineAdapter("mlp", distance, drawn(5, 3), drawn(5))
    return RadialAdapter(
        linear, Units(drawn(7, 3), 0.25), Layer(drawn(3, 5), drawn(7, 5), drawn(5))
    )


def plain(adapter: RadialAdapter, rows: Vectors) -> np.ndarray:
    """Return the estimates as the module's formula says, in float64."""
    differences = rows[:, None].astype(np.float64) - adapter.units.centres[None]
    values = np.exp(-adapter.units.sharpness * np.square(differences).sum(axis=2))
    layer = adapter.layer
    return rows.astype(np.float64) @ layer.direct + values @ layer.weights + layer.bias


@pytest.mark.parametrize("distance", [Distance.COSINE, Distance.DOT])
def test_scores_are_those_of_the_formula(distance: Distance, rng: np.random.Generator) -> None:
    adapter = network(rng, distance)
    rows = rng.standard_normal((30, 3)).astype(np.float32)
    rows[0], rows[1], rows[2] = 0, adapter.units.centres[0], adapter.units.centres[0]
    query = rng.standard_normal(5).astype(np.float32)
    wanted = plain(adapter, rows)
    if distance is Distance.COSINE:
        wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(adapter.map_rows(rows), wanted, rtol=1e-4, atol=1e-5)
    scores = adapter.rescore(query, rows)
    np.testing.assert_allclose(scores, wanted @ query, rtol=1e-3, atol=1e-4)
    kept = adapter.rescore(query, rows, adapter.rescoring_factors(rows))
    np.testing.assert_allclose(kept, scores, rtol=1e-5)
    assert scores[1] == scores[2]


def test_estimates_do_not_depend_on_where_blocks_end(rng: np.random.Generator) -> None:
    adapter = network(rng, Distance.DOT)
    rows = rng.standard_normal((2_049, 3)).astype(np.float32)
    np.testing.assert_allclose(adapter.map_rows(rows), plain(adapter, rows), rtol=1e-3, atol=1e-4)


def test_far_rows_are_left_to_the_direct_map(rng: np.random.Generator) -> None:
    adapter = network(rng, Distance.DOT)
    far = np.full((1, 3), 1e4, dtype=np.float32)
    assert adapter.units.of(far).tolist() == [[0.0] * 7]
    direct = far @ adapter.layer.direct + adapter.layer.bias
    np.testing.assert_allclose(adapter.map_rows(far), direct, rtol=1e-6)


def test_it_comes_back_from_json_and_arrays(rng: np.random.Generator) -> None:
    adapter = network(rng)
    back = RadialAdapter.from_json(adapter.to_json(), adapter.arrays())
    rows = rng.standard_normal((4, 3)).astype(np.float32)
    np.testing.assert_array_equal(back.map_rows(rows), adapter.map_rows(rows))
    np.testing.assert_array_equal(back.row_factors(rows), adapter.row_factors(rows))
    assert (back.rows_size, back.queries_size, back.rescores) == (3, 5, True)
