"""Which rows of a part a filter lets through: living rows of the points that are allowed."""

from __future__ import annotations

import numpy as np
import pytest
from pyroaring import BitMap

from palimpsest.index import Collection
from palimpsest.index.search.allowed import Allowed, rows_of
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of

N = 300


@pytest.fixture
def collection(collection_of: OpenCollection) -> Collection:
    """Points 0 to N - 1 sealed and N to 2 N - 1 growing, every fifth of either dead."""
    made = collection_of(config_of(2))
    for start in (0, N):
        ids = list(range(start, start + N))
        made.upsert(batch_of(ids, np.ones((N, 2), np.float32))).result()
        if start == 0:
            made.upkeep.seal()
    made.delete(list(range(0, 2 * N, 5))).result()
    return made


@pytest.mark.parametrize(
    "points",
    [
        BitMap(), BitMap([0]), BitMap([1]), BitMap(range(2 * N)), BitMap(range(63, 65)),
        BitMap(range(1, 2 * N, 7)), BitMap([2**32 - 1]), BitMap([1, 2**32 - 1]),
    ],
    ids=len,
)  # fmt: skip
def test_allowed_rows_are_those_of_living_points(collection: Collection, points: BitMap) -> None:
    vectors, allowed = collection.view.vectors[0], Allowed(points)
    (sealed,), (growing,) = vectors.sealed, vectors.growing
    assert allowed.count == len(points)
    for part, among in (
        (sealed, allowed.in_sealed(sealed)),  # type: ignore[arg-type]
        (growing, allowed.in_growing(growing)),
    ):
        numbers = part.columns.numbers[: part.n]
        alive = {*part.dead.live_rows(part.n).tolist()}
        expected = [row for row, n in enumerate(numbers.tolist()) if n in points and row in alive]
        assert rows_of(among, part.n).tolist() == expected
        estimate = among.estimate(part.n)
        assert (estimate == 0) == (not expected) or abs(estimate - len(expected)) <= N // 4
