"""Limits of calls and texts, by a clock of the test's own."""

from __future__ import annotations

import asyncio

import pytest

from palimpsest.app.embedding.failures import EmbeddingFailed
from palimpsest.app.embedding.quota import DAY, Quota


def test_the_texts_of_a_day() -> None:
    now = [DAY * 3 + 80_000.0]
    quota = Quota(0, 10, 1.0, today=lambda: now[0])
    quota.take(6)
    with pytest.raises(EmbeddingFailed) as raised:
        quota.take(5)
    assert (raised.value.status, raised.value.reason) == (429, "limit")
    assert raised.value.after == pytest.approx(6_400)
    quota.take(4)
    now[0] += 6_400
    quota.take(10)
    with pytest.raises(EmbeddingFailed):
        quota.take(1)


def test_calls_wait_for_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    now, slept = [100.0], []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("palimpsest.app.embedding.quota.asyncio.sleep", sleep)
    quota = Quota(2, 0, 70.0, clock=lambda: now[0])

    async def story() -> None:
        await quota.turn()
        now[0] += 10
        for _ in range(3):
            await quota.turn()
        with pytest.raises(EmbeddingFailed) as raised:
            await quota.turn()
        assert (raised.value.status, raised.value.after) == (429, pytest.approx(110))
        now[0] += 1_000
        await quota.turn()

    asyncio.run(story())
    assert slept == pytest.approx([50, 60])  # in the minute after the first, and the second


def test_no_limits() -> None:
    quota = Quota(0, 0, 0.0)
    quota.take(10**9)
    asyncio.run(quota.turn())
