"""Equal vectors score exactly 1 under cosine, opposite ones -1, whatever path finds them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palimpsest.index import Distance, SearchRequest
from palimpsest.index.search.cosines import clamp, clamped
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of


@pytest.mark.parametrize("encoding", ["4", "1", "float32"])
@pytest.mark.parametrize("size", [2, 3, 100, 1_536])
def test_every_self_hit_scores_1(size: int, encoding: Any, collection_of: OpenCollection) -> None:
    n = 1_200
    rng = np.random.default_rng(size)
    rows = (rng.standard_normal((n, size)) + rng.uniform(0, 3)).astype(np.float32)
    rows *= (10.0 ** rng.integers(-9, 9, (n, 1))).astype(np.float32)
    collection = collection_of(config_of(size, encoding=encoding))
    collection.upsert(batch_of(list(range(n)), rows)).result()
    for _ in ("growing", "sealed"):
        for row in rows[:60]:
            for exact in (True, False):
                nearest = SearchRequest(row, k=1, ef=n, oversampling=1_000, exact=exact)
                assert collection.search(nearest).distances.tolist() == [-1.0]
                limited = nearest._replace(max_distance=-1.0)
                assert len(collection.search(limited).ids) == 1
            far = collection.search(SearchRequest(-row, k=n, exact=True))
            assert far.distances.max() == 1.0
        collection.upkeep.seal()


def test_only_what_rounding_explains_is_clamped() -> None:
    near = np.array([-1.0000002, -0.9999997, -0.99999, 0, 0.99999, 1.0000001], dtype=np.float32)
    expected = np.array([-1, -1, -0.99999, 0, 0.99999, 1], dtype=np.float32)
    np.testing.assert_array_equal(clamped(near, Distance.COSINE), expected)
    assert clamped(near, Distance.DOT) is near
    far = np.array([-9, -1.0000002, 0.5], dtype=np.float32)
    assert clamped(far, Distance.COSINE, bridged=True).tolist() == [-9, -1, 0.5]
    assert clamped(far, Distance.COSINE).tolist() == [-1, -1, 0.5]
    inner = near[2:5]
    assert clamped(inner, Distance.COSINE) is inner
    table = np.array([[np.inf, 1.0000001], [-0.9999999, -np.inf]], dtype=np.float32)
    clamp(table, Distance.COSINE)
    np.testing.assert_array_equal(table, [[np.inf, 1], [-1, -np.inf]])
