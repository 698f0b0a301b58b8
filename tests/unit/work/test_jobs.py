"""What becomes of work when the server ends, which cancels what waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.wire.bodies import Disconnected
from palimpsest.app.work.client import Client
from palimpsest.app.work.jobs import read_in, write_in
from palimpsest.index import check_stop

MINUTE = 60


def ended(begin: Callable[[ThreadPoolExecutor, threading.Event], Coroutine[Any, Any, None]]) -> str:
    """Cancel the task of work once it has begun; return what it is answered with."""

    async def run() -> str:
        begun = threading.Event()
        with ThreadPoolExecutor(1) as threads:
            task = asyncio.ensure_future(begin(threads, begun))
            assert await asyncio.to_thread(begun.wait, MINUTE)
            task.cancel()
            with pytest.raises(Refusal) as found:
                await task
            assert found.value.status == 503
            return str(found.value)

    return asyncio.run(run())


def test_a_read_that_the_end_of_the_server_cuts_off_is_answered() -> None:
    async def begin(threads: ThreadPoolExecutor, begun: threading.Event) -> None:
        def work() -> None:
            begun.set()
            while True:
                check_stop()

        await read_in(threads, work, Client(), None)

    assert "nothing was changed" in ended(begin)


def test_a_write_that_the_end_of_the_server_cuts_off_says_that_it_had_begun() -> None:
    async def begin(threads: ThreadPoolExecutor, begun: threading.Event) -> None:
        def work() -> None:
            begun.set()
            threading.Event().wait(0.2)

        await write_in(threads, work, None)

    assert "had begun" in ended(begin)


def test_a_write_that_waits_is_not_begun_any_more() -> None:
    done = []

    async def begin(threads: ThreadPoolExecutor, begun: threading.Event) -> None:
        def busy() -> None:
            begun.set()
            threading.Event().wait(0.2)

        threads.submit(busy)
        await write_in(threads, lambda: done.append(1), None)

    assert "nothing was changed" in ended(begin)
    assert not done


def test_who_left_is_answered_nothing() -> None:
    async def run() -> None:
        client, begun = Client(), threading.Event()

        def work() -> None:
            begun.set()
            while True:
                check_stop()

        with ThreadPoolExecutor(1) as threads:
            task = asyncio.ensure_future(read_in(threads, work, client, None))
            assert await asyncio.to_thread(begun.wait, MINUTE)
            client.leave()
            with pytest.raises(Disconnected):
                await task

    asyncio.run(run())
