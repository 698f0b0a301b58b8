"""Queries that came in one turn of the event loop, which are answered at its end."""

from __future__ import annotations

import asyncio
import logging
from typing import NamedTuple, Protocol

from palimpsest.app.routes.short_queries import Asked, ShortQueries
from palimpsest.app.wire.heads import Head

log = logging.getLogger("palimpsest")

MOST = 64  # queries searched for at once: the first of them are not to wait for all


class Asking(Protocol):
    """A connection that waits for a reply."""

    def replied(self, head: Head, asked: Asked, reply: bytes | None) -> None:
        """Send a reply, or without one go the ASGI way; nothing where the client left."""

    def drop(self, reason: str) -> None:
        """End the connection at once."""


class _Waiting(NamedTuple):
    connection: Asking
    head: Head
    asked: Asked


class Turn:
    """The turn that runs. Used in the event loop's thread."""

    def __init__(self, short: ShortQueries) -> None:
        self._short = short
        self._waiting: list[_Waiting] = []

    def add(self, connection: Asking, head: Head, body: bytes) -> None:
        """Have a query answered when all that came is read; nothing of it is in the scope yet."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.end)
        asked = Asked(head.name, body, {"headers": head.headers})
        self._waiting.append(_Waiting(connection, head, asked))

    def end(self) -> None:
        """Answer what waits now, each connection's query before anything else of it is read."""
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), MOST):
            some = waiting[start : start + MOST]
            replies = self._short.answer_all([each.asked for each in some])
            for (connection, head, asked), reply in zip(some, replies, strict=True):
                try:
                    connection.replied(head, asked, reply)
                except Exception:  # of this connection: the others have their replies to come
                    log.exception("a reply could not be sent")
                    connection.drop("failed")
