"""Demand: what searches count, what is kept over a reopening, and what is forgotten."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from pyroaring import BitMap

from palimpsest.index import Collection
from palimpsest.index.errors import StorageFull
from palimpsest.index.types import Numbers
from palimpsest.index.versions import demand as demand_module
from palimpsest.index.versions.demand import Demand
from tests.conftest import OpenCollection, open_collection
from tests.points import batch_of, config_of


def numbers(*some: int) -> Numbers:
    return np.array(some, dtype=np.uint32)


@pytest.fixture
def collection(collection_of: OpenCollection) -> Collection:
    collection = collection_of(config_of(4))
    vectors = np.random.default_rng(0).standard_normal((100, 4)).astype(np.float32)
    collection.upsert(batch_of(range(100), vectors)).result()
    return collection


@pytest.fixture
def demand(collection: Collection) -> Demand:
    return Demand(collection.writer)


def test_hits_count_less_the_lower_they_rank(demand: Demand) -> None:
    found = np.arange(80, dtype=np.uint32)
    demand.note(0, found)
    demand.note(0, found[::-1].copy())
    hits = demand.of(0, numbers(0, 10, 79, 99))
    worth = [10 / (10 + rank) for rank in range(80)]
    assert hits == pytest.approx([worth[0] + worth[79], worth[10] + worth[69], 1 + worth[79], 0])
    assert demand.of(1, found).sum() == 0


def test_hits_equal_a_plain_count_however_often_they_are_folded(
    demand: Demand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demand_module, "_FOLDED", 7)
    generator = np.random.default_rng(1)
    plain = np.zeros((3, 90))
    for _ in range(200):
        column = int(generator.integers(3))
        found = generator.permutation(90)[: generator.integers(0, 64)].astype(np.uint32)
        demand.note(column, found)
        plain[column, found] += 10 / (10 + np.arange(len(found)))
    for column in range(3):
        everyone = np.arange(90, dtype=np.uint32)
        assert demand.of(column, everyone) == pytest.approx(plain[column], rel=1e-4)


def test_notes_of_many_threads_are_all_counted(
    demand: Demand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demand_module, "_FOLDED", 16)

    def search() -> None:
        for _ in range(500):
            demand.note(0, numbers(3, 5))

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert demand.of(0, numbers(3))[0] == 2_000


def test_the_most_wanted_of_some(demand: Demand) -> None:
    demand.note(0, numbers(7, 8, 9))
    demand.note(0, numbers(9))
    assert demand.top(0, BitMap([7, 9, 50]), 5)[0].tolist() == [9, 7]
    assert demand.top(0, BitMap([7, 9, 50]), 1)[0].tolist() == [9]
    assert demand.top(3, BitMap([7, 9]), 1)[0].tolist() == []


def test_the_share_of_demand_that_is_covered(demand: Demand) -> None:
    assert demand.covered(0, BitMap([1])) is None
    for number in (1, 2, 3, 3):
        demand.note(0, numbers(number))
    assert demand.covered(0, BitMap([3, 80])) == pytest.approx(0.5)


def test_saved_hits_are_there_after_reopening(
    demand: Demand, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demand_module, "_PIECE", 16)
    demand.note(0, np.arange(80, dtype=np.uint32))
    demand.save()
    demand.note(0, numbers(5))
    demand.save()
    demand.note(0, numbers(99))  # lost, as by a crash
    again = Demand(collection.writer)
    everyone = np.arange(99, dtype=np.uint32)
    assert np.array_equal(again.of(0, everyone), demand.of(0, everyone))
    assert again.of(0, numbers(99))[0] == 0


def test_a_closed_collection_keeps_its_demand(tmp_path: Path) -> None:
    collection = open_collection(tmp_path / "one", config_of(4))
    collection.upsert(batch_of([1], np.ones((1, 4), dtype=np.float32))).result()
    collection.demand.note(0, numbers(0))
    collection.close()
    again = open_collection(tmp_path / "one")
    assert again.demand.of(0, numbers(0))[0] == 1.0
    again.close()


def test_points_that_are_gone_leave_no_demand_to_those_that_get_their_numbers(
    demand: Demand, collection: Collection
) -> None:
    demand.note(0, np.arange(50, dtype=np.uint32))
    demand.save()
    collection.delete([0, 1, 2]).result()
    demand.save()
    assert demand.of(0, numbers(0, 1, 2)).tolist() == [0.0, 0.0, 0.0]
    table = collection.writer.call(collection.writer.store.demand.entries).result()
    assert sorted(table[0][0].tolist()) == list(range(3, 50))


def test_saving_is_due_when_something_changed_a_while_ago(
    demand: Demand, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demand_module, "_SAVED_SECONDS", 0.05)
    time.sleep(0.06)
    assert not demand.is_due()
    demand.note(0, numbers(1))
    assert demand.is_due()
    demand.save()
    assert not demand.is_due()
    time.sleep(0.06)
    assert not demand.is_due()
    collection.delete([1]).result()
    assert demand.is_due()
    demand.save()
    time.sleep(0.06)
    assert not demand.is_due()


def test_a_write_that_fails_is_made_up_for(
    demand: Demand, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    demand.note(0, numbers(4))

    def full(*_: object) -> None:
        raise StorageFull("no space")

    with monkeypatch.context() as broken:
        broken.setattr(collection.writer.store.demand, "put", full)
        with pytest.raises(StorageFull):
            demand.save()
        demand.close()  # says so in the log only
    demand.save()
    assert Demand(collection.writer).of(0, numbers(4))[0] == 1.0


def test_a_dropped_column_is_forgotten(demand: Demand) -> None:
    demand.note(0, numbers(4))
    demand.forget(0)
    assert demand.of(0, numbers(4))[0] == 0
    demand.save()


def test_a_note_costs_a_search_next_to_nothing(demand: Demand) -> None:
    found = np.random.default_rng(0).permutation(64).astype(np.uint32)
    rounds = 20 * demand_module._FOLDED
    best = min(_seconds(demand, found, rounds) for _ in range(5)) / rounds
    assert best < 10e-6  # 1 to 2 on a quiet machine, folding included


def _seconds(demand: Demand, found: Numbers, rounds: int) -> float:
    started = time.perf_counter()
    for _ in range(rounds):
        demand.note(0, found)
    return time.perf_counter() - started
