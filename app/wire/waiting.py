"""A connection without a request: as little memory as it can do with, for there may be thousands.

uvicorn's protocol holds a parser, events and queues of several kilobytes. It is made when the first
byte of a request comes, and gives way to this one soon after a reply.
"""

from __future__ import annotations

import asyncio
import os
import socket
from functools import partial
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.config import Config
from uvicorn.server import ServerState

from palimpsest.app.wire.connection import Connection
from palimpsest.app.wire.connections import Connections
from palimpsest.app.wire.ends import last_reply

_FULL = (
    "Service unavailable: as many connections have requests under way as there may be "
    "(PALIMPSEST_CONNECTION_LIMIT): try again later, and keep connections for many requests"
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
        connections = connections_of(self._config)
        if connections.admits():
            self.wait(connections.now)
        else:
            transport.write(last_reply(HTTPStatus.SERVICE_UNAVAILABLE, _FULL))
            transport.close()

    def wait(self, since: float) -> None:
        """Begin to wait; the last reply was sent, or the connection made, at ``since``."""
        self.since = since
        self._server_state.connections.add(self)  # type: ignore[arg-type]
        connections_of(self._config).wait(self, asyncio.get_running_loop())

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
        connections_of(self._config).forget(self)
        self._server_state.connections.discard(self)

    def end(self) -> None:
        """Close the connection, which has nothing to send."""
        self.transport.close()

    shutdown = end  # as uvicorn calls it when the server is to end


class Secured(Waiting):
    """The same over TLS; it was admitted before hands were shaken."""

    __slots__ = ()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a new connection."""
        self.transport = transport
        self.wait(connections_of(self._config).now)


class Accepting(asyncio.Protocol):
    """One connection that was accepted and is to be secured.

    uvloop reads from a connection before a task could secure it. So the socket is taken from it
    before a byte was read, and secured as a whole.
    """

    __slots__ = ("_config", "_given")

    secured: ClassVar[type[Secured]] = Secured  # what it becomes

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._config = config
        self._given = (config, server_state, app_state)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to shake hands, unless there are too many connections."""
        connections = connections_of(self._config)
        certificates = connections.certificates
        if certificates is not None and connections.admits():
            accepted = transport.get_extra_info("socket")
            taken = socket.socket(fileno=os.dup(accepted.fileno()))
            certificates.shake_hands(taken, partial(self.secured, *self._given), connections.ended)
        transport.abort()


def connections_of(config: Config) -> Connections:
    """Return the connections of the server that a configuration is for."""
    app: Any = config.loaded_app
    connections: Connections = app.context.connections
    return connections
