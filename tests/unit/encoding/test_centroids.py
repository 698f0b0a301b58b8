"""Centroids are means of what is near them, and found about as a comparison with all finds them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.index import _native
from palimpsest.index.encoding.centroids import Centroids, fitted
from palimpsest.index.types import Vectors


def nearest_of(values: Vectors, rows: Vectors) -> np.ndarray:  # type: ignore[type-arg]
    """Return the squared distance (n, k) of rows to centroids, in double."""
    apart = rows[:, None].astype(np.float64) - values[None].astype(np.float64)
    return np.square(apart).sum(axis=2)


@given(st.integers(0, 2**32), st.integers(1, 90), st.integers(1, 120), st.integers(1, 40))
@settings(max_examples=25)
def test_few_are_compared_exactly(seed: int, k: int, n: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((k, size)).astype(np.float32)
    rows = rng.standard_normal((n, size)).astype(np.float32)
    distances = nearest_of(values, rows)
    found = distances[np.arange(n), Centroids(values, 0).nearest(rows)]
    np.testing.assert_allclose(found, distances.min(axis=1), rtol=1e-4, atol=1e-4)


def test_of_equal_ones_the_first_and_of_nothing_nothing() -> None:
    values = np.tile(np.eye(3, dtype=np.float32), (4, 1))
    assert Centroids(values, 0).nearest(values).tolist() == [0, 1, 2] * 4
    assert Centroids(values, 0).nearest(values[:0]).shape == (0,)


def test_many_are_grouped_and_most_still_find_their_nearest() -> None:
    rng = np.random.default_rng(5)
    values = rng.standard_normal((600, 16)).astype(np.float32)
    rows = values[rng.integers(0, 600, 3_000)] + 0.4 * rng.standard_normal((3_000, 16))
    rows = rows.astype(np.float32)
    true = nearest_of(values, rows).argmin(axis=1)
    found = Centroids(values, 1).nearest(rows)
    assert (found == true).mean() > 0.95
    np.testing.assert_array_equal(found, Centroids(values, 1).nearest(rows))
    # whatever stands beside a row
    np.testing.assert_array_equal(
        found[1_000:1_003], Centroids(values, 1).nearest(rows[1_000:1_003])
    )


@pytest.mark.parametrize("unit", [False, True])
def test_fitted_ones_are_means(unit: bool) -> None:
    rng = np.random.default_rng(2)
    places = rng.standard_normal((8, 6)).astype(np.float32) * 5
    sample = np.repeat(places, 30, axis=0) + rng.standard_normal((240, 6)).astype(np.float32) / 50
    if unit:
        sample /= np.linalg.norm(sample, axis=1, keepdims=True)
        places /= np.linalg.norm(places, axis=1, keepdims=True)
    made = fitted(sample, 60, 3, unit=unit)
    assert len(made) == 60 and np.isfinite(made.values).all()
    assert np.sqrt(nearest_of(made.values, places).min(axis=1)).max() < 0.1
    if unit:
        np.testing.assert_allclose(np.linalg.norm(made.values, axis=1), 1, rtol=1e-5)


def test_no_more_than_there_are_vectors_and_zeros_are_no_trouble() -> None:
    zeros = np.zeros((5, 4), dtype=np.float32)
    made = fitted(zeros, 9, 0, unit=True)
    assert len(made) == 5 and not made.values.any()
    assert made.nearest(zeros).tolist() == [0] * 5
    same = fitted(np.ones((400, 4), dtype=np.float32), 300, 0, unit=False)
    assert len(same) == 300 and {*same.nearest(np.ones((9, 4), np.float32)).tolist()} == {0}


def test_what_does_not_fit_is_refused() -> None:
    one = np.ones((2, 3), dtype=np.float32)
    none = one[:0]
    with pytest.raises(ValueError, match="must be centroids"):
        _native.Centroids(none, none)
    with pytest.raises(ValueError, match="heads"):
        _native.Centroids(one, np.ones((1, 2), dtype=np.float32))
    made = _native.Centroids(one, none)
    with pytest.raises(ValueError, match="rows"):
        made.nearest(np.ones((2, 2), np.float32), np.zeros(2, np.uint32))
    with pytest.raises(ValueError, match="out"):
        made.nearest(one, np.zeros(3, np.uint32))
