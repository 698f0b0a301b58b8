"""Dead slots are kept and counted once each."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.storage.store import Store


@pytest.mark.parametrize("by_triggers", [False, True])
def test_dead_slots_are_counted_once(by_triggers: bool, store: Store) -> None:
    if by_triggers:  # as stores were made before
        for event, by in (("INSERT", "+ 1"), ("DELETE", "- 1")):
            store._connection.execute(
                f"CREATE TRIGGER dead_{event.lower()} AFTER {event} ON dead BEGIN"
                f" UPDATE position SET dead_rows = dead_rows {by}; END"
            )
    with store.transaction():
        store.dead.bury(np.array([4, 9, 4, 7], dtype=np.uint64), 1)
        store.dead.bury(np.array([7, 11], dtype=np.uint64), 2)
    store.require_counts("dead")
    with store.transaction():
        store.dead.unbury(np.array([7, 8], dtype=np.uint64))
        store.dead.unbury(np.array([], dtype=np.uint64))
    store.require_counts("dead")
    assert store.dead.slots().tolist() == [4, 9, 11]


def test_each_tells_by_which_write_it_died_first(store: Store) -> None:
    with store.transaction():
        store.dead.bury(np.array([4, 9], dtype=np.uint64), 3)
        store.dead.bury(np.array([9, 11], dtype=np.uint64), 5)
    assert [store.dead.slots(since).tolist() for since in (2, 3, 5)] == [[4, 9, 11], [11], []]
