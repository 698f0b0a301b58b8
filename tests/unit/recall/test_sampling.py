"""A share of the searches is answered again, within a budget, and told."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Database,
    Distance,
    Filter,
    HasId,
    MultiConfig,
    MultiVector,
    NamedMultiVectors,
    PointBatch,
    RecallBudget,
    SampledRecall,
    SearchRequest,
)
from palimpsest.index.kinds.kind import Asked
from palimpsest.index.recall.sampling import BOUNDS, Sampling
from palimpsest.index.types import Vector
from tests.points import batch_of, config_of
from tests.unit.recall.rows import ASKED, ROWS, SIZE, N

FREE = RecallBudget(1.0, 1e12)
SOME = Filter(must=(HasId(frozenset(range(0, N, 2))),))


@pytest.fixture
def sampled(tmp_path: Path) -> Iterator[tuple[Database, Collection]]:
    """A database that samples as many searches as it can, with one sealed collection."""
    with Database.open(tmp_path, threads=1, sampling=FREE) as database:
        collection = database.create("c", config_of(SIZE))
        collection.upsert(batch_of(range(N), ROWS)).result()
        collection.upkeep.seal()
        yield database, collection


def told(collection: Collection) -> dict[bool, SampledRecall]:
    return {one.filtered: one for one in collection.state().vectors[""].sampled}


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def sample_all(collection: Collection, request: SearchRequest, queries: list[Vector]) -> None:
    """Search by each once the one before was looked at."""
    filtered = request.filter is not None
    for query in queries:
        before = told(collection)[filtered].total if filtered in told(collection) else 0
        while True:
            collection.search(request._replace(query=query))
            time.sleep(0.03)  # a lull
            if filtered in told(collection) and told(collection)[filtered].total > before:
                break


def test_what_is_told_is_the_recall_of_what_was_asked(
    sampled: tuple[Database, Collection],
) -> None:
    database, collection = sampled
    plan = SearchRequest(ASKED[0], ef=10)
    exact = [collection.search(SearchRequest(query, exact=True)).ids for query in ASKED]
    found = [collection.search(SearchRequest(query, ef=10)).ids for query in ASKED]
    shares = [len({*a} & {*b}) / 10 for a, b in zip(exact, found, strict=True)]
    sample_all(collection, plan, list(ASKED))
    known = told(collection)[False]
    assert known.total >= len(ASKED) and known.recall is not None
    assert known.low is not None and known.high is not None
    assert known.low <= np.mean(shares) <= known.high and known.recall < 1
    durations = database.sample_durations
    assert durations is not None and sum(durations.counts) >= known.total and durations.total > 0
    assert len(durations.counts) == len(BOUNDS) + 1


def test_filtered_searches_are_told_apart(sampled: tuple[Database, Collection]) -> None:
    _, collection = sampled
    sample_all(collection, SearchRequest(ASKED[0], filter=SOME), list(ASKED[:3]))
    known = told(collection)
    assert set(known) == {True} and known[True].recall is not None
    assert known[True].recall > 0.9


def test_levels_of_trees_and_points_by_id_are_sampled(
    sampled: tuple[Database, Collection],
) -> None:
    _, collection = sampled
    sample_all(collection, SearchRequest(5), [5])  # type: ignore[list-item]
    reading = collection.reading()

    def asked_again() -> bool:
        reading.nearest(SearchRequest(ASKED[1]), None)
        return told(collection)[False].total >= 2

    until(asked_again)


@pytest.mark.parametrize(
    "request_",
    [
        SearchRequest(ASKED[0], exact=True),
        SearchRequest(ASKED[0], ignore_codes=True),
        SearchRequest(ASKED[0], offset=10),
        SearchRequest(ASKED[0], k=2_000),
        SearchRequest(np.zeros(SIZE, np.float32)),
        SearchRequest(ASKED[0], noted=False),
    ],
    ids=["exact", "without codes", "page", "long", "zero", "own"],
)
def test_searches_that_tell_nothing_are_not_taken(
    sampled: tuple[Database, Collection], request_: SearchRequest
) -> None:
    _, collection = sampled
    for _ in range(20):
        collection.search(request_)
    time.sleep(0.05)
    assert told(collection) == {}


def test_sets_of_vectors_are_sampled(tmp_path: Path) -> None:
    values = np.random.default_rng(4).standard_normal((900, 16)).astype(np.float32)
    sets = NamedMultiVectors(np.arange(300), np.arange(0, 901, 3), values)
    with Database.open(tmp_path, threads=1, sampling=FREE) as database:
        config = CollectionConfig({"": MultiConfig(16, Distance.COSINE)})
        collection = database.create("c", config)
        collection.upsert(PointBatch(range(300), {"": sets}, [None] * 300)).result()
        collection.upkeep.seal()

        def sampled_once() -> bool:
            collection.search(SearchRequest(MultiVector(values[:4])))
            return False in told(collection)

        until(sampled_once)
        assert told(collection)[False].recall is not None


class Idle(Sampling):
    """Looks at nothing by itself."""

    def __init__(self, budget: RecallBudget = FREE) -> None:
        super().__init__(budget, random.Random(1))
        self.taken = 0

    def _run(self) -> None:
        while self._waiting.get() is not None:
            self.taken += 1


def test_one_is_taken_at_a_time(sampled: tuple[Database, Collection]) -> None:
    _, collection = sampled
    sampling = Idle()
    request = SearchRequest(ASKED[0])
    found = collection.reading().nearest(request, None)
    assert sampling.is_due()
    for _ in range(3):
        sampling.take(collection.view, Asked(request, None), found)
    assert not sampling.is_due()
    sampling._free()
    until(sampling.is_due)
    sampling.take(collection.view, Asked(request, None), found)
    sampling.stop()
    assert sampling.taken == 2
    sampling.take(collection.view, Asked(request, None), found)  # nothing after the end


def test_the_budget_is_made_up_for(sampled: tuple[Database, Collection]) -> None:
    _, collection = sampled
    request = SearchRequest(ASKED[0])
    taken = []

    class Kept(Idle):
        def _run(self) -> None:
            while (one := self._waiting.get()) is not None:
                taken.append(one)

    kept = Kept()
    kept.take(collection.view, Asked(request, None), collection.reading().nearest(request, None))
    kept.stop()
    dear = Idle(RecallBudget(0.001, 1e12))
    began = time.thread_time()
    pause = dear._look(taken[0])
    worked = time.thread_time() - began
    # What it took until now is part of the time that makes up for it.
    assert 0 < pause <= worked * 1_000
    slow = Idle(RecallBudget(1.0, 1_000.0))  # ten originals are ten pages of 4,096 bytes
    assert slow._look(taken[0]) > 30


def test_what_would_read_far_too_much_is_left_out(tmp_path: Path) -> None:
    budget = FREE._replace(bytes_per_second=1_000.0)
    with Database.open(tmp_path, threads=1, sampling=budget) as database:
        collection = database.create("c", config_of(SIZE, encoding="float32"))
        collection.upsert(batch_of(range(N), ROWS)).result()
        collection.upkeep.seal()
        for query in ASKED:
            collection.search(SearchRequest(query))
        time.sleep(0.05)
        assert told(collection) == {}


def test_nothing_is_sampled_where_nothing_may_be_spent(tmp_path: Path) -> None:
    with Database.open(tmp_path, threads=1) as database:
        assert database.sample_durations is None
        collection = database.create("c", config_of(SIZE))
        collection.upsert(batch_of(range(10), ROWS[:10])).result()
        collection.search(SearchRequest(ASKED[0]))
        assert told(collection) == {}


def test_a_close_does_not_wait_for_the_budget(tmp_path: Path) -> None:
    began = time.monotonic()
    with Database.open(tmp_path, threads=1, sampling=RecallBudget(1e-9, 1.0)) as database:
        collection = database.create("c", config_of(SIZE))
        collection.upsert(batch_of(range(N), ROWS)).result()
        collection.search(SearchRequest(ASKED[0]))
    assert time.monotonic() - began < 20
