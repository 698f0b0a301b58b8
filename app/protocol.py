"""The HTTP protocol of the server: uvicorn's, with a short way for short searches.

A search over codes takes some forty microseconds; uvicorn's task, ASGI messages and header lists
around it take as much again. A plain ``POST .../points/query`` whose search is expected to be short
is therefore answered as soon as its last byte has come. Whatever is not plain in any way (a query
string, a header of ours, pipelining, a large or failing request, a slow search, a reply to be
compressed) goes the ASGI way, by handing uvicorn the very callbacks that were held back.

To parse a plain request takes as long as to search, and clients repeat its head: one that was
answered the short way before (``app.wire.heads``) is not parsed again. The parser then never sees
the request, and stands where it stood: between two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from palimpsest.app.edge import Edge
from palimpsest.app.points import PREFIX
from palimpsest.app.routes.short_queries import Asked
from palimpsest.app.tracing.ids import REQUEST_ID, request_id
from palimpsest.app.wire.connection import QUIET, Connection
from palimpsest.app.wire.heads import BLANK_LINE, Head
from palimpsest.app.wire.waiting import Accepting, Secured, Waiting
from palimpsest.app.work.client import PLACE, Client

START = PREFIX.encode()
END = b"/points/query"
MAX_HELD = 64 * 1024  # bytes of a body; the reading side of uvicorn pauses there


class QueryProtocol(Connection):
    """One connection with a request."""

    _held: bytes | None = None  # the body so far of a request that may be answered the short way
    _client: Client | None = None  # of the requests that go the ASGI way
    _parsed = b""  # what is being parsed
    _whole_head = b""  # of a held request and what came with it, empty where it came in parts
    _headed: Head | None = None  # a known head whose body has not come; the parser has not seen it
    _asks = False  # whether a request of a known head waits for its reply, in this turn
    _tried: Mapping[str, Any] | None = None  # what a request was found to be that is parsed now

    def data_received(self, data: bytes) -> None:
        """Answer a request whose head is known; parse any other."""
        self._end_turn()  # the reply to what came before goes first
        head, self._headed = self._headed, None
        if head is not None:
            if len(data) == head.length:
                self._ask(head, data)
                return
            self._parse(head.text)
        elif self._phase is QUIET and isinstance(self.app, Edge) and self._has_ended():
            head = self.app.heads.find(data)
            if head is not None:
                size = len(data) - len(head.text)
                if not size:
                    self._headed = head  # some clients send head and body apart
                    return
                if size == head.length:
                    self._ask(head, data[-size:])
                    return
        self._parse(data)

    def _parse(self, data: bytes) -> None:
        self._parsed = data
        super().data_received(data)
        self._parsed = b""  # what a long request came in is not kept until its reply

    def review(self, now: float) -> None:
        """Give the parser what was kept from it: from here on time-outs are counted."""
        self._end_turn()
        self._parse_head()
        super().review(now)

    def eof_received(self) -> None:
        """Answer what came: over TLS its end may come with it, after which nothing is sent."""
        self._end_turn()
        super().eof_received()

    def shutdown(self) -> None:
        """Answer what came, and close the connection when nothing is under way."""
        self._end_turn()
        self._parse_head()
        if self._held is not None:
            self._hand_over()  # it is told to come again, whether or not the rest of it comes
        super().shutdown()

    def replied(self, head: Head, asked: Asked, reply: bytes | None) -> None:
        """Send the reply to a request of a known head; without one, parse it."""
        if not self._asks:
            return  # the client left
        self._asks = False
        if reply is not None:
            self._send(self.app, reply)
            self.quiet_since = self._all.now
            return
        self._tried = asked.scope
        self._parse(head.text + asked.body)
        self._tried = None

    def _ask(self, head: Head, body: bytes) -> None:
        edge: Any = self.app
        self._asks = True
        if self._all.are_several:
            edge.turn.add(self, head, body)
        else:  # nobody else would ask in this turn
            asked = Asked(head.name, body, {"headers": head.headers})
            self.replied(head, asked, edge.short.answer(*asked))

    def _parse_head(self) -> None:
        head, self._headed = self._headed, None
        if head is not None:
            self._parse(head.text)

    def _end_turn(self) -> None:
        if self._asks:
            edge: Any = self.app
            edge.turn.end()

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is done for this connection alone."""
        self._asks = False
        super().connection_lost(exc)
        if self._client is not None:
            self._client.leave()

    def on_headers_complete(self) -> None:
        """Hold back a request that looks like a plain query."""
        self.check_head()
        if self._is_plain_query():
            self._held = b""
            # of this request alone: nothing of it, or of another, came before
            self._whole_head = self._parsed if self._raw == self._shared == 0 else b""
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

    def _has_ended(self) -> bool:
        """Tell whether the request before is answered, and another may be."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        is_whole = cycle is None or cycle.response_complete
        return is_whole and not (self._asks or self._closes or self.flow.write_paused)

    def _is_plain_query(self) -> bool:
        url = self.url
        return (
            url.endswith(END)
            and url.startswith(START)
            and isinstance(self.app, Edge)
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and self._has_ended()
            and not self.expect_100_continue
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
            and self.app.screen.is_plain(self.scope["headers"])
        )

    def _answered(self, body: bytes) -> bool:
        """Answer a request that was parsed, if that can be done at once, and learn its head."""
        if self._tried is not None:
            self.scope.update(self._tried)  # type: ignore[typeddict-item]
            return False
        try:
            name = unquote_to_bytes(self.url[len(START) : -len(END)]).decode()
        except UnicodeDecodeError:
            return False
        edge: Any = self.app
        reply = edge.short.answer(name, body, self.scope)
        if reply is None:
            return False
        named = request_id(self.headers)
        if named is None:
            self._send(edge, reply)
            self._learn(edge, name, len(body))
        else:  # another one has another id: the head does not come again
            self._whole_head = b""
            head: bytes = edge.screen.head % len(reply)
            echo = b"%b: %b\r\n" % (REQUEST_ID, named.encode())
            self.transport.write(head[:-2] + echo + b"\r\n" + reply)
            self.server_state.total_requests += 1
        return True

    def _send(self, edge: Any, reply: bytes) -> None:
        self.transport.write(edge.screen.head % len(reply) + reply)
        self.server_state.total_requests += 1

    def _learn(self, edge: Any, name: str, length: int) -> None:
        """Remember the head of a request that came alone, in one piece or with its body apart."""
        data, self._whole_head = self._whole_head, b""
        stop = data.find(BLANK_LINE) + len(BLANK_LINE)
        # What stands before the request (empty lines are allowed) is none of its head.
        begins = data.startswith(b"POST %s HTTP/1.1\r\n" % self.url)
        if length and begins and len(data) - stop in (0, length):
            edge.heads.learn(Head(data[:stop], name, self.headers, length))

    def _hand_over(self) -> None:
        held, self._held = self._held or b"", None
        self._whole_head = b""
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
