"""The closest rows of a part, ties by id."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.index.kinds.multi.search import first


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.integers(1, 12), st.integers(0, 99))
def test_the_closest_rows_come_first_and_equal_ones_by_id(
    far: list[int], k: int, seed: int
) -> None:
    n = len(far)
    ids = np.random.default_rng(seed).permutation(1_000)[:n].astype(np.uint64)
    found, distances = first(np.arange(n), np.array(far, dtype=np.float32), ids, k)
    best = sorted(range(n), key=lambda row: (far[row], ids[row]))[:k]
    assert {*found.tolist()} == {*best}  # in what order equal ones stand is settled by a merge
    assert distances.tolist() == [far[row] for row in best]
