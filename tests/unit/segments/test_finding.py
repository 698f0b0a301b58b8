"""Rows by their slots: every one that is there, none that is not, whatever the slots."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.segments.finding import find_ascending, find_sorted

SLOTS = np.array([3, 9, 2**53, 2**53 + 1, 2**64 - 1], dtype=np.uint64)
WANTED = np.array([2**53 + 1, 3, 4, 0, 2**64 - 1, 3, 2**63], dtype=np.uint64)


def test_ascending_slots() -> None:
    assert find_ascending(SLOTS, WANTED).tolist() == [3, 0, -1, -1, 4, 0, -1]
    assert find_ascending(SLOTS[:0], WANTED).tolist() == [-1] * 7
    assert find_ascending(SLOTS, WANTED[:0]).tolist() == []


@pytest.mark.parametrize("seed", range(4))
def test_slots_in_any_order_sorted_by_another_column(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(SLOTS))
    own = SLOTS[order]
    by_slot = np.argsort(own).astype(np.uint32)
    found = find_sorted(own, by_slot, WANTED)
    places = [np.flatnonzero(own == slot).tolist() or [-1] for slot in WANTED]
    assert found.tolist() == [place for (place,) in places]
    assert find_sorted(own[:1], np.zeros(1, dtype=np.uint32), own).tolist() == [0, -1, -1, -1, -1]
