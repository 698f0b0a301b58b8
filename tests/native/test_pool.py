"""Pools of candidates at every kernel level: what they keep is what sorting all of it keeps."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index import _native_test

LEVELS = _native_test.levels()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("capacity", [1, 7, 8, 9, 24, 63, 64, 65, 128, 1_000])
@pytest.mark.parametrize("step", [1, 5, 20, 128])
def test_a_pool_keeps_the_closest_in_order(
    level: str, capacity: int, step: int, rng: np.random.Generator
) -> None:
    distances = rng.integers(-300, 300, 3_000).astype(np.float32)  # rows decide between equal ones
    distances[rng.integers(0, 3_000, 20)] = np.nan
    distances[rng.integers(0, 3_000, 5)] = np.inf
    kept, rows = np.empty(capacity, np.float32), np.empty(capacity, np.uint32)
    size, lowest = _native_test.offer(level, capacity, step, distances, kept, rows)

    numbers = np.flatnonzero(~np.isnan(distances))
    wanted = numbers[np.argsort(distances[numbers], kind="stable")][:capacity]
    assert size == len(wanted)
    np.testing.assert_array_equal(rows[:size], wanted)
    np.testing.assert_array_equal(kept[:size], distances[wanted])

    assert lowest == _native_test.offer("scalar", capacity, step, distances, kept, rows)[1]
    best = np.fmin.accumulate(distances)[step - 1 :: step]
    gained = np.flatnonzero(np.diff(best) < 0) + 1
    assert all(lowest[turn] == 0 for turn in gained)
