"""Searches made at once find what each finds alone."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from palimpsest.index import Collection, Distance, InvalidInput, SearchRequest
from palimpsest.index import collection as collections
from palimpsest.index.kinds.registry import ahead
from palimpsest.index.search.closest import searched_ahead
from palimpsest.index.segments.searcher import SearchThreads, search_threads
from palimpsest.index.stops import Stop, Stopped, stopping
from palimpsest.index.types import SearchResult, Vectors
from palimpsest.index.view.dense import dense_of
from palimpsest.index.view.view import View
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of

SIZE, THREADS = 24, 4
WALKED = 5  # an ef by which parts of this size are walked, not scanned
SPACES = [
    (Distance.COSINE, "4"),
    (Distance.COSINE, "float32"),
    (Distance.DOT, "4"),
    (Distance.EUCLID, "1"),
    (Distance.EUCLID, "8"),
    (Distance.MANHATTAN, "4"),
]


def rows(n: int, seed: int) -> Vectors:
    return np.random.default_rng(seed).standard_normal((n, SIZE)).astype(np.float32)


def filled(opened: OpenCollection, distance: Distance, encoding: str) -> Collection:
    """Fill three sealed parts, one of them with many copies, dead rows and growing ones."""
    collection = opened(config_of(SIZE, distance, encoding=encoding))
    vectors = rows(4_500, seed=1)
    vectors[1_500:2_250] = vectors[1_500]
    vectors[2_500:2_950:3] = 0
    for start in range(0, 4_500, 1_500):
        ids = list(range(start, start + 1_500))
        collection.upsert(batch_of(ids, vectors[start : start + 1_500])).result()
        collection.upkeep.seal()
    collection.delete(list(range(4, 4_500, 5))).result()
    collection.upsert(batch_of(list(range(4_000, 4_550)), rows(550, seed=2))).result()
    return collection


def requests_of(vector: Vectors) -> list[SearchRequest]:
    """Return requests of all sorts: plans that many share, plans of their own, ids, zeros."""
    found = [SearchRequest(one, k=5, ef=WALKED) for one in vector]
    found += [SearchRequest(one, k=4, ef=6, max_distance=0.0) for one in vector[:20]]
    found += [SearchRequest(one, k=5) for one in vector[:5]]
    found += [SearchRequest(one, k=5, offset=7) for one in vector[:5]]
    found += [SearchRequest(one, k=3, exact=True) for one in vector[:5]]
    found += [SearchRequest(np.zeros(SIZE, np.float32), k=4)] * 2
    found += [SearchRequest(one, k=4) for one in (1, 1_501, 4_251)]
    found += [SearchRequest(vector[0], k=2_000, rescore=False), SearchRequest(vector[0], k=1)]
    return found


def shown(result: SearchResult) -> tuple[object, ...]:
    stats = result.stats
    counts = stats.visited, stats.scored, stats.rescored, stats.extended, stats.scanned
    return [*result.ids], [*result.seqs], result.distances.tobytes(), counts, stats.segments


@pytest.mark.parametrize(("distance", "encoding"), SPACES)
def test_each_of_a_batch_finds_what_it_finds_alone(
    collection_of: OpenCollection, distance: Distance, encoding: str
) -> None:
    collection = filled(collection_of, distance, encoding)
    vectors = np.concatenate([rows(40, seed=3), rows(4_500, seed=1)[1_500:1_501].repeat(5, axis=0)])
    asked = requests_of(vectors)
    alone = [collection.search(request) for request in asked]
    together = collection.search_batch(asked)
    assert [shown(one) for one in together] == [shown(one) for one in alone]
    assert (together[0].stats.visited > 0) == (distance is not Distance.MANHATTAN)
    assert all({"plan", "traverse", "merge"} <= one.stats.seconds.keys() for one in together[:40])


def test_walks_that_share_a_plan_are_made_at_once(collection_of: OpenCollection) -> None:
    collection = filled(collection_of, Distance.COSINE, "4")
    view = dense_of(collection.view.vectors[0])
    vectors = rows(6, seed=4)
    asked = [SearchRequest(one, k=5, ef=WALKED) for one in vectors]
    wrong = SearchRequest(np.ones(SIZE + 1, np.float32))
    odd = [wrong, SearchRequest(np.zeros(SIZE, np.float32)), SearchRequest(7)]
    found = searched_ahead(view, [*asked, *odd, SearchRequest(vectors[0], k=99)], search_threads(2))
    assert found[6:] == [None] * 4
    for one in found[:6]:
        assert one is not None
        assert one.walked.keys() == set(range(len(view.sealed)))


def test_a_wrong_request_is_refused_as_it_is_alone(collection_of: OpenCollection) -> None:
    collection = filled(collection_of, Distance.DOT, "4")
    good = [SearchRequest(one, k=3) for one in rows(3, seed=5)]
    for wrong in (
        SearchRequest(np.ones(SIZE - 1, np.float32)),
        SearchRequest(np.full(SIZE, np.nan, np.float32)),
        SearchRequest(good[0].query, k=0),
        SearchRequest(good[0].query, vector_name="no such name"),
    ):
        with pytest.raises(InvalidInput) as alone:
            collection.search(wrong)
        with pytest.raises(InvalidInput) as together:
            collection.search_batch([*good, wrong, *good])
        assert str(together.value) == str(alone.value)


def test_a_batch_is_stopped_on_every_thread(collection_of: OpenCollection) -> None:
    collection = filled(collection_of, Distance.EUCLID, "4")
    stop = Stop()
    stop.set()
    asked = [SearchRequest(one, k=5, ef=WALKED) for one in rows(50, seed=6)]
    with stopping(stop), pytest.raises(Stopped):
        collection.search_batch(asked)
    assert len(collection.search_batch(asked)) == 50  # no thread keeps the stop


def test_batches_of_several_threads_do_not_mix(collection_of: OpenCollection) -> None:
    collection = filled(collection_of, Distance.COSINE, "4")
    sets = [
        [SearchRequest(one, k=5, ef=WALKED) for one in rows(30, seed=seed)] for seed in range(7, 11)
    ]
    expected = [[shown(collection.search(one)) for one in each] for each in sets]
    found: list[Sequence[tuple[object, ...]]] = [[]] * len(sets)

    def ask(place: int) -> None:
        for _ in range(10):
            found[place] = [shown(one) for one in collection.search_batch(sets[place])]

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=ask, args=[place]) for place in range(len(sets))]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    finally:
        sys.setswitchinterval(before)
    assert found == expected


def test_the_hits_that_are_kept_ahead_are_bounded(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However deep the searches of a batch are."""
    collection = filled(collection_of, Distance.EUCLID, "4")
    sizes: list[int] = []

    def counted(view: View, requests: Sequence[SearchRequest], threads: SearchThreads) -> list[Any]:
        sizes.append(len(requests))
        return ahead(view, requests, threads)

    monkeypatch.setattr(collections, "ahead", counted)
    monkeypatch.setattr(collections, "_MOST_KEPT", 1_000)
    for k, offset, expected in ((10, 0, [30]), (10, 90, [10] * 3), (900, 9_000, [1] * 30)):
        asked = [SearchRequest(one, k=k, offset=offset, ef=WALKED) for one in rows(30, seed=8)]
        sizes.clear()
        found = collection.search_batch(asked)
        assert sizes == expected
        assert [shown(one) for one in found] == [shown(collection.search(one)) for one in asked]
    assert collection.search_batch([]) == []
