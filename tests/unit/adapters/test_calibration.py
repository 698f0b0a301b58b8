"""Isotonic calibration against the definition: the closest values that never decrease."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.index.adapters.calibration import Calibration, fit_calibration, pool


def plain_pool(values: list[float]) -> list[float]:
    """The min-max formula: each value is the largest mean ending at it of the smallest beyond."""
    n = len(values)
    return [
        max(min(float(np.mean(values[a : b + 1])) for b in range(i, n)) for a in range(i + 1))
        for i in range(n)
    ]


@given(st.lists(st.integers(-20, 20).map(float), min_size=1, max_size=12))
def test_pool_is_the_isotonic_regression(values: list[float]) -> None:
    np.testing.assert_allclose(pool(np.array(values)), plain_pool(values), atol=1e-9)


def test_a_line_is_found_again(rng: np.random.Generator) -> None:
    bridged = rng.uniform(0.2, 0.8, 2_000)
    calibration = fit_calibration(bridged, 2 * bridged - 0.3)
    asked = np.linspace(0.25, 0.75, 50, dtype=np.float32)
    np.testing.assert_allclose(calibration.of(asked), 2 * asked - 0.3, atol=0.01)


def test_order_is_kept_within_and_beyond_the_knots(rng: np.random.Generator) -> None:
    bridged = rng.normal(size=500)
    calibration = fit_calibration(bridged, np.tanh(bridged) + rng.normal(0, 0.2, 500))
    asked = np.sort(rng.uniform(-6, 6, 400).astype(np.float32))
    calibrated = calibration.of(asked)
    assert (np.diff(calibrated) >= 0).all()
    assert calibrated[-1] > calibrated[-2]  # beyond the last knot it still grows
    assert abs(float(np.mean(calibration.of(bridged.astype(np.float32)) - np.tanh(bridged)))) < 0.05


def test_a_stored_calibration_is_the_same(rng: np.random.Generator) -> None:
    calibration = fit_calibration(rng.normal(size=900), rng.normal(size=900))
    again = Calibration.from_json(json.loads(json.dumps(calibration.to_json())))
    assert np.array_equal(again.bridged, calibration.bridged)
    assert np.array_equal(again.native, calibration.native)


@pytest.mark.parametrize("n", [1, 2])
def test_few_pairs_calibrate(n: int) -> None:
    calibration = fit_calibration(np.arange(n, dtype=float), np.full(n, 0.5))
    assert calibration.of(np.zeros(1, dtype=np.float32))[0] == pytest.approx(0.5, abs=1.0)
