"""The closest rows of a part, ties by id."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from palimpsest.index import (
    CollectionConfig,
    Distance,
    MultiConfig,
    MultiVector,
    PointBatch,
    SearchRequest,
)
from palimpsest.index.kinds.multi.search import _rescored, first
from tests.conftest import OpenCollection
from tests.unit.kinds.multi.corpus import SIZE, texts
from tests.unit.kinds.multi.twin import batch_of


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


def test_growing_sets_are_found_by_codes_with_exact_scores(collection_of: OpenCollection) -> None:
    sets = texts(600)
    collection = collection_of(CollectionConfig({"": MultiConfig(SIZE, Distance.COSINE)}))
    batch = batch_of([*sets.values()], SIZE)
    collection.upsert(PointBatch([*sets], {"": batch}, [None] * len(sets))).result()
    inside = []
    for query in texts(20, seed=8).values():
        request = SearchRequest(MultiVector(query), k=10)
        found, exact = collection.search(request), collection.search(request._replace(exact=True))
        assert found.stats.rescored < 40 and exact.stats.rescored == 0
        inside.append(len({*found.ids}.intersection(exact.ids)) / 10)
        distances = dict(zip(exact.ids, exact.distances.tolist(), strict=True))
        near = dict(zip(found.ids, found.distances.tolist(), strict=True))
        assert all(near[one] == distances[one] for one in near if one in distances)
    assert np.mean(inside) >= 0.99


def test_as_many_growing_sets_as_are_asked_for_are_found(collection_of: OpenCollection) -> None:
    sets = texts(200)
    collection = collection_of(CollectionConfig({"": MultiConfig(SIZE, Distance.COSINE)}))
    batch = batch_of([*sets.values()], SIZE)
    collection.upsert(PointBatch([*sets], {"": batch}, [None] * len(sets))).result()
    (query,) = texts(1, seed=8).values()
    for k in (1, 60, 150, 300):
        request = SearchRequest(MultiVector(query), k=k)
        assert len({*collection.search(request).ids}) == min(k, 200)


class Far:
    """Sets whose distances are known."""

    def __init__(self, far: list[float]) -> None:
        self.far, self.asked = np.array(far, dtype=np.float32), 0

    def distances(self, query: object, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        self.asked += len(rows)
        found: NDArray[np.float32] = self.far[rows]
        return found


@pytest.mark.parametrize("wild", [np.inf, -np.inf, np.nan])
def test_estimates_that_are_no_numbers_have_all_compared(wild: float) -> None:
    far = Far([0.5, *np.linspace(1, 2, 99)])
    rows, none = np.arange(100), np.empty((1, 3), dtype=np.float32)
    plain = np.sort(far.far)
    sure = _rescored(far, none, rows, plain, 5)  # type: ignore[arg-type]
    assert len(sure) == far.asked < 100
    for place in (0, 3):
        estimated = plain.copy()
        estimated[place] = wild
        assert len(_rescored(far, none, rows, estimated, 5)) == 100  # type: ignore[arg-type]
