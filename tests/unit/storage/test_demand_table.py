"""Demand by column: replaced, forgotten, and left out where its rows are damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from palimpsest.index.storage.store import Store
from tests.damage import change, rewrite


def put(store: Store, column: int, hits: dict[int, float]) -> None:
    numbers = np.array([*hits], dtype=np.uint32)
    with store.transaction():
        store.demand.put(column, numbers, np.array([*hits.values()], dtype=np.float32))


def entries(store: Store) -> dict[int, dict[int, float]]:
    return {
        column: dict(zip(numbers.tolist(), hits.tolist(), strict=True))
        for column, (numbers, hits) in store.demand.entries().items()
    }


def test_hits_replace_those_before_and_none_forgets_a_point(store: Store) -> None:
    assert entries(store) == {}
    put(store, 0, {2**32 - 1: 1.5, 7: 1e-30, 8: 2.0})
    put(store, 3, {7: 4.0})
    put(store, 0, {8: 0.0, 7: 3.0, 9: -1.0})
    assert entries(store) == {0: {2**32 - 1: 1.5, 7: 3.0}, 3: {7: 4.0}}
    with store.transaction():
        store.demand.forget(0)
    assert entries(store) == {3: {7: 4.0}}


def test_damaged_rows_are_left_out(path: Path, store: Store) -> None:
    put(store, 1, {7: 4.0, 8: 5.0})
    store.close()
    change(path, "UPDATE demand SET hits = 9 WHERE number = 7")
    again = Store.open(path)
    assert entries(again) == {1: {8: 5.0}}
    again.close()


@pytest.mark.parametrize("what", ["number = -1", "number = 1 << 32", "hits = 1e300", "hits = -1.0"])
def test_rows_that_make_no_sense_are_left_out_whatever_their_checksum(
    path: Path, store: Store, what: str
) -> None:
    put(store, 1, {7: 4.0, 8: 5.0})
    store.close()
    rewrite(path, f"UPDATE demand SET {what} WHERE number = 7")
    again = Store.open(path)
    assert entries(again) == {1: {8: 5.0}}
    again.close()
