"""Requests look ever more seldom whether their collection is there, and in the end no more."""

from __future__ import annotations

import asyncio

import pytest

from palimpsest.app.work import replacing
from palimpsest.app.work.replacing import Pauses


def test_pauses_grow_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(replacing, "perf_counter", lambda: now)

    async def wait() -> None:
        pauses = Pauses()
        while pauses.are_left:
            await pauses.pause()

    asyncio.run(wait())
    assert slept[:3] == [0.005, 0.01, 0.02]
    assert max(slept) == replacing.LONGEST_PAUSE
    assert replacing.LONGEST_WAIT - replacing.LONGEST_PAUSE < sum(slept) <= replacing.LONGEST_WAIT
