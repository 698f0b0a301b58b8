"""Lengths of rows: huge, tiny and zero ones have factors that native code may trust."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.adapters.unit import (
    inverse_norms,
    norms,
    positive_inverse_norms,
    unit_row,
    unit_rows,
)

ROWS = np.array([[3, 4], [0, 0], [3e18, 4e18], [3e-10, 4e-10]], dtype=np.float32)


def test_lengths_and_their_reciprocals() -> None:
    assert norms(ROWS).tolist() == pytest.approx([5, 0, 5e18, 5e-10])
    assert inverse_norms(ROWS).tolist() == pytest.approx([0.2, 0, 2e-19, 2e9], rel=1e-5)


def test_factors_are_positive_and_finite() -> None:
    beyond = np.array([[1e30, 1e30], [1e-40, 0], [0, 0]], dtype=np.float32)
    with np.errstate(over="ignore"):
        factors = positive_inverse_norms(beyond)
    assert (factors > 0).all() and np.isfinite(factors).all()


def test_rows_become_of_unit_length_but_for_zeros() -> None:
    assert unit_rows(ROWS).tolist() == [
        pytest.approx([0.6, 0.8]), [0, 0], pytest.approx([0.6, 0.8]), pytest.approx([0.6, 0.8]),
    ]  # fmt: skip


def test_one_row_is_scaled_in_place() -> None:
    row = np.array([0, -3, 4], dtype=np.float32)
    assert unit_row(row) is row
    assert row.tolist() == pytest.approx([0, -0.6, 0.8])
    assert unit_row(np.zeros(2, dtype=np.float32)).tolist() == [0, 0]
