"""Searches that compare every point."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index import Collection, Distance
from palimpsest.index.search.every_point import exact_distances, score_rows
from palimpsest.index.types import Numbers, Vectors
from palimpsest.index.view.view import VectorView
from tests import oracle
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of

N, SIZE, K = 3_000, 24, 10
DISTANCES = [Distance.COSINE, Distance.DOT, Distance.EUCLID, Distance.MANHATTAN]


class Lives:
    """A collection in several parts with dead rows, and what must be in it, by number."""

    def __init__(self, collection: Collection, distance: Distance, seed: int) -> None:
        self.collection, self.distance = collection, distance
        self.rng = np.random.default_rng(seed)
        self.vectors: dict[int, NDArray[np.float32]] = {}  # by id
        for phase in range(3):
            self.write(range(1_000 * phase, 1_000 * phase + 1_000))
            self.write(range(1_000 * phase, 1_000 * phase + 300))  # replaced at once
            if phase < 2:
                collection.upkeep.seal()
        self.write(range(600, 1_500, 2))  # replaced rows die in sealed parts
        gone = list(range(5, 3_000, 7))
        collection.delete(gone).result()
        for one in gone:
            self.vectors.pop(one, None)
        self.write(range(3_000, 3_150))  # takes numbers that are free again

    def write(self, ids: range) -> None:
        vectors = self.rng.standard_normal((len(ids), SIZE)).astype(np.float32)
        self.collection.upsert(batch_of(list(ids), vectors)).result()
        stored = oracle.normalise(vectors) if self.distance is Distance.COSINE else vectors
        self.vectors.update(zip(ids, stored, strict=True))

    def columns(self) -> tuple[list[int], Numbers, Vectors]:
        """Return ids, numbers and vectors of all points."""
        ids = list(self.vectors)
        numbers = self.collection.reading().numbers_of(ids)
        return ids, np.array(numbers, dtype=np.uint32), np.array(list(self.vectors.values()))


@pytest.fixture(params=DISTANCES)
def lives(request: pytest.FixtureRequest, collection_of: OpenCollection) -> Lives:
    return Lives(collection_of(config_of(SIZE, request.param)), request.param, 3)


def joined(
    view: VectorView, queries: Vectors, points: BitMap | None
) -> tuple[Numbers, NDArray[np.float32], bool]:
    """Return all blocks as one."""
    blocks = [*score_rows(view, queries, points)]
    numbers = [np.empty(0, np.uint32), *(block[0] for block in blocks)]
    distances = [np.empty((len(queries), 0), np.float32), *(block[1] for block in blocks)]
    exact = all(block[2] for block in blocks)
    return np.concatenate(numbers), np.concatenate(distances, axis=1), exact


def test_distances_come_in_blocks_of_bounded_size(
    lives: Lives, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = lives.collection.view.vectors[0]
    queries = oracle.normalise(lives.rng.standard_normal((5, SIZE)).astype(np.float32))
    found, distances, _ = joined(view, queries, None)
    monkeypatch.setattr("palimpsest.index.search.every_point._BLOCK", 5 * 100)
    assert max(block[1].size for block in score_rows(view, queries, None)) == 5 * 100
    again, same, _ = joined(view, queries, None)
    assert again.tolist() == found.tolist()
    np.testing.assert_array_equal(same, distances)


def test_distances_to_given_points_in_any_order(lives: Lives) -> None:
    _, numbers, vectors = lives.columns()
    view = lives.collection.view.vectors[0]
    queries = lives.rng.standard_normal((2, SIZE)).astype(np.float32)
    if lives.distance is Distance.COSINE:
        queries = oracle.normalise(queries)
    rows = lives.rng.integers(len(numbers), size=200)  # some twice
    given = exact_distances(view, queries, numbers[rows])
    expected = oracle.distances(queries, vectors[rows], lives.distance)
    np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-4)
    nobody = np.array([2**31], dtype=np.uint32)
    assert np.isinf(exact_distances(view, queries, nobody)).all()
    assert exact_distances(view, queries, nobody[:0]).shape == (2, 0)


def test_many_rows_are_estimated_and_close(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    lives = Lives(collection_of(config_of(SIZE, Distance.EUCLID, encoding="8")), Distance.EUCLID, 5)
    monkeypatch.setattr("palimpsest.index.search.every_point._FEW_ROWS", 100)
    view = lives.collection.view.vectors[0]
    queries = lives.rng.standard_normal((2, SIZE)).astype(np.float32)
    found, distances, exact = joined(view, queries, None)
    assert not exact
    np.testing.assert_allclose(distances, exact_distances(view, queries, found), rtol=0.3)
