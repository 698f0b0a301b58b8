"""Means of sets against numpy, one set at a time."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.encoding.means import mean_of, means_of


@pytest.mark.parametrize("unit", [True, False])
def test_each_set_has_its_mean(unit: bool) -> None:
    rng = np.random.default_rng(1)
    values = rng.standard_normal((12, 5)).astype(np.float32)
    starts = np.array([0, 1, 4, 12])
    found = means_of(values, starts, unit=unit)
    assert found.shape == (3, 5) and found.dtype == np.float32 and found.flags.c_contiguous
    for row, (first, last) in enumerate(zip(starts[:-1], starts[1:], strict=True)):
        plain = values[first:last].astype(np.float64).mean(axis=0)
        if unit:
            plain /= np.linalg.norm(plain)
        assert found[row] == pytest.approx(plain, abs=1e-6)
        assert mean_of(values[first:last], unit=unit) == pytest.approx(found[row], abs=0)


def test_what_has_no_direction_stays_zero_and_what_is_huge_stays_finite() -> None:
    opposite = np.array([[1, 2], [-1, -2]], dtype=np.float32)
    assert mean_of(opposite, unit=True).tolist() == [0, 0]
    huge = np.full((4, 2), 3e38, dtype=np.float32)
    assert mean_of(huge, unit=False) == pytest.approx([3e38, 3e38])
    assert means_of(huge[:0], np.zeros(1, np.int64), unit=True).shape == (0, 2)
