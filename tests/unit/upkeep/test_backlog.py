from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from palimpsest.index.upkeep.backlog import (
    LIMIT,
    LONGEST_RETRY,
    ROOM_FOR_BULK,
    SLOWEST,
    SMALL_ROWS,
    Backlog,
    firm_threads,
    first_rate,
    has_room,
    retry_seconds,
    slowdown,
)

PRESSURES = np.linspace(0, 3, 61).tolist()


def waiting(rows: int, *, seal_rows: int = 1_000, segments: int = 0) -> Backlog:
    return Backlog(rows, seal_rows, segments, 32)


@pytest.mark.parametrize("threads", [1, 2, 3, 8, 64])
def test_one_thread_never_gives_way_and_at_last_none_does(threads: int) -> None:
    firm = [firm_threads(pressure, threads) for pressure in PRESSURES]
    assert firm == sorted(firm)
    assert firm[0] == firm_threads(1.0, threads) == 1
    assert firm_threads(1.5, threads) == firm[-1] == threads


def test_rows_are_slowed_smoothly_and_as_much_as_it_takes() -> None:
    assert slowdown(0) == slowdown(1) == 0
    slow = [slowdown(pressure) for pressure in PRESSURES]
    assert slow == sorted(slow)
    assert slow[-1] == slowdown(ROOM_FOR_BULK) == SLOWEST
    below = np.linspace(1, 1.75, 76).tolist()
    assert all(0 < slowdown(b) - slowdown(a) < 1 for a, b in pairwise(below))  # no cliff
    assert slowdown(1.3) == pytest.approx(1, rel=0.1)


def test_what_waits_stays_below_the_limit_when_parts_are_sealed_one_by_one() -> None:
    """The rows that come during a seal at the pace set for them, from just after the last."""
    pressure, seal = 0.9, 1.0
    while seal > 0:
        pressure += 1e-4
        seal -= 1e-4 * slowdown(pressure)
    assert 1.5 < pressure < 1.8


@pytest.mark.parametrize(
    ("held", "rows", "room"),
    [
        (0, 100_000, True),  # more than there is ever room for
        (999, 100_000, True),
        (1_000, 100_000, False),
        (1_000, 950, True),
        (1_000, 951, False),
        (1_950, SMALL_ROWS + 1, False),
        (1_950, SMALL_ROWS, True),
        (1_984, SMALL_ROWS, True),
        (1_985, SMALL_ROWS, False),
        (2_000, 1, False),
        (50_000, 1, False),
    ],
)
def test_there_is_room_for_twice_the_rows_of_a_seal(held: int, rows: int, room: bool) -> None:
    assert has_room(waiting(held), rows) is room
    assert waiting(held).limit == 2_000


def test_segments_slow_and_refuse_rows_too() -> None:
    assert waiting(0, segments=16).pressure == 1
    assert slowdown(waiting(0, segments=24).pressure) > 1
    assert waiting(0, segments=32).pressure == LIMIT
    assert has_room(waiting(0, segments=31), 1)
    assert not has_room(waiting(0, segments=32), 1)


@pytest.mark.parametrize("size", [1, 384, 65_536])
def test_a_rate_is_assumed_before_one_is_measured(size: int) -> None:
    assert 300 <= first_rate(size) <= 20_000
    assert first_rate(size) >= first_rate(2 * size)


def test_whole_seconds_are_told() -> None:
    given = [-1, 0, 0.2, 1, 1.01, 7.5, 1e9]
    assert [retry_seconds(one) for one in given] == [1, 1, 1, 1, 2, 8, LONGEST_RETRY]
