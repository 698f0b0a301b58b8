"""How requests wait while a snapshot takes the place of their collection, which is soon over."""

from __future__ import annotations

import asyncio
from time import perf_counter

LONGEST_WAIT = 60.0  # seconds, of one request
SHORTEST_PAUSE, LONGEST_PAUSE = 0.005, 0.25  # seconds between two looks whether it is there


class Pauses:
    """Of one request: each twice as long as the one before, until it has waited for too long."""

    __slots__ = ("_next", "_until")

    def __init__(self) -> None:
        self._until = perf_counter() + LONGEST_WAIT
        self._next = SHORTEST_PAUSE

    @property
    def are_left(self) -> bool:
        """Whether another one is worth waiting for."""
        return perf_counter() + self._next <= self._until

    async def pause(self) -> None:
        """Wait once."""
        await asyncio.sleep(self._next)
        self._next = min(2 * self._next, LONGEST_PAUSE)
