"""Writes that bring rows, while many of their collection wait to be sealed.

They wait in the event loop, as long as the collection's pacing says (``index.upkeep.pacing``), and
hold no thread. A wait ends with the wish for it: when the client leaves, the write's ``timeout`` is
over or the server stops; and with its reason, once rows were sealed. Nothing was changed until
then. What may not wait is refused: 429 with the seconds after which there may be room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING

from palimpsest.app.errors import Refusal
from palimpsest.app.wire.bodies import Disconnected
from palimpsest.app.work.jobs import ENDED, NOT_BEGUN
from palimpsest.app.work.load import AGAIN
from palimpsest.index import Backlog, Collection, PointBatch, Refused

if TYPE_CHECKING:
    from palimpsest.app.context import Call

SHARE = 4  # of what the server takes on, one part in so many may be writes that wait
_TICK = 0.1  # seconds between two looks at whether the server stops, or room was made


class Waiting:
    """The writes of one server that wait; used in the thread of the event loop."""

    def __init__(self, most: int, most_bytes: int) -> None:
        """Let so many wait, of so many bytes in all; 0 bytes for no limit."""
        self._most = most
        self._most_bytes = most_bytes
        self._count = self._bytes = 0

    @contextmanager
    def one(self, size: int) -> Iterator[bool]:
        """Count a write of so many bytes inside; whether there is a place for it."""
        full = self._count >= self._most
        full = full or bool(self._most_bytes and self._bytes + size > self._most_bytes)
        # Also where there is no place: it waits for its refusal, and is one of those that are
        # there.
        self._count += 1
        self._bytes += size
        try:
            yield not full
        finally:
            self._count -= 1
            self._bytes -= size


def rows_of(batch: PointBatch | None) -> int:
    """Return how many rows points bring: of the vector that most of them have."""
    return (
        0
        if batch is None
        else max((len(one.positions) for one in batch.vectors.values()), default=0)
    )


def refuse_early(call: Call) -> None:
    """Refuse a long body, before it is read, that would be refused whatever it holds.

    Raises:
        Refusal: 429, or 503 when sealing fails.
    """
    refused = call.collection.pacing.refuses(call.context.settings.write_wait)
    if refused is not None:
        raise refusal(call.collection, refused)


def ask(call: Call, rows: int) -> float:
    """Return the seconds after which a write may bring its rows, which count as coming from now.

    Raises:
        Refusal: 429, or 503 when sealing fails.
    """
    answer = call.collection.pacing.ask(rows, call.context.settings.write_wait)
    if isinstance(answer, Refused):
        raise refusal(call.collection, answer)
    return answer.seconds


async def wait(call: Call, seconds: float, timeout: float | None) -> None:
    """Wait until a write may bring its rows.

    Raises:
        Disconnected: the client left.
        Refusal: 408 when its time is over, 503 when the server ends, 429 when too many wait.
    """
    pacing, begun = call.collection.pacing, monotonic()
    until, left = begun + seconds, call.left(timeout)
    gone = asyncio.Event()
    with call.context.waiting.one(len(call.body)) as has_place, call.client.waiting(gone.set):
        if not has_place:
            raise refusal(call.collection, pacing.turned_away(seconds))
        try:
            # Room may be made earlier than was thought: then all go on at once.
            while (now := monotonic()) < until and pacing.slows:
                if left is not None and now - begun >= left:
                    raise Refusal(HTTPStatus.REQUEST_TIMEOUT, NOT_BEGUN)
                with suppress(TimeoutError):
                    await asyncio.wait_for(gone.wait(), min(until - now, _TICK))
                    raise Disconnected
                if call.context.life.refuses:
                    raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, ENDED, AGAIN)
        except asyncio.CancelledError:
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, ENDED, AGAIN) from None
        finally:
            pacing.waited(monotonic() - begun)


def refusal(collection: Collection, refused: Refused) -> Refusal:
    """Return the answer to a write whose rows may not come now."""
    backlog, again = refused.backlog, {"retry-after": str(refused.seconds)}
    waiting = f"{describe(backlog)}: nothing was changed."
    if backlog.stalled is not None:
        return Refusal(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"Service unavailable: {waiting} The work on them fails and is tried again, see the "
            f"server's log: {backlog.stalled}",
            again,
        )
    return Refusal(
        HTTPStatus.TOO_MANY_REQUESTS,
        f"Too many rows at once for {collection.name!r}: {waiting} Retry after {refused.seconds}s; "
        "reads, deletions and changes of payloads go on. Where that lasts, send less at once or "
        "give the server more cores",
        again,
    )


def describe(backlog: Backlog) -> str:
    """Say in words what waits."""
    text = f"{backlog.rows} rows wait to be sealed, about {backlog.limit} may"
    if backlog.segments:
        text += f", and {backlog.segments} of {backlog.segments_limit} segments to be compacted"
    return text
