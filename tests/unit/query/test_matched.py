"""Which vectors of hits match: of plain searches, of trees, and of what has no parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Database,
    Distance,
    MultiConfig,
    MultiVector,
    NamedMultiVectors,
    NamedVectors,
    PointBatch,
    PointId,
    Prefetch,
    QueryRequest,
    SearchRequest,
    VectorConfig,
    matched_parts,
    queries,
)
from palimpsest.index.query.matched import AnyRequest

SETS = [[[1, 0], [0, 1]], [[0, 3], [2, 2], [3, 0]], [[1, 1]]]
ASKED = MultiVector(np.array([[1, 0], [0, 1], [2, 2]], np.float32))


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    database = Database.open(tmp_path, threads=1)
    config = CollectionConfig(
        {"late": MultiConfig(2, Distance.DOT), "plain": VectorConfig(2, Distance.DOT)}
    )
    made = database.create("c", config)
    starts = np.cumsum([0, *map(len, SETS)])
    values = np.array([one for each in SETS for one in each], np.float32)
    places = np.arange(len(SETS))
    batch = PointBatch(
        [1, 2, 3],
        {
            "late": NamedMultiVectors(places, starts, values),
            "plain": NamedVectors(places, np.ones((3, 2), np.float32)),
        },
        [None] * 3,
    )
    made.upsert(batch).result()
    yield made
    database.close()


def told(
    collection: Collection, request: AnyRequest, ids: list[PointId]
) -> dict[PointId, tuple[int, list[int], list[float]]]:
    reading = collection.reading()
    found = matched_parts(reading, request, ids, lambda _: reading)
    return {
        one: (part.whole, part.best.tolist(), (0 - part.distances).tolist())
        for one, part in found.items()
    }


EXPECTED = {2: (1, [2, 0, 1], [3, 3, 8]), 1: (0, [0, 1, 0], [1, 1, 2])}


def test_a_plain_search(collection: Collection) -> None:
    assert told(collection, SearchRequest(ASKED, "late"), [2, 1]) == EXPECTED
    assert [*told(collection, SearchRequest(ASKED, "late"), [2, 1])] == [2, 1]


def test_one_vector_and_an_id_ask_as_sets(collection: Collection) -> None:
    one = SearchRequest(np.array([0, 1], np.float32), "late")
    assert told(collection, one, [2]) == {2: (0, [0], [3])}
    by_id = SearchRequest(3, "late")
    assert told(collection, by_id, [2]) == {2: (1, [1], [4])}


def test_the_last_level_of_a_tree_ranks(collection: Collection) -> None:
    below = Prefetch(queries.Nearest(np.ones(2, np.float32)), using="plain")
    root = Prefetch(queries.Nearest(ASKED), using="late", prefetches=(below,))
    assert told(collection, QueryRequest(root), [2, 1]) == EXPECTED


@pytest.mark.parametrize(
    "request_",
    [
        SearchRequest(np.ones(2, np.float32), "plain"),
        SearchRequest(ASKED, "no such name"),
        SearchRequest(77, "late"),  # a point that is gone
        QueryRequest(Prefetch(queries.Recommend((ASKED,)), using="plain")),
        QueryRequest(Prefetch(queries.Sample(), using="late")),
        QueryRequest(Prefetch(None, using="late")),
    ],
)
def test_where_there_are_no_parts(collection: Collection, request_: AnyRequest) -> None:
    assert told(collection, request_, [1, 2]) == {}


ONE, OTHER = (
    MultiVector(np.array([[1, 0]], np.float32)),
    MultiVector(np.array([[0, 2]], np.float32)),
)
PAIR = queries.Pair(OTHER, ONE)


@pytest.mark.parametrize(
    ("query", "expected", "example"),
    [
        # all vectors of all examples, those of disliked ones negated
        (queries.Recommend((ASKED,)), EXPECTED[2], None),
        (queries.Recommend((ONE,), (OTHER,)), (2, [2, 2], [3, 0]), None),
        (queries.Recommend((ONE, OTHER), strategy="best_score"), (0, [0], [6]), 1),
        (queries.Recommend((ONE, 1), (OTHER,), strategy="sum_scores"), (1, [2, 0], [3, 3]), 1),
        (queries.Recommend((), (ONE,), strategy="best_score"), (2, [2], [3]), None),
        (queries.Discover(ASKED, (PAIR,)), EXPECTED[2], None),
        (queries.Context((PAIR, queries.Pair(ONE, OTHER))), (0, [0], [6]), 0),
        (queries.Feedback(ASKED, ((OTHER, 1.0), (ONE, 0.5)), 1.0, 1.0, 1.0), EXPECTED[2], None),
    ],
)
def test_of_several_examples_the_closest_is_matched(
    collection: Collection,
    query: queries.Query,
    expected: tuple[int, list[int], list[float]],
    example: int | None,
) -> None:
    request = QueryRequest(Prefetch(query, using="late"))
    assert told(collection, request, [2]) == {2: expected}
    reading = collection.reading()
    (part,) = matched_parts(reading, request, [2], lambda _: reading).values()
    assert part.example == example


def test_hits_that_are_gone_are_left_out(collection: Collection) -> None:
    assert told(collection, SearchRequest(ASKED, "late"), [1, 9]).keys() == {1}
