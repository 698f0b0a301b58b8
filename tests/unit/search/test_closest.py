"""The closest points of one column: pages, limits and left-out points cut one and the same list."""

from __future__ import annotations

import numpy as np
import pytest
from pyroaring import BitMap

from palimpsest.index import Collection, Distance, SearchRequest
from palimpsest.index.errors import DimensionMismatch, InvalidVector
from palimpsest.index.search.closest import closest
from palimpsest.index.types import Vectors
from palimpsest.index.view.dense import DenseView, dense_of
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of

N = 60


@pytest.fixture
def rows(rng: np.random.Generator) -> Vectors:
    drawn = rng.standard_normal((N, 4)).astype(np.float32)
    drawn[10:20] = drawn[0]  # exact copies, in both parts
    drawn[5] = 0
    return drawn


@pytest.fixture
def collection(collection_of: OpenCollection, rows: Vectors) -> Collection:
    made = collection_of(config_of(4, Distance.EUCLID))
    made.upsert(batch_of(list(range(15)), rows[:15])).result()
    made.upkeep.seal()
    made.upsert(batch_of(list(range(15, N)), rows[15:])).result()
    return made


def vectors(collection: Collection) -> DenseView:
    return dense_of(collection.view.vectors[0])


def test_pages_are_pieces_of_one_list_in_which_copies_stand_by_id(
    collection: Collection, rows: Vectors
) -> None:
    request = SearchRequest(rows[0], k=N, exact=True)
    whole = closest(vectors(collection), request, None).merged
    assert list(whole.ids[:11]) == [0, *range(10, 20)]
    truth = np.sort(np.linalg.norm(rows - rows[0], axis=1))
    np.testing.assert_allclose(whole.distances, truth, rtol=1e-5, atol=1e-6)
    for offset in (0, 3, 11, 58, 10**9):
        page = closest(vectors(collection), request._replace(k=5, offset=offset), None).merged
        assert list(page.ids) == list(whole.ids[offset : offset + 5])


def test_a_point_that_is_left_out_makes_room_for_another(
    collection: Collection, rows: Vectors
) -> None:
    request = SearchRequest(rows[0], k=3, exact=True)
    (zero,) = collection.reading().numbers_of([0])
    found = closest(vectors(collection), request, None, without=zero).merged
    assert list(found.ids) == [10, 11, 12]
    allowed = BitMap([n for n in collection.reading().numbers_of([5, 7, 0]) if n is not None])
    among = closest(vectors(collection), request, allowed, without=zero).merged
    assert set(among.ids) == {5, 7}


def test_what_is_farther_than_a_limit_is_left_out(collection: Collection, rows: Vectors) -> None:
    request = SearchRequest(rows[0], k=N, exact=True, max_distance=0.0)
    assert list(closest(vectors(collection), request, None).merged.ids) == [0, *range(10, 20)]
    nothing = closest(vectors(collection), request._replace(max_distance=-1.0), None)
    assert list(nothing.merged.ids) == [] and "merge" in nothing.stats.seconds


def test_a_vector_that_is_none_is_refused(collection: Collection) -> None:
    for query, error in (
        (np.ones(5, np.float32), DimensionMismatch),
        (np.full(4, np.nan, np.float32), InvalidVector),
    ):
        with pytest.raises(error):
            closest(vectors(collection), SearchRequest(query), None)
