"""Diverse points are those that a plain loop chooses."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.index.query.diversity import diverse


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
