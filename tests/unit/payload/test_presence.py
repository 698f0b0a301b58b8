"""The form of what is stored at a path: against the plain meaning of each condition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pyroaring import BitMap

from palimpsest.index.filters.expression import IsEmpty, IsNull, Match, ValuesCount
from palimpsest.index.payload.presence import Presence, typed_values
from palimpsest.index.payload.values import read_integer

KEY = ("ชื่อ",)
STORED: list[list[Any]] = [
    [], [1], [None], [[]], [[None]], [[1, 2]], ["x"], [2**64], [1, "x"], [[1, None, "x"]], [True],
    [[[]]], [{}], [2.5],
]  # fmt: skip
LIVE = BitMap(range(20))


@pytest.fixture
def presence() -> Presence:
    made = Presence()
    made.add(range(len(STORED)), STORED, read_integer)
    return made


def test_values_of_the_kind_are_found_in_arrays_too() -> None:
    found = typed_values(range(len(STORED)), STORED, read_integer)
    assert dict(zip(found.numbers, found.values, strict=True)) == {
        1: (1,), 5: [1, 2], 8: [1], 9: [1],
    }  # fmt: skip
    assert found.plain == [1] and 0 not in found.unusual


def test_forms(presence: Presence) -> None:
    assert set(presence.typed) == {1, 5, 8, 9}
    assert set(presence.several) == {5}
    assert set(presence.numbers) == {7, 13} <= set(presence.others)
    assert 0 not in presence.known and not presence.plain & presence.odd
    assert presence.nbytes > 0


def test_conditions_on_the_form_alone(presence: Presence) -> None:
    empty = presence.candidates(IsEmpty(KEY), LIVE)
    null = presence.candidates(IsNull(KEY), LIVE)
    assert empty is not None and null is not None and not empty.maybe and not null.maybe
    assert {0, 2, 3, *range(14, 20)} <= set(empty.sure) and not empty.sure & BitMap([1, 5, 6])
    assert {2, 4, 9} <= set(null.sure) and not null.sure & BitMap([0, 1, 5, 6])
    one = presence.candidates(ValuesCount(KEY, gte=1), LIVE)
    none = presence.candidates(ValuesCount(KEY, lt=1), LIVE)
    assert one is not None and none is not None
    assert {1, 6, 7, 10, 12, 13} == set(one.sure) and {0, *range(14, 20)} == set(none.sure)
    assert set(one.maybe) == set(none.maybe) == set(presence.odd)
    assert presence.candidates(Match(KEY, (1,)), LIVE) is None


def test_answers_are_not_the_sets_themselves(presence: Presence) -> None:
    before = presence.plain.copy(), presence.odd.copy()
    found = presence.candidates(ValuesCount(KEY, lte=1), LIVE)
    assert found is not None
    found.sure.clear()
    found.maybe.clear()
    presence.known.clear()
    assert (presence.plain, presence.odd) == before


def test_sets_come_back_and_those_that_contradict_each_other_are_refused(
    presence: Presence,
) -> None:
    arrays = presence.to_arrays()
    assert Presence.from_arrays(arrays) == presence
    everyone = np.frombuffer(LIVE.serialize(), dtype=np.uint8)
    for name in arrays:
        if name != "filled":
            with pytest.raises(ValueError, match="contradict"):
                Presence.from_arrays({**arrays, name: everyone})


def test_points_are_forgotten_in_all_sets(presence: Presence) -> None:
    presence.discard(LIVE)
    assert presence == Presence()
