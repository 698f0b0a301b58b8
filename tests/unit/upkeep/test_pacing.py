from __future__ import annotations

import pytest

from palimpsest.index.upkeep.backlog import Backlog, slowdown
from palimpsest.index.upkeep.pacing import Pacing, Refused, SealRate, Wait

SEAL_ROWS = 1_000
PATIENCE = 2.0


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class World:
    """A pacing with a clock and a backlog of its own; 1,000 rows are sealed per second."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.rows = self.segments = 0
        self.stalled: str | None = None
        self.rate = SealRate(1_000, self.clock)
        self.pacing = Pacing(self.backlog, self.rate, self.clock)

    def backlog(self) -> Backlog:
        return Backlog(self.rows, SEAL_ROWS, self.segments, 32, self.stalled)

    def ask(self, rows: int) -> Wait | Refused:
        return self.pacing.ask(rows, PATIENCE)


@pytest.fixture
def world() -> World:
    return World()


def test_rows_come_at_once_while_few_wait(world: World) -> None:
    for _ in range(10):
        assert world.ask(100) == Wait(0)
    assert world.pacing.backlog().rows == 1_000  # on their way, in no view yet
    assert not world.pacing.slows


def test_rows_on_their_way_count(world: World) -> None:
    world.rows = 1_000
    assert world.ask(900) == Wait(0)
    refused = world.ask(900)
    assert isinstance(refused, Refused) and refused.backlog.rows == 1_900
    world.pacing.came(900)
    assert world.ask(900) != refused


def test_each_waits_for_those_before_it_the_longer_the_more_wait(world: World) -> None:
    world.rows = 1_300
    assert world.ask(100) == Wait(0)
    world.pacing.came(100)
    first = 0.1 * slowdown(1.3)
    assert world.ask(100) == Wait(pytest.approx(first))
    assert world.pacing.slows
    world.pacing.came(100)
    world.rows = 1_500
    assert world.ask(100) == Wait(pytest.approx(2 * first))
    world.pacing.came(100)
    assert world.ask(100) == Wait(pytest.approx(2 * first + 0.1 * slowdown(1.5)))
    world.pacing.came(100)
    world.rows = 900
    assert not world.pacing.slows
    assert world.ask(10) == Wait(0)


def test_time_that_has_passed_is_not_waited_for(world: World) -> None:
    world.rows = 1_500
    world.ask(100)
    world.clock.now += 10
    assert world.ask(100) == Wait(0)


def test_who_would_wait_too_long_is_told_how_long(world: World) -> None:
    world.rows = 1_700
    while not isinstance(answer := world.ask(50), Refused):
        world.pacing.came(50)
        assert answer.seconds <= PATIENCE
    assert answer.seconds == 3  # between 2 and 3
    assert world.pacing.refused == {"backlog": 1, "stalled": 0}
    assert world.ask(5) == Wait(PATIENCE)  # small writes find their way
    refused = world.pacing.refuses(PATIENCE)
    assert refused is not None and refused.seconds == 3


def test_no_more_than_twice_the_rows_of_a_seal_come_in_whatever_is_asked(world: World) -> None:
    for patience in (0.0, 2.0, 1e9):
        world.rows = given = 900
        for rows in [100, 1, 64, 999, 16, 500] * 50:
            if isinstance(world.pacing.ask(rows, patience), Wait):
                given += rows
                world.pacing.came(rows)
                world.rows = given
        assert given <= 2 * SEAL_ROWS


def test_a_refusal_tells_when_the_seal_under_way_will_have_ended(world: World) -> None:
    world.rows = 1_990
    world.rate.begin(10_000)
    world.clock.now = 4.5
    refused = world.ask(100)
    assert isinstance(refused, Refused) and refused.seconds == 6
    assert world.pacing.refuses(PATIENCE) == refused
    world.clock.now = 50  # it takes longer than it should
    assert world.pacing.turned_away(0.0).seconds == 1


def test_why_sealing_fails_is_passed_on(world: World) -> None:
    world.rows, world.stalled = 2_000, "no memory"
    refused = world.ask(1)
    assert isinstance(refused, Refused) and refused.backlog.stalled == "no memory"
    assert world.pacing.refused == {"backlog": 0, "stalled": 1}


def test_a_rate_is_that_of_the_last_seals(world: World) -> None:
    rate = world.rate
    rate.begin(3_000)
    world.clock.now = 1.0
    assert rate.current == 1_000  # the one assumed, until the seal takes longer than it says
    world.clock.now = 6.0
    assert rate.current == 500
    assert rate.lateness == 2
    rate.end(sealed=True)
    assert (rate.current, rate.rows, rate.left, rate.lateness) == (500, 3_000, 0, 0)
    rate.begin(1_000)
    world.clock.now = 8.5
    rate.end(sealed=False)  # stopped: it says nothing
    assert (rate.current, rate.rows) == (500, 3_000)
    world.clock.now = 20.0
    rate.begin(3_000)
    world.clock.now = 22.0
    rate.end(sealed=True)
    assert rate.current == 1_000  # half of each
    rate.begin(1_500)
    world.clock.now = 24.0
    assert rate.lateness == 2  # by the best of them
    rate.end(sealed=False)
    rate.end(sealed=True)  # of none
    assert rate.rows == 6_000


def test_what_was_waited_is_counted(world: World) -> None:
    world.pacing.waited(0.5)
    world.pacing.waited(0.25)
    assert (world.pacing.delayed, world.pacing.delayed_seconds) == (2, 0.75)
