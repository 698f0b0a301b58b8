"""The HTTP protocol of the server: uvicorn's, with a short way for short searches.

A search over codes takes some twenty microseconds; uvicorn's task, ASGI messages and header lists
around it take as much again. A plain ``POST .../points/query`` whose search is expected to be short
is therefore answered as soon as its last byte has come. Whatever is not plain in any way (a query
string, a header of ours, pipelining, a large or failing request, a slow search, a reply to be
compressed) goes the ASGI way, by handing uvicorn the very callbacks that were held back.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from palimpsest.app.edge import Edge
from palimpsest.app.points import PREFIX
from palimpsest.app.wire.connection import Connection
from palimpsest.app.wire.waiting import Accepting, Secured, Waiting
from palimpsest.app.work.client import PLACE, Client

START = PREFIX.encode()
END = b"/points/query"
MAX_HELD = 64 * 1024  # bytes of a body; the reading side of uvicorn pauses there


class QueryProtocol(Connection):
    """One connection with a request."""

    _held: bytes | None = None  # the body so far of a request that may be answered the short way
    _client: Client | None = None  # of the requests that go the ASGI way

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is done for this connection alone."""
        super().connection_lost(exc)
        if self._client is not None:
            self._client.leave()

    def on_headers_complete(self) -> None:
        """Hold back a request that looks like a plain query."""
        self.check_head()
        if self._is_plain_query():
            self._held = b""
        else:
            self.begin()
        self.await_body()

    def on_body(self, body: bytes) -> None:
        """Collect the body of a held request."""
        if self._held is None:
            super().on_body(body)
            return
        self._received += len(body)
        self._held += body
        if len(self._held) > MAX_HELD:
            self._hand_over()

    def on_message_complete(self) -> None:
        """Answer a held request at once, or else hand it over."""
        if self._held is not None:
            if self._answered(self._held):
                self._held = None
                self.end_of_message()
                return
            self._hand_over()
        super().on_message_complete()
        if not self.pipeline:
            self.flow.resume_reading()  # paused by a large body: else no one hears a client leave

    def begin(self) -> None:
        """Let uvicorn begin with a request whose head was read. Raises Broken."""
        if self._client is None:
            self._client = Client()
        scope: Any = self.scope
        scope[PLACE] = self._client
        super().begin()

    def _is_plain_query(self) -> bool:
        url = self.url
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        return (
            url.endswith(END)
            and url.startswith(START)
            and isinstance(self.app, Edge)
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and (cycle is None or cycle.response_complete)
            and not (self.expect_100_continue or self.flow.write_paused)
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
            and self.app.screen.is_plain(self.scope["headers"])
        )

    def _answered(self, body: bytes) -> bool:
        edge: Any = self.app
        try:
            name = unquote_to_bytes(self.url[len(START) : -len(END)]).decode()
        except UnicodeDecodeError:
            return False
        reply = edge.answer_query_now(name, body, self.scope)
        if reply is None:
            return False
        self.transport.write(edge.screen.head % len(reply) + reply)
        self.server_state.total_requests += 1
        return True

    def _hand_over(self) -> None:
        held, self._held = self._held or b"", None
        self.begin()
        if held:
            HttpToolsProtocol.on_body(self, held)  # counted already

    def cycle_being_read(self) -> RequestResponseCycle | None:
        """Return the cycle of the request whose body is being read; a held one has none."""
        return None if self._held is not None else super().cycle_being_read()


class Listening(Waiting):
    """One connection without a request."""

    __slots__ = ()

    protocol = QueryProtocol


class SecuredListening(Secured):
    """One connection over TLS without a request."""

    __slots__ = ()

    protocol = QueryProtocol


class AcceptingTls(Accepting):
    """One connection that is to be secured."""

    __slots__ = ()

    secured = SecuredListening
