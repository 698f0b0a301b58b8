from __future__ import annotations

import asyncio
from typing import Any

from palimpsest.app.reloading import Reloading
from palimpsest.app.settings import Settings
from palimpsest.app.wire.connections import MAX_TICK, STALL, Connections
from palimpsest.app.wire.sending import UNREAD, Unread


class Idle:
    """A connection without a request."""

    def __init__(self, since: float) -> None:
        self.since = since
        self.ended = False

    def end(self) -> None:
        self.ended = True


class Busy:
    """A connection with a request, whose review may fail."""

    def __init__(self, fails: bool) -> None:
        self.fails = fails
        self.reviewed: list[float] = []
        self.dropped: list[str] = []

    def review(self, now: float) -> None:
        self.reviewed.append(now)
        if self.fails:
            raise RuntimeError

    def drop(self, reason: str) -> None:
        self.dropped.append(reason)


class Loop:
    """A loop whose clock is turned by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[tuple[Any, ...]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, *given: Any) -> asyncio.TimerHandle:
        self.timers.append(given)
        handle: Any = object()
        return handle

    def turn(self, seconds: float) -> None:
        """Let the one timer run after so many seconds."""
        self.now += seconds
        ((_, tick, *rest),) = self.timers
        self.timers.clear()
        tick(*rest)


def make(**more: Any) -> tuple[Connections, Loop, Any]:
    loop = Loop()
    return Connections(Settings(**more), Reloading()), loop, loop


def test_there_is_a_timer_only_while_somebody_is_connected() -> None:
    connections, loop, given = make()
    waiting = Idle(0.0)
    connections.wait(waiting, given)
    connections.wait(Idle(0.0), given)
    assert len(loop.timers) == 1
    loop.turn(0.25)
    assert len(loop.timers) == 1
    for each in [*connections._waiting]:
        connections.forget(each)
    loop.turn(0.25)
    assert not loop.timers
    connections.wait(waiting, given)
    assert len(loop.timers) == 1


def test_those_that_wait_too_long_are_ended_in_order() -> None:
    connections, loop, given = make(idle_timeout=10)
    early, late = Idle(0.0), Idle(5.0)
    connections.wait(early, given)
    connections.wait(late, given)
    while connections.now < 10:
        loop.turn(MAX_TICK)
    assert (early.ended, late.ended) == (True, False)
    assert connections.ended["idle"] == 1
    assert len(connections) == 1


def test_time_in_which_the_server_stood_still_does_not_count() -> None:
    connections, loop, given = make(idle_timeout=10)
    waiting = Idle(0.0)
    connections.wait(waiting, given)
    loop.turn(1_000)
    assert connections.now <= STALL * MAX_TICK
    assert not waiting.ended


def test_the_idlest_gives_way_and_the_busy_never_do() -> None:
    connections, _, given = make(connection_limit=2)
    idle, busy = Idle(0.0), Busy(fails=False)
    connections.wait(idle, given)
    number = connections.enter(busy)
    assert connections.admits()
    assert idle.ended
    connections.enter(Busy(fails=False))
    assert not connections.admits()
    assert (connections.ended["displaced"], connections.ended["full"]) == (1, 1)
    connections.leave(busy, number)
    assert connections.admits()


def test_every_connection_is_reviewed_and_one_that_fails_stops_no_other() -> None:
    connections, loop, given = make()
    connections.wait(Idle(0.0), given)
    busy = [Busy(fails=number % 2 == 0) for number in range(10)]
    for each in busy:
        connections.enter(each)
    elapsed = 0.0
    while elapsed < connections.pace:
        loop.turn(MAX_TICK)
        elapsed += MAX_TICK
    assert all(each.reviewed for each in busy)
    assert [bool(each.dropped) for each in busy] == [each.fails for each in busy]


def test_a_short_time_out_is_looked_at_more_often() -> None:
    assert make(head_timeout=0.8)[0].pace < make()[0].pace


class Transport:
    """A connection with so much left to send."""

    def __init__(self, left: int) -> None:
        self.left = left

    def get_write_buffer_size(self) -> int:
        return self.left

    def get_extra_info(self, _: str) -> None:
        return None


def test_a_client_reads_when_what_is_left_becomes_less() -> None:
    transport: Any = Transport(10 * UNREAD)
    unread = Unread()
    assert unread.seconds(transport, 0) == 0
    assert unread.seconds(transport, 50) == 50
    transport.left -= UNREAD - 1
    assert unread.seconds(transport, 60) == 60
    transport.left -= 1
    assert unread.seconds(transport, 70) == 0
    transport.left = 0
    assert unread.seconds(transport, 500) == 0
    transport.left = 1
    assert unread.seconds(transport, 600) == 0
