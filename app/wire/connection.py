"""One connection with a request on it: uvicorn's protocol, with limits of size and of time.

uvicorn knows one time-out, for connections that are kept, and no limit. Here every phase has one of
each. No timer is armed: ``review`` is called every now and then and compares when the phase began.
What breaks a limit, or is no HTTP, is answered in its turn and then nothing more is read.
"""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from palimpsest.app.tracing.ids import REQUEST_ID, request_id
from palimpsest.app.wire.connections import MAX_HEADERS, Connections
from palimpsest.app.wire.ends import Broken, head_too_large, malformed, too_slow
from palimpsest.app.wire.screen import REPLIED
from palimpsest.app.wire.sending import Unread
from palimpsest.app.wire.targets import origin_form
from palimpsest.app.wire.uploads import is_upload

if TYPE_CHECKING:
    import asyncio

    from palimpsest.app.wire.waiting import Waiting

SLOWEST = 32 * 1024  # bytes a second above which a body is not too slow, however long it is
FRAMING = 16  # bytes around each byte of a chunked body, beside those that any body may have
MAX_PIPELINED = 256  # requests that wait for the reply to the one before them
LINGER = 2.0  # seconds after the last reply in which its client may go on sending unheard
REST = 0.5  # seconds without a request until a connection gives way to a waiting one
VERSIONS = ("1.1", "1.0")


class Phase(Enum):
    """What a connection waits for."""

    QUIET = "a request, or the reply to the one that came"
    HEAD = "the rest of a head"
    BODY = "the rest of a body"
    LEFT = "its client to leave"


QUIET, HEAD, BODY, LEFT = Phase


