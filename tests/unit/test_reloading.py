"""Parts of the configuration are read again, each on its own."""

from __future__ import annotations

import asyncio

from palimpsest.app.reloading import Reloading


def test_a_part_that_fails_is_counted_and_keeps_no_other_from_being_read() -> None:
    reloading, read = Reloading(), []

    async def broken() -> None:
        raise ValueError("no certificate")

    async def whole() -> None:
        read.append("keys")

    reloading.register("tls", broken)
    reloading.register("keys", whole)

    async def story() -> None:
        reloading.ask()
        await asyncio.sleep(0)
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})

    asyncio.run(story())
    assert read == ["keys"]
    assert reloading.counts.values == {
        ("tls", "ok"): 0,
        ("tls", "failed"): 1,
        ("keys", "ok"): 1,
        ("keys", "failed"): 0,
    }


def test_a_signal_during_a_read_has_all_read_once_more() -> None:
    reloading, read = Reloading(), []

    async def slow() -> None:
        read.append(len(read))
        if len(read) == 1:
            reloading.ask()
            reloading.ask()
        await asyncio.sleep(0)

    reloading.register("keys", slow)

    async def story() -> None:
        reloading.ask()
        await asyncio.sleep(0.01)

    asyncio.run(story())
    assert read == [0, 1]


def test_the_counter_has_every_series_before_anything_happened() -> None:
    reloading = Reloading()

    async def nothing() -> None: ...

    reloading.register("keys", nothing)
    (family,) = reloading.counts.collect()
    assert {(s.labels["part"], s.labels["outcome"], s.value) for s in family.samples} == {
        ("keys", "ok", 0),
        ("keys", "failed", 0),
    }
