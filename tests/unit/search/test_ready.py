"""Ready searches find what ``closest`` finds, to the last bit, and leave to it what is unusual."""

from __future__ import annotations

import json
from itertools import product
from uuid import UUID

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    Distance,
    Filter,
    SearchRequest,
    VectorText,
)
from palimpsest.index.search.closest import Closest, closest
from palimpsest.index.search.ready import Ready, ready_of
from palimpsest.index.segments.searcher import search_threads
from palimpsest.index.types import Vector, Vectors
from palimpsest.index.view.dense import dense_of
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of

N, SIZE, EF = 1_500, 24, 12  # rows of each segment, enough to be walked at such an ef
LARGE = 2**53 + 1  # ids that no double holds
REQUESTS = (
    SearchRequest(np.empty(0, np.float32), k=5, ef=EF),
    SearchRequest(np.empty(0, np.float32), k=3, offset=2, ef=EF),
    SearchRequest(np.empty(0, np.float32), k=7, ef=EF, max_distance=-0.2),
    SearchRequest(np.empty(0, np.float32), k=7, ef=EF, max_distance=3.5),
)


@pytest.fixture(params=[Distance.COSINE, Distance.DOT, Distance.EUCLID])
def collection(
    request: pytest.FixtureRequest, collection_of: OpenCollection, rng: np.random.Generator
) -> Collection:
    made = collection_of(config_of(SIZE, request.param, encoding="float32", M=8))
    rows = rng.standard_normal((2 * N, SIZE)).astype(np.float32)
    made.upsert(batch_of([LARGE + i for i in range(N)], rows[:N])).result()
    made.upkeep.seal()
    made.upsert(batch_of([UUID(int=i) for i in range(N)], rows[N:])).result()
    made.upkeep.seal()
    made.delete([LARGE + 7, UUID(int=9)]).result()
    return made


@pytest.fixture
def queries(rng: np.random.Generator) -> Vectors:
    return rng.standard_normal((20, SIZE)).astype(np.float32)


def made_ready(collection: Collection, request: SearchRequest) -> Ready:
    ready = ready_of(collection.view, request)
    assert ready is not None
    return ready


def plainly(collection: Collection, request: SearchRequest, query: Vector) -> Closest:
    return closest(dense_of(collection.view.vectors[0]), request._replace(query=query), None)


def test_the_long_way_finds_the_same(collection: Collection, queries: Vectors) -> None:
    for request_, query in product(REQUESTS, queries):
        ready = made_ready(collection, request_)
        found, expected = ready.closest(query), plainly(collection, request_, query)
        assert found is not None
        assert (found.merged.ids, found.merged.slots) == tuple(expected.merged[::3])
        np.testing.assert_array_equal(found.merged.distances, expected.merged.distances)
        np.testing.assert_array_equal(found.merged.numbers, expected.merged.numbers)
        for name in ("visited", "scored", "rescored", "extended", "segments", "decisions", "ef"):
            assert getattr(found.stats, name) == getattr(expected.stats, name), name
        assert found.stats.seconds.keys() == {"plan", "traverse", "merge"}


@pytest.mark.parametrize("request_", REQUESTS[1:3])
def test_texts_tell_the_same(
    collection: Collection, queries: Vectors, request_: SearchRequest
) -> None:
    ready, seqs = made_ready(collection, request_), collection.view.seqs
    given = []
    for query in queries:
        text = b'{"query": ' + json.dumps(query.tolist()).encode() + b"}"
        given.append(VectorText(text, 10, len(text) - 1))
    found = ready.texts(given, seqs.by_number, search_threads(2))
    for query, one in zip(queries, found, strict=True):
        ids, distances, numbers, _ = plainly(collection, request_, query).merged
        assert one is not None and one.found == len(ids)
        scores = 0 - distances if ready.is_similarity else distances
        hits = json.loads(one.text)
        assert [hit["id"] for hit in hits] == [i if isinstance(i, int) else str(i) for i in ids]
        assert [hit["version"] for hit in hits] == seqs.of(numbers)
        assert [np.float32(hit["score"]) for hit in hits] == scores.tolist()


def test_what_is_unusual_is_left_to_the_long_way(collection: Collection, queries: Vectors) -> None:
    ready = made_ready(collection, REQUESTS[0])
    odd = (
        np.zeros(SIZE, np.float32),
        np.full(SIZE, np.nan, np.float32),
        np.full(SIZE, 1e25, np.float32),
        np.ones(SIZE + 1, np.float32),
        np.ones(SIZE, np.float64),
        np.ones(2 * SIZE, np.float32)[::2],
        np.ones((1, SIZE), np.float32),
    )
    assert [ready.closest(query) for query in odd] == [None] * len(odd)
    texts = [b"[1,2]", b"[]", b"[1,", b"[" + b"0," * (SIZE - 1) + b"0]", b"[1e400]"]
    given = [VectorText(text, 0, len(text)) for text in texts]
    seqs, threads = collection.view.seqs.by_number, search_threads(1)
    assert ready.texts(given, seqs, threads) == [None] * len(texts)
    (known,) = ready.texts([VectorText(str(queries[0].tolist()).encode(), 0, 10**3)[:2] + (5,)],
                           seqs, threads)  # fmt: skip
    assert known is None  # a vector that is cut off


def test_not_every_search_is_ready(collection: Collection, queries: Vectors) -> None:
    base = REQUESTS[0]
    for other in (
        base._replace(exact=True),
        base._replace(k=EF),  # one row more than is wanted is not among the candidates
        base._replace(k=0),
        base._replace(vector_name="nope"),
        base._replace(ef=10**6),
    ):
        assert ready_of(collection.view, other) is None
    assert ready_of(collection.view, base) is ready_of(collection.view, base._replace(query=7))
    collection.upsert(batch_of([1], queries[:1])).result()  # a growing row
    assert ready_of(collection.view, base) is None
    found = collection.search(base._replace(query=queries[0]))
    assert found.ids[0] == 1


def test_copies_are_told_apart_by_id(collection_of: OpenCollection) -> None:
    made = collection_of(config_of(SIZE, Distance.DOT, encoding="float32", M=8))
    rng = np.random.default_rng(3)
    rows = np.repeat(rng.standard_normal((N // 2, SIZE)).astype(np.float32), 2, axis=0)
    made.upsert(batch_of([N - i for i in range(N)], rows)).result()
    made.upkeep.seal()
    request, view = REQUESTS[0], made.view
    for query in rows[::40]:
        found = made.search(request._replace(query=query))
        assert list(found.ids) == list(plainly(made, request, query).merged.ids)
    assert made.view is view and ready_of(view, request) is None  # more were wasted than answered


def test_hits_as_text_are_plain_searches_alone(collection: Collection, queries: Vectors) -> None:
    text = str(queries[0].tolist()).encode()
    given = [VectorText(text, 0, len(text))]
    (found,) = collection.hits_as_text(REQUESTS[0], given)
    assert found is not None and found.found == 5
    for other in (
        REQUESTS[0]._replace(filter=Filter()),
        REQUESTS[0]._replace(with_payload=True),
        REQUESTS[0]._replace(with_vectors=True),
        REQUESTS[0]._replace(exact=True),
    ):
        assert collection.hits_as_text(other, given) == [None]
