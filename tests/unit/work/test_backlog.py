"""How a write waits for rows to be sealed, and what ends that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.wire.bodies import Disconnected
from palimpsest.app.work.backlog import Waiting, ask, refuse_early, wait
from palimpsest.app.work.client import Client
from palimpsest.index import Backlog
from palimpsest.index.upkeep.pacing import Pacing, SealRate

LONG = 600.0  # seconds that no test waits


class World:
    """What a call has that ``wait`` looks at; 1,700 rows wait, of 2,000."""

    def __init__(self, most: int = 4, most_bytes: int = 0) -> None:
        self.rows, self.stalled = 1_700, None
        self.pacing = Pacing(
            lambda: Backlog(self.rows, 1_000, 0, 32, self.stalled), SealRate(1_000)
        )
        self.life = SimpleNamespace(refuses=False)
        self.waiting = Waiting(most, most_bytes)
        self.client = Client()
        self.pacing.ask(200, LONG)  # what comes next waits
        self.pacing.came(200)

    def call(self, size: int = 10) -> Any:
        settings = SimpleNamespace(write_wait=2.0)
        context = SimpleNamespace(waiting=self.waiting, life=self.life, settings=settings)
        return SimpleNamespace(
            collection=SimpleNamespace(pacing=self.pacing, name="c"),
            context=context,
            client=self.client,
            body=bytes(size),
            left=lambda timeout: timeout,
        )

    def wait(self, seconds: float, timeout: float | None = None, then: Any = None) -> float:
        """Wait, and have something happen meanwhile; return how long it took."""

        async def run() -> None:
            if then is not None:
                asyncio.get_running_loop().call_later(0.02, then)
            await wait(self.call(), seconds, timeout)

        begun = monotonic()
        asyncio.run(run())
        return monotonic() - begun


def test_a_write_waits_as_long_as_it_was_told() -> None:
    world = World()
    assert world.wait(0.25) >= 0.25
    assert world.pacing.delayed == 1
    assert world.pacing.delayed_seconds >= 0.25


def test_room_made_meanwhile_ends_a_wait() -> None:
    world = World()
    assert world.wait(LONG, then=lambda: setattr(world, "rows", 100)) < LONG / 10


@pytest.mark.parametrize(
    ("then", "status"),
    [
        (lambda world: world.client.leave(), None),
        (lambda world: setattr(world.life, "refuses", True), HTTPStatus.SERVICE_UNAVAILABLE),
    ],
)
def test_a_wait_ends_with_the_client_and_with_the_server(
    then: Callable[[World], None], status: int | None
) -> None:
    world = World()
    with pytest.raises(Disconnected if status is None else Refusal) as raised:
        world.wait(LONG, then=lambda: then(world))
    if isinstance(raised.value, Refusal):
        assert raised.value.status == status
        assert "nothing was changed" in raised.value.text
        assert raised.value.headers["retry-after"] == "1"
    assert world.pacing.delayed == 1
    with world.waiting.one(1) as has_place:
        assert has_place  # it is given back


def test_a_wait_ends_with_the_timeout_of_its_request() -> None:
    with pytest.raises(Refusal, match="nothing was changed") as raised:
        World().wait(LONG, timeout=0.1)
    assert raised.value.status == HTTPStatus.REQUEST_TIMEOUT


def test_few_may_wait_at_once_and_of_few_bytes() -> None:
    for world in (World(most=1), World(most_bytes=15)):
        with world.waiting.one(10) as first:
            assert first
            with pytest.raises(Refusal) as raised:
                world.wait(LONG)
        assert raised.value.status == HTTPStatus.TOO_MANY_REQUESTS
        assert raised.value.headers["retry-after"] == "60"
        assert world.wait(0.01) < LONG / 10


def test_a_refusal_says_what_waits_and_when_to_come_again() -> None:
    world = World()
    world.rows = 1_990
    for refuse in (lambda: ask(world.call(), 100), lambda: refuse_early(world.call())):
        with pytest.raises(Refusal) as raised:
            refuse()
        assert raised.value.status == HTTPStatus.TOO_MANY_REQUESTS
        assert raised.value.headers == {"retry-after": "1"}
        for words in ("'c'", "1990 rows wait to be sealed, about 2000 may", "Retry after 1s"):
            assert words in raised.value.text
    world.stalled = "sealing 1000 rows of '': no memory"  # type: ignore[assignment]
    with pytest.raises(Refusal, match="no memory") as raised:
        ask(world.call(), 100)
    assert raised.value.status == HTTPStatus.SERVICE_UNAVAILABLE