class Connection(HttpToolsProtocol):
    """One connection."""

    quiet_since = 0.0  # since when no request came and no reply was due
    rests_as: Waiting | None = None  # what it gives way to, if to anything

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        app: Any = self.app
        self._all: Connections = app.context.connections
        self._limits = self._all.limits
        self._round: int | None = None
        self._phase = QUIET
        self._since = 0.0  # when the phase began, less what was not the client's doing
        self._reviewed = 0.0
        self._chunk = 0  # bytes of what is being parsed
        self._shared = 0  # bytes of what is being parsed, if it holds the end of a request
        self._first = 0  # the same, when the request began
        self._raw = 0  # bytes of the request before what is being parsed, without those
        self._received = 0  # bytes of the body so far
        self._most = self._limits.body_limit  # bytes that it may have
        self._last_words: bytes | None = None  # to be sent when all replies before are
        self._unread = Unread()
        self._closes = False  # whether the request is the last one

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to be reviewed."""
        super().connection_made(transport)
        self.quiet_since = self._reviewed = self._all.now
        self._round = self._all.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is under way; nobody reads the reply."""
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self._phase is LEFT:
            return
        self._chunk = len(data)
        self._shared = 0
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._closes = True  # no other protocol is spoken: the reply was that of HTTP
            if self.cycle is not None:
                self.cycle.keep_alive = False
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._break(cause if isinstance(cause, Broken) else malformed(_worded(error)))
            return
        if self._phase is not QUIET:
            self._check_size()

    def on_message_begin(self) -> None:
        """Begin with the head of a request."""
        if self._closes:
            raise malformed("a request follows one that asked for the connection to be closed")
        super().on_message_begin()
        self._phase = HEAD
        self._since = self._all.now
        self._first = self._shared
        self._raw = -self._shared

    def on_headers_complete(self) -> None:
        """Check the head, and give the request to the application."""
        self.check_head()
        self.begin()
        self.await_body()

    def check_head(self) -> None:
        """Look at a whole head. Raises Broken."""
        if self._has_large_head(self._chunk):
            raise head_too_large(self._limits.header_limit, MAX_HEADERS)
        if self.parser.get_http_version() not in VERSIONS:
            raise malformed("expected HTTP/1.1 or HTTP/1.0")
        if self.url[:1] != b"/":
            self.url = origin_form(self.parser.get_method(), self.url, self.headers)
        if b"#" in self.url:
            raise malformed("the target holds a `#`, which has to be percent-encoded")
        self._closes = not self.parser.should_keep_alive()

    def begin(self) -> None:
        """Give a request to the application, or let it wait for the one before. Raises Broken."""
        for name, value in self.headers:
            if name == b"transfer-encoding":
                self._check_chunked(value)
        if len(self.pipeline) >= MAX_PIPELINED:
            text = f"Bad request: more than {MAX_PIPELINED} requests at once on one connection"
            raise Broken("pipelined", HTTPStatus.BAD_REQUEST, text)
        super().on_headers_complete()

    def await_body(self) -> None:
        """Begin with the body of a request that was begun, or is held back."""
        self._phase = BODY
        self._since = self._all.now
        self._received = 0
        brings = is_upload(self.parser.get_method(), self.url)
        self._most = self._limits.snapshot_limit if brings else self._limits.body_limit

    def on_body(self, body: bytes) -> None:
        """Count a part of a body, and pass it on."""
        self._received += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Pass on that a request came whole."""
        self.end_of_message()
        super().on_message_complete()

    def end_of_message(self) -> None:
        """Wait for the reply."""
        self._phase = QUIET
        self._shared = self._chunk
        self.quiet_since = self._all.now

    def on_response_complete(self) -> None:
        """Go on with the next request that waits, if there is one."""
        self.server_state.total_requests += 1
        self.quiet_since = self._all.now
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self._last_words is not None:
            self._say_last(self._last_words)
        elif self._phase is QUIET and self._all.is_crowded and self._has_nothing_to_do():
            self._rest()

    def review(self, now: float) -> None:
        """End what takes too long; give way to a waiting connection when nothing is to do."""
        elapsed, self._reviewed = now - self._reviewed, now
        if self._unread.seconds(self.transport, now) >= self._limits.send_timeout:
            self.drop("unread")
        elif self.transport.is_closing():
            return
        elif self._phase is LEFT:
            if now - self._since >= LINGER:
                self.transport.abort()
        elif self.flow.read_paused:
            self._since += elapsed  # the client cannot send
        elif self._phase is QUIET:
            if self._has_nothing_to_do() and now - self.quiet_since >= REST:
                self._rest()
        else:
            self._review_input(now - self._since)

    def drop(self, reason: str) -> None:
        """End the connection at once."""
        self._all.ended[reason] += 1
        self.transport.abort()

    def _review_input(self, seconds: float) -> None:
        """End a head or a body that came for so many seconds."""
        limits = self._limits
        if self._phase is HEAD:
            if seconds >= limits.head_timeout:
                self._break(too_slow("head", "PALIMPSEST_HEAD_TIMEOUT", limits.head_timeout))
            return
        allowed = limits.body_timeout + self._received / SLOWEST
        if seconds >= allowed:
            self._break(too_slow("body", "PALIMPSEST_BODY_TIMEOUT", allowed))

    def _check_chunked(self, value: bytes) -> None:
        if value.strip().lower() != b"chunked" or self.parser.get_http_version() != "1.1":
            raise malformed("a Transfer-Encoding other than `chunked`, or one of HTTP/1.0")
        self.headers = []  # trailers are read into this: they are no headers

    def _has_large_head(self, more: int) -> bool:
        """Tell whether a head is above a limit; ``more`` bytes of it are not in ``_raw`` yet."""
        limit = self._limits.header_limit
        if len(self.headers) > MAX_HEADERS or self._raw > limit:
            return True
        if self._first + self._raw + more <= limit:
            return False
        size = sum(len(name) + len(value) + 4 for name, value in self.headers)
        return bool(len(self.url) + size > limit)

    def _check_size(self) -> None:
        """Look at a head or a body that is not whole yet."""
        self._raw += self._chunk
        limit = self._limits.header_limit
        if self._phase is HEAD and self._has_large_head(0):
            self._break(head_too_large(limit, MAX_HEADERS))
        elif self._phase is BODY and self._raw > FRAMING * (self._received + limit):
            text = "Bad request: the chunks of the body have more framing than content"
            self._break(Broken("framing", HTTPStatus.BAD_REQUEST, text))
        elif self._phase is BODY and self._received > 2 * self._most:
            self.drop("framing")  # it was refused long ago

    def _break(self, broken: Broken) -> None:
        """Answer what cannot be read, after the replies to what came before; read no more."""
        self._all.ended[broken.reason] += 1
        reading = self._phase is BODY
        reply = broken.reply(self._request_id())
        self._phase = LEFT
        self._since = self._all.now
        cycle = self.cycle_being_read() if reading else None
        follows = bool(self.pipeline) or (cycle is None and self._is_answering())
        if cycle is not None and self.pipeline:
            self.pipeline.popleft()  # it came last, and is not begun
        elif cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.abort()
                return
        if follows:
            self._last_words = reply
        else:
            self._say_last(reply)

    def _request_id(self) -> bytes | None:
        """Return what the request that is being read is called, None while it has no name."""
        if self._phase is QUIET:
            return None
        scope: Any = self.scope
        given = dict(scope.get(REPLIED, ())).get(REQUEST_ID)  # once it was given to the application
        if given is not None:
            return bytes(given)
        named = request_id(scope["headers"])
        return None if named is None else named.encode()

    def cycle_being_read(self) -> RequestResponseCycle | None:
        """Return the cycle of the request whose body is being read, None when it has none yet."""
        return self.cycle

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _say_last(self, reply: bytes) -> None:
        self._phase = LEFT
        self._since = self._all.now
        if self.transport.is_closing():
            return
        self.transport.write(reply)
        if self.transport.can_write_eof():
            self.transport.write_eof()  # closed at once, what the client still sends would reset it
        else:
            self.transport.close()

    def _has_nothing_to_do(self) -> bool:
        if self._is_answering() or self.pipeline:
            return False
        unsent: int = self.transport.get_write_buffer_size()
        return unsent == 0

    def _rest(self) -> None:
        """Give way to a waiting connection; end one that gives way to none, in time."""
        if self.rests_as is None:
            if self._all.now - self.quiet_since >= self._limits.idle_timeout:
                self.drop("idle")
            return
        waiting, self.rests_as = self.rests_as, None
        self._leave()
        self.connections.discard(self)
        self.transport.set_protocol(waiting)
        waiting.wait(self.quiet_since)
        self.parser = None  # type: ignore[assignment]  # it refers back

    def _leave(self) -> None:
        if self._round is not None:
            self._all.leave(self, self._round)
            self._round = None


def _worded(error: httptools.HttpParserError) -> str:
    text = str(error.__context__ or error)
    return f"no request of HTTP/1.1 could be read: {text[:200]}"
