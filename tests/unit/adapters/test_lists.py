"""Lists of answers."""

from __future__ import annotations

import numpy as np

from palimpsest.index.adapters.lists import cascaded


def test_a_cascade_is_its_candidates_in_the_order_of_the_new_version() -> None:
    new = np.array([[5, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5]])
    candidates = np.array([[1, 9, 4, -1], [5, 3, 8, 1]])
    assert cascaded(candidates, new, 3).tolist() == [[4, 1, 9], [1, 3, 5]]
    assert cascaded(candidates, new, 6).tolist() == [[4, 1, 9, -1, -1, -1], [1, 3, 5, 8, -1, -1]]
