"""A connection without a request: as little memory as it can do with, for there may be thousands.

uvicorn's protocol holds a parser, events and queues of several kilobytes. It is made when the first
byte of a request comes, and gives way to this one soon after a reply.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.config import Config
from uvicorn.server import ServerState

from app.wire.connection import Connection
from app.wire.connections import Connections
from app.wire.ends import last_reply

_FULL = last_reply(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "Service unavailable: as many connections have requests under way as there may be "
    "(PALIMPSEST_CONNECTION_LIMIT): try again later, and keep connections for many requests",
)


class Waiting(asyncio.Protocol):
    """One connection between its requests, and before the first."""

    __slots__ = ("_app_state", "_config", "_server_state", "since", "transport")

    protocol: ClassVar[type[Connection]] = Connection  # of a connection with a request

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._config = config
        self._server_state = server_state
        self._app_state = app_state
        self.transport: asyncio.Transport
        self.since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a new connection, or refuse it when there are too many."""
        self.transport = transport
        if not self._connections.admits():
            if self._connections.certificates is None:
                transport.write(_FULL)
            transport.close()
            return
        self.wait(self._connections.now)
        if self._connections.certificates is not None:
            transport.pause_reading()
            self._connections.certificates.shake_hands(self, transport)

    def secured(self, transport: asyncio.Transport | None) -> None:
        """Go on over TLS; None when no hands were shaken."""
        if transport is None:
            self._connections.ended["handshake"] += 1
            self.connection_lost(None)
            return
        self.transport = transport

    def wait(self, since: float) -> None:
        """Begin to wait; the last reply was sent, or the connection made, at ``since``."""
        self.since = since
        self._server_state.connections.add(self)  # type: ignore[arg-type]
        self._connections.wait(self, asyncio.get_running_loop())

    def data_received(self, data: bytes) -> None:
        """Give way to a connection with a request."""
        self.connection_lost(None)
        connection = self.protocol(self._config, self._server_state, self._app_state)
        self.transport.set_protocol(connection)
        connection.connection_made(self.transport)
        connection.quiet_since = self.since
        connection.rests_as = self
        connection.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget this connection."""
        self._connections.forget(self)
        self._server_state.connections.discard(self)

    def end(self) -> None:
        """Close the connection, which has nothing to send."""
        self.transport.close()

    shutdown = end  # as uvicorn calls it when the server is to end

    @property
    def _connections(self) -> Connections:
        app: Any = self._config.loaded_app
        connections: Connections = app.context.connections
        return connections
