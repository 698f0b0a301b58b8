"""Dot products of sparse rows that were read."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.index.kinds.sparse.likeness import SparseLikeness
from palimpsest.index.types import SparseVector


@given(st.integers(0, 2**32))
def test_dot_products_of_sparse_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    wide = rng.standard_normal((6, 9)).astype(np.float32) * (rng.random((6, 9)) < 0.4)
    rows = [
        SparseVector(np.flatnonzero(row).astype(np.uint32), row[row != 0].astype(np.float32))
        for row in wide
    ]
    found = SparseLikeness(rows[:5])
    for row, whole in zip(rows, wide, strict=True):
        assert np.allclose(found.of(row), wide[:5] @ whole, atol=1e-5)
    assert np.array_equal(found.to(2), found.of(rows[2]))
