"""Diverse points are those that a plain loop chooses."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.index.query.diversity import SparseCandidates, diverse
from palimpsest.index.types import SparseVector


@given(st.integers(0, 2**32), st.floats(0, 1), st.integers(1, 12))
def test_diverse_points(seed: int, diversity: float, count: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((10, 3))
    relevance = rng.standard_normal(10)
    likeness = rows @ rows.T
    chosen = diverse(relevance, lambda at: likeness[at], diversity, count)
    left, taken = set(range(10)), []
    while left and len(taken) < count:
        worth = {
            at: relevance[at]
            if not taken
            else (1 - diversity) * relevance[at] - diversity * max(likeness[at][t] for t in taken)
            for at in left
        }
        taken.append(max(worth, key=worth.__getitem__))
        left.remove(taken[-1])
    assert chosen == taken


@given(st.integers(0, 2**32))
def test_dot_products_of_sparse_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    wide = rng.standard_normal((6, 9)).astype(np.float32) * (rng.random((6, 9)) < 0.4)
    rows = [
        SparseVector(np.flatnonzero(row).astype(np.uint32), row[row != 0].astype(np.float32))
        for row in wide
    ]
    found = SparseCandidates(rows[:5])
    for row, whole in zip(rows, wide, strict=True):
        assert np.allclose(found.dot(row), wide[:5] @ whole, atol=1e-5)
