"""Sets of numbers from and to arrays: every container of the serialised form, and its edges."""

from __future__ import annotations

import numpy as np
import pytest
from pyroaring import BitMap

from palimpsest.index.filters.bitmaps import from_flags, from_numbers, to_flags, to_numbers


@pytest.mark.parametrize("n", [0, 1, 4_096, 65_535, 65_536, 65_537, 200_000])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 1.0])
def test_flags_become_their_places(n: int, share: float, rng: np.random.Generator) -> None:
    flags = rng.random(n) < share
    found = from_flags(flags)
    assert found == BitMap(np.flatnonzero(flags).tolist())
    assert BitMap.deserialize(found.serialize()) == found
    found.add(2**32 - 1)  # a set like any other
    assert found.max() == 2**32 - 1
    found.remove(2**32 - 1)
    np.testing.assert_array_equal(to_flags(found, n), flags)


@pytest.mark.parametrize(
    "numbers",
    [[], [0], [2**32 - 1], [5, 5, 1, 0, 5], [0, 2**32 - 1], [65_536, 65_535, 65_536], [63, 64]],
)
def test_numbers_may_repeat_and_come_in_any_order(numbers: list[int]) -> None:
    array = np.array(numbers, dtype=np.uint32)
    assert from_numbers(array) == BitMap(numbers)
    assert to_numbers(from_numbers(array)).tolist() == sorted(set(numbers))
    assert to_numbers(from_numbers(array)).dtype == np.uint32


def test_members_beyond_the_flags_are_left_out() -> None:
    assert to_flags(BitMap([0, 2, 3, 2**32 - 1]), 3).tolist() == [True, False, True]
    assert to_flags(BitMap([5]), 0).tolist() == []
