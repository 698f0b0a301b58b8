from __future__ import annotations

import pytest
from pyroaring import BitMap

from palimpsest.index.errors import StoreFailed
from palimpsest.index.write import numbering as numbering_module
from palimpsest.index.write.numbering import Numbering


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000.0]
    monkeypatch.setattr(numbering_module.time, "monotonic", lambda: now[0])
    return now


def test_new_points_get_the_next_numbers() -> None:
    numbering = Numbering(BitMap([0, 1, 2]))
    draft = numbering.begin()
    assert draft.take(2) == [3, 4]
    assert draft.take(1) == [5]
    assert numbering.live == BitMap([0, 1, 2])
    numbering.commit(draft)
    assert numbering.live == BitMap(range(6))


def test_a_freed_number_rests_before_it_is_used_again(clock: list[float]) -> None:
    numbering = Numbering(BitMap(range(5)))
    draft = numbering.begin()
    draft.give_back([1, 3])
    assert draft.take(1) == [5]  # not even in the same transaction
    numbering.commit(draft)
    assert numbering.begin().take(1) == [6]
    clock[0] += numbering_module.REST_SECONDS + 1
    assert numbering.begin().take(3) == [1, 3, 6]


def test_many_deletions_rest_as_few_sets(clock: list[float]) -> None:
    numbering = Numbering(BitMap(range(1_000)))
    for number in range(1_000):
        draft = numbering.begin()
        draft.give_back([number])
        numbering.commit(draft)
        clock[0] += 0.01
    assert len(numbering._resting) <= 11
    clock[0] = 1_000 + numbering_module.REST_SECONDS + 5
    free = numbering.begin().take(1_000)
    assert (
        300 <= sum(number < 1_000 for number in free) <= 501
    )  # of those freed 5 s before the rest


def test_what_was_not_committed_is_free_again() -> None:
    numbering = Numbering(BitMap())
    numbering.begin().take(10)
    assert numbering.begin().take(1) == [0]


def test_there_is_a_largest_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbering_module, "MAX_POINTS", 4)
    draft = Numbering(BitMap([0, 2])).begin()
    assert draft.take(2) == [1, 3]
    with pytest.raises(StoreFailed, match="at most 4 points"):
        draft.take(1)
