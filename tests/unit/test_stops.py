"""Whatever reads a collection ends when it is asked to, and leaves later answers as they were."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Distance,
    FieldIndex,
    Filter,
    GroupRequest,
    MaintenanceConfig,
    Match,
    MatrixRequest,
    NamedSparse,
    NamedVectors,
    OrderBy,
    PointBatch,
    Prefetch,
    QueryRequest,
    SearchRequest,
    SparseConfig,
    SparseVector,
    Stop,
    Stopped,
    VectorConfig,
    answer,
    answer_groups,
    count_values,
    neighbours,
    queries,
    stopping,
    terms,
)
from palimpsest.index.kinds.sparse.rows import SparseRows
from tests.conftest import OpenCollection

N, SIZE, TERMS = 4_000, 24, 40

Read = Callable[[Collection], Any]

QUERY = np.linspace(-1, 1, SIZE, dtype=np.float32)
SPARSE = SparseVector(np.array([1, 5, 9], np.uint32), np.ones(3, np.float32))
UNINDEXED = Filter(must=(Match(("text",), ("t1", "t2")),))
INDEXED = Filter(must=(Match(("n",), tuple(range(30))),))


@pytest.fixture
def collection(collection_of: OpenCollection) -> Collection:
    """Return points with dense and sparse vectors, most of them sealed, some growing."""
    collection = collection_of(
        CollectionConfig(
            {"a": VectorConfig(SIZE, Distance.EUCLID), "s": SparseConfig()},
            MaintenanceConfig(quiet_rows=1, quiet_seconds=0.0),
        )
    )
    collection.create_index("n", FieldIndex.from_declared("integer")).result()
    rng = np.random.default_rng(4)
    for start, count in ((0, 3_000), (3_000, N - 3_000)):
        numbers = range(start, start + count)
        dense = rng.standard_normal((count, SIZE)).astype(np.float32)
        indices = np.stack([rng.choice(TERMS, 4, replace=False) for _ in numbers])
        rows = SparseRows(
            np.arange(count + 1, dtype=np.int64) * 4,
            np.sort(indices, axis=1).ravel().astype(np.uint32),
            rng.random(4 * count).astype(np.float32),
        )
        payloads = [b'{"n":%d,"text":"t%d"}' % (n % 100, n % 7) for n in numbers]
        places = np.arange(count)
        vectors = {"a": NamedVectors(places, dense), "s": NamedSparse(places, rows)}
        collection.upsert(PointBatch(list(numbers), vectors, payloads)).result()
        if start == 0:
            collection.upkeep.seal()
    return collection


def plain(**choices: Any) -> Read:
    request = SearchRequest(QUERY, "a", **choices)
    return lambda collection: shown(collection.search(request))


def tree(root: Prefetch) -> Read:
    def read(collection: Collection) -> Any:
        found = answer(collection.reading(), QueryRequest(root), lambda _: collection.reading())
        return [(one.id, score) for one, score in zip(found.records, found.scores, strict=True)]

    return read


def shown(result: Any) -> Any:
    return list(result.ids), result.distances.tolist()


def groups(collection: Collection) -> Any:
    root = Prefetch(queries.Nearest(QUERY), "a", limit=20)
    found = answer_groups(
        collection.reading(), GroupRequest(root, ("n",), 3), lambda _: collection.reading()
    )
    return [(one.key, [hit.id for hit in one.hits.records]) for one in found]


def matrix(collection: Collection) -> Any:
    found = neighbours(collection.reading(), MatrixRequest("a", INDEXED, 5_000, 4))
    return list(found.ids), found.places, found.scores


LEVEL = Prefetch(queries.Nearest(QUERY), "a", limit=300)
READS: Mapping[str, Read] = {
    "search": plain(),
    "exact": plain(exact=True, k=50),
    "with payloads": plain(with_payload=True, k=500),
    "a filter by index": plain(filter=INDEXED),
    "a filter by payloads": plain(filter=UNINDEXED),
    "by id": lambda collection: shown(collection.search(SearchRequest(7, "a"))),
    "sparse": lambda collection: shown(collection.search(SearchRequest(SPARSE, "s", 20))),
    "batch": lambda collection: [
        shown(one) for one in collection.search_batch([SearchRequest(QUERY, "a")] * 50)
    ],
    "retrieve": lambda collection: [
        one.payload for one in collection.retrieve(list(range(N)), with_vectors=True)
    ],
    "scroll": lambda collection: [
        one.id for one in collection.scroll(None, 2_000, with_vectors=True)[0]
    ],
    "scroll by filter": lambda collection: [
        one.id for one in collection.scroll(None, 900, UNINDEXED)[0]
    ],
    "count": lambda collection: collection.count(UNINDEXED),
    "facet": lambda collection: count_values(collection.reading(), ("text",), None, 5),
    "facet by index": lambda collection: count_values(collection.reading(), ("n",), None, 50),
    "groups": groups,
    "matrix": matrix,
    "recommend": tree(
        Prefetch(queries.Recommend((1, 2), (3,), "best_score"), "a", limit=30, filter=UNINDEXED)
    ),
    "recommend sparse": tree(Prefetch(queries.Recommend((1,), (3,), "sum_scores"), "s", limit=9)),
    "discover": tree(Prefetch(queries.Discover(1, (queries.Pair(2, 3),)), "a", limit=30)),
    "mmr": tree(Prefetch(queries.Nearest(QUERY, queries.Mmr(0.5, 400)), "a", limit=100)),
    "fusion": tree(Prefetch(queries.Fusion(), limit=50, prefetches=(LEVEL, LEVEL))),
    "formula": tree(
        Prefetch(
            queries.Formula(terms.Many("sum", (terms.Score(0), terms.Value(("n",))))),
            limit=50,
            prefetches=(LEVEL,),
        )
    ),
    "order": tree(Prefetch(OrderBy(("n",)), limit=200)),
}


@pytest.mark.parametrize("name", READS)
def test_a_stopped_read_raises_and_leaves_the_next_as_it_was(
    collection: Collection, name: str
) -> None:
    read, stop = READS[name], Stop()
    stop.set()
    with stopping(stop), pytest.raises(Stopped):
        read(collection)  # before anything was read, so that nothing is kept from another
    expected = read(collection)
    with stopping(stop), pytest.raises(Stopped):
        read(collection)
    assert read(collection) == expected


def test_reads_stopped_anywhere_leave_later_ones_as_they_were(collection: Collection) -> None:
    """Reads run beside each other, each stopped at a moment of its own; none half done is kept."""
    expected = {name: read(collection) for name, read in READS.items()}
    draw = random.Random(3)
    seen: list[object] = []

    def run(name: str, stop: Stop) -> None:
        with stopping(stop):
            try:
                found = READS[name](collection)
            except Stopped:
                seen.append(Stopped)
            except BaseException as error:
                seen.append(error)
            else:
                seen.append(found == expected[name] or f"{name} answered otherwise")

    for _ in range(3):
        for name in READS:
            stop = Stop()
            thread = threading.Thread(target=run, args=(name, stop))
            thread.start()
            time.sleep(draw.expovariate(500))
            stop.set()
            thread.join()
    assert all(each is Stopped or each is True for each in seen), seen
    assert Stopped in seen
    assert {name: read(collection) for name, read in READS.items()} == expected


def test_a_write_by_a_stopped_thread_is_carried_out(collection: Collection) -> None:
    stop = Stop()
    stop.set()
    with stopping(stop):
        collection.delete(UNINDEXED).result()
    assert collection.count(UNINDEXED) == 0
