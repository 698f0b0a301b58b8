"""Work in threads that ends with the wish for its result.

What reads is stopped: when its client leaves, its time is over or the server stops, work that waits
for a thread never begins, and work under way ends at its next look at the stop. What writes is
never stopped once it began, and a write that waits is carried out though its client left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from http import HTTPStatus
from typing import Generic, TypeVar

from palimpsest.app.errors import Refusal
from palimpsest.app.wire.bodies import Disconnected
from palimpsest.app.work.client import Client
from palimpsest.app.work.load import AGAIN
from palimpsest.index import Stop, Stopped, stopping

T = TypeVar("T")

NOT_BEGUN = "Timeout: the write was not begun within its `timeout`, nothing was changed: try again"

ENDED = "Service unavailable: the server is stopping, nothing was changed: try again in a second"
ENDED_WRITE = "Service unavailable: the server is stopping, the write had begun: read it back"


class Job(Generic[T]):
    """Work that may be given up; holds nothing once it was, however long it then waits."""

    __slots__ = ("_stop", "_work")

    def __init__(self, work: Callable[[], T]) -> None:
        self._work: Callable[[], T] | None = work
        self._stop = Stop()

    def __call__(self) -> T:
        """Run the work. Raises Stopped when it was given up."""
        # Let go of at once: a job that was given up may stay in its line for long, and what it
        # refers to is a body, or an answer.
        work, self._work = self._work, None
        if work is None:
            raise Stopped("given up before it began")
        with stopping(self._stop):
            return work()

    def give_up(self) -> None:
        """Let the work end soon, or never begin."""
        self._stop.set()
        self._work = None


async def read_in(
    threads: Executor, work: Callable[[], T], client: Client, timeout: float | None
) -> T:
    """Return what work that changes nothing returns.

    Args:
        threads: where it runs.
        work: looks at the stop of its thread, as all of the engine does.
        client: who waits for it.
        timeout: seconds until nobody does, None for no limit.

    Raises:
        Disconnected: the client left.
        TimeoutError: its time was over.
        Refusal: 503, when the server ends.
    """
    job = Job(work)
    try:
        return await while_wanted(asyncio.wrap_future(threads.submit(job)), client, timeout)
    finally:
        job.give_up()


async def while_wanted(running: asyncio.Future[T], client: Client, timeout: float | None) -> T:
    """Return what something that changes nothing comes to; it is cancelled when nobody waits.

    Raises as ``read_in``.
    """
    try:
        with client.waiting(running.cancel):
            return await asyncio.wait_for(running, timeout)
    except (asyncio.CancelledError, Stopped):
        if client.gone:
            raise Disconnected from None
        raise _ending(ENDED) from None
    finally:
        running.cancel()  # where it was never waited for


async def write_in(threads: Executor, work: Callable[[], T], timeout: float | None) -> T:
    """Return what work that may write returns, whoever waits for it.

    Raises:
        Refusal: 408, when its time was over before it had begun; 503, when the server ends.
    """
    future = threads.submit(work)
    running = asyncio.wrap_future(future)
    try:
        # Shielded: a write that has begun is carried out whether or not anybody waits, and its
        # outcome must not depend on when a client lost its patience.
        return await asyncio.wait_for(asyncio.shield(running), timeout)
    except TimeoutError:
        # It has begun: to answer 408 now would leave the client to guess whether it was written.
        if running.done() or not future.cancel():
            return await running
        raise Refusal(HTTPStatus.REQUEST_TIMEOUT, NOT_BEGUN) from None
    except asyncio.CancelledError:
        begun = not (future.cancel() or future.cancelled())
        raise _ending(ENDED_WRITE if begun else ENDED) from None


def _ending(text: str) -> Refusal:
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, text, AGAIN)
