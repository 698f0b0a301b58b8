"""Sets that were read are compared as a plain loop compares them."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index import Distance, MultiConfig, MultiVector
from palimpsest.index.kinds.multi.likeness import MultiLikeness
from tests.unit.kinds.multi.twin import drawn, similarity

SIZE = 4


@pytest.mark.parametrize("distance", [*Distance])
def test_of_a_query_and_to_one_of_them(distance: Distance) -> None:
    sets = [*drawn(range(9), SIZE).values()]
    (query,) = drawn(range(3, 4), SIZE, seed=5).values()
    rows = [MultiVector(one) for one in sets]
    likeness = MultiLikeness(rows, MultiConfig(SIZE, distance))
    expected = [similarity(query, one, distance) for one in sets]
    np.testing.assert_allclose(likeness.of(MultiVector(query)), expected, rtol=1e-5, atol=1e-5)
    expected = [similarity(one, sets[4], distance) for one in sets]
    np.testing.assert_allclose(likeness.to(4), expected, rtol=1e-5, atol=1e-5)
