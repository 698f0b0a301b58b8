"""What is due of a collection: at once, later, or not at all."""

from __future__ import annotations

import time

import numpy as np
import pytest

from palimpsest.index import Collection, Distance, MaintenanceConfig, VectorConfig
from palimpsest.index.config.collection import CollectionConfig
from palimpsest.index.upkeep import due
from tests.conftest import OpenCollection
from tests.points import batch_of


def made(collection_of: OpenCollection, **maintenance: float) -> Collection:
    config = MaintenanceConfig(**{"seal_rows": 64, "quiet_rows": 10, **maintenance})  # type: ignore[arg-type]
    return collection_of(CollectionConfig({"": VectorConfig(2, Distance.DOT)}, config))


def insert(collection: Collection, start: int, n: int) -> None:
    rows = np.ones((n, 2), dtype=np.float32)  # exact copies are rows like any other
    collection.upsert(batch_of(list(range(start, start + n)), rows)).result()


def test_few_rows_are_never_due_and_enough_ones_once_writes_pause(
    collection_of: OpenCollection,
) -> None:
    collection = made(collection_of, quiet_seconds=3_600.0)
    own = collection.upkeep.due
    assert own.seal_delay() is None and own.pending() == 0
    insert(collection, 0, 9)
    assert own.seal_delay() is None and own.growing_to_seal() == {}
    insert(collection, 9, 1)
    delay = own.seal_delay()
    assert delay is not None and 3_000 < delay <= 3_600 and own.pending() == 10
    insert(collection, 10, 60)
    assert own.seal_delay() == 0.0 and own.pending() == 70
    collection.upkeep.seal()
    assert own.seal_delay() is None and own.pending() == 0


def test_rows_grow_older_until_some_are_sealed(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = made(collection_of, quiet_seconds=3_600.0)
    own, now = collection.upkeep.due, time.monotonic()
    monkeypatch.setattr(due.time, "monotonic", lambda: now)
    insert(collection, 0, 9)
    own.seal_delay()
    assert own.waiting_seconds() == 0.0  # too few to be sealed
    insert(collection, 9, 1)
    own.seal_delay()
    now += 700
    own.seal_delay()
    assert own.waiting_seconds() == 700
    collection.upkeep.seal()
    assert own.waiting_seconds() == 0.0


def test_a_failure_puts_the_next_try_off(collection_of: OpenCollection) -> None:
    collection = made(collection_of, quiet_seconds=0.0)
    own = collection.upkeep.due
    insert(collection, 0, 64)
    assert own.seal_delay() == 0.0
    collection.upkeep.attempts.failed("seal", 0, "a full disk", full=True)
    delay = own.seal_delay()
    assert delay is not None and 9 < delay <= 10


def test_segments_of_a_tier_are_compacted_and_full_ones_merged_in_quiet(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = made(collection_of, quiet_seconds=0.0, tier_factor=2)
    own = collection.upkeep.due
    for start in (0, 10):
        insert(collection, start, 10)
        collection.upkeep.seal()
    assert own.compact_delay() == 0.0 and own.pending() == 20
    assert [len(parts) for parts in own.parts_to_compact().values()] == [2]
    assert own.parts_to_merge() == {} and own.merge_delay() is None
    collection.upkeep.compact()
    assert own.parts_to_compact() == {}
    for start in (100, 200):
        insert(collection, start, 64)
        collection.upkeep.seal()
    assert [len(parts) for parts in own.parts_to_merge().values()] == [2]
    delay = own.merge_delay()
    assert delay is not None and 25 < delay <= 30
    monkeypatch.setattr(due, "_MERGE_SECONDS", -1.0)
    assert own.merge_delay() == 0.0
    own.rest_merges()
    assert own.merge_delay() == 0.0


def test_what_a_seal_to_come_needs_grows_with_its_rows(collection_of: OpenCollection) -> None:
    collection = made(collection_of)
    before = collection.upkeep.due.needed()
    insert(collection, 0, 500)
    assert collection.upkeep.due.needed() > before + 500 * 8


def test_nothing_is_due_of_what_was_stopped(collection_of: OpenCollection) -> None:
    collection = made(collection_of, quiet_seconds=0.0)
    insert(collection, 0, 64)
    collection.upkeep.stop()
    own, until = collection.upkeep.due, time.monotonic() + 10
    while own.seal_delay() is not None and time.monotonic() < until:
        time.sleep(0.01)
    assert (
        own.seal_delay() is own.compact_delay() is own.improve_delay() is own.rest_delay() is None
    )
