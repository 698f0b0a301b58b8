"""Who waits for the answers of one connection, and what is to end when nobody does.

The protocol makes a ``Client`` for a connection's first request that is not answered at once, hands
it on in the scope of each, and tells it when the connection is lost. No request needs a task, or a
look at the socket, for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.types import Scope

from palimpsest.app.wire.bodies import Disconnected

PLACE = "palimpsest.client"  # in a scope


class Client:
    """One connection; used in the thread of the event loop."""

    __slots__ = ("_endings", "gone")

    def __init__(self) -> None:
        self.gone = False
        self._endings: set[Callable[[], object]] = set()

    def leave(self) -> None:
        """End whatever is done for this client alone: the connection is lost."""
        self.gone = True
        # A copy: each of them takes itself out when it ends.
        for end in [*self._endings]:
            end()

    @contextmanager
    def waiting(self, end: Callable[[], object]) -> Iterator[None]:
        """Have ``end`` called if the client leaves before the block does.

        Raises:
            Disconnected: it has left already.
        """
        if self.gone:
            raise Disconnected
        self._endings.add(end)
        try:
            yield
        finally:
            self._endings.discard(end)


def client_of(scope: Scope) -> Client:
    """Return the client of a request; one that never leaves where the server names none."""
    client: Client | None = scope.get(PLACE)
    return Client() if client is None else client
