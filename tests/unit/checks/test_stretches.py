"""Points of a stretch as arrays: those that are stored as none can be are given back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
import pytest

from palimpsest.index.checks.parts import STRETCH
from palimpsest.index.checks.stretches import Stretch
from palimpsest.index.storage.ids import key_of

IDS = [0, 2**53 + 1, 2**64 - 1, UUID(int=2**127 + 5)]
FIRST = 3 * STRETCH


def row(place: int, slots: list[int], seq: int = 5) -> tuple[Any, ...]:
    return FIRST + place, key_of(IDS[place % 4]), seq, np.array(slots, dtype="<u8").tobytes()


def test_points_are_put_at_their_places() -> None:
    stretch = Stretch(FIRST, 2)
    rows = [row(0, [7, 2**63]), row(1, []), row(STRETCH - 1, [1]), row(2, [1, 2, 3, 4])]
    assert stretch.put(rows, 5) == []
    assert np.flatnonzero(stretch.there).tolist() == [0, 1, 2, STRETCH - 1]
    assert stretch.slots[[0, 1, 2, -1]].tolist() == [[7, 2**63], [0, 0], [1, 2], [1, 0]]
    assert stretch.seqs[0] == 5
    assert [stretch.name(place) for place in range(3)] == [f"point {one}" for one in IDS[:3]]
    assert stretch.name(STRETCH - 1) == f"point {IDS[3]}"


@pytest.mark.parametrize(
    "changed",
    [
        {1: "text"}, {1: b"short"}, {1: None}, {2: "5"}, {2: -1}, {2: 6}, {2: None}, {3: None},
        {3: "text"}, {3: b"1234567"},
    ],
)  # fmt: skip
def test_what_no_point_can_be_stored_as_is_given_back(changed: dict[int, Any]) -> None:
    bad = tuple(changed.get(place, value) for place, value in enumerate(row(1, [1])))
    stretch = Stretch(FIRST, 1)
    assert stretch.put([row(0, [9]), bad], 5) == [bad]
    assert np.flatnonzero(stretch.there).tolist() == [0]
    assert Stretch(FIRST, 1).put([bad], 5) == [bad]


def test_places_of_slots() -> None:
    stretch = Stretch(0, 1)
    wanted = np.zeros(STRETCH, dtype=np.uint64)
    wanted[[5, 9, STRETCH - 1]] = 2**63, 7, 8
    found = stretch.places_of(wanted, np.array([8, 2**63, 7], dtype=np.uint64))
    assert found.tolist() == [STRETCH - 1, 5, 9]
