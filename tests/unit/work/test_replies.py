"""How much memory reads may take, and which are refused."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.work.memory import Memory
from palimpsest.app.work.replies import Wanted, room_for, wanted_of
from palimpsest.index import (
    Collection,
    CollectionConfig,
    Distance,
    GroupRequest,
    MultiConfig,
    NamedMultiVectors,
    PointBatch,
    Prefetch,
    QueryRequest,
    SearchRequest,
)
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of

SIZE, POINTS = 1_024, 1_000
MIB = 2**20
HELD = 300 * MIB


@pytest.fixture(autouse=True)
def hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count the same whatever tests before this one left or freed."""
    monkeypatch.setattr("palimpsest.app.work.memory.held", lambda: HELD)


@pytest.fixture
def collection(collection_of: OpenCollection) -> Collection:
    made = collection_of(config_of(SIZE))
    rows = np.random.default_rng(0).standard_normal((POINTS, SIZE), dtype=np.float32)
    made.upsert(batch_of(list(range(POINTS)), rows)).result()
    return made


def refused(memory: Memory, collection: Collection, *reads: Wanted) -> bool:
    try:
        with room_for(memory, collection, reads):
            return False
    except Refusal as error:
        assert error.status == 507 and "fewer points" in str(error)
        return True


def test_large_reads_are_refused_at_the_limit_and_small_ones_are_not(
    collection: Collection,
) -> None:
    full = Memory(HELD, lambda: 0)
    assert refused(full, collection, Wanted(POINTS, payload=False, vectors=True))
    assert refused(full, collection, *[Wanted(100, payload=False, vectors=True)] * 10)
    assert refused(full, collection, Wanted(10, False, False, candidates=10**6))
    assert refused(full, collection, Wanted(10**5, False, False))
    assert not refused(full, collection, Wanted(POINTS, payload=False, vectors=False))
    assert not refused(full, collection, Wanted(100, payload=True, vectors=True))
    none = Memory(0, lambda: 0)
    assert not refused(none, collection, Wanted(POINTS, payload=False, vectors=True))


def test_rows_that_wait_for_a_seal_are_not_taken_for_payloads(collection: Collection) -> None:
    assert collection.store_bytes > SIZE * POINTS > 10 * collection.payload_bytes()
    full = Memory(HELD, lambda: 0)
    assert not refused(full, collection, Wanted(POINTS, payload=True, vectors=False))


def test_what_one_read_holds_another_does_not_find(collection: Collection) -> None:
    large = Wanted(POINTS, payload=False, vectors=True)
    memory = Memory(HELD + 60 * MIB, lambda: 0)
    with room_for(memory, collection, [large]):
        assert refused(memory, collection, large)
    assert not refused(memory, collection, large)


def test_no_more_is_wanted_than_there_is() -> None:
    query = np.zeros(SIZE, dtype=np.float32)
    searched = wanted_of(SearchRequest(query, k=2**63, offset=2**63), POINTS)
    assert searched == Wanted(POINTS, False, False, POINTS)
    tree = Prefetch(prefetches=(Prefetch(limit=2**63), Prefetch(limit=5)), limit=7)
    assert wanted_of(QueryRequest(tree, with_vectors=True), POINTS) == (7, False, True, POINTS + 12)
    groups = GroupRequest(Prefetch(limit=2**32), path=("g",), size=2**32)
    assert wanted_of(groups, POINTS).points == POINTS


def test_a_few_large_sets_are_no_small_read(collection_of: OpenCollection) -> None:
    made = collection_of(CollectionConfig({"late": MultiConfig(SIZE, Distance.DOT)}))
    values = np.ones((4_096, SIZE), dtype=np.float32)
    sets = NamedMultiVectors(np.arange(2), np.array([0, 2_048, 4_096]), values)
    made.upsert(PointBatch([1, 2], {"late": sets}, [None] * 2)).result()
    full = Memory(HELD, lambda: 0)
    assert refused(full, made, Wanted(2, payload=False, vectors=True))
    assert refused(full, made, Wanted(2, payload=False, vectors=("late",)))
    assert not refused(full, made, Wanted(2, payload=False, vectors=False))
