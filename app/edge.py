"""The outermost ASGI layer: the screen, point routes, compression, error envelopes, counts.

Point routes are dispatched here, before FastAPI's own layers, which would cost a query more than
its search: two dictionary look-ups against about fifty microseconds. Everything else passes on to
FastAPI with its body already read, so that the limit holds everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from palimpsest.app.access.admission import Unauthorized, admit, collection_of, record
from palimpsest.app.access.guard import ACCESS, allow, reach
from palimpsest.app.access.rights import Access
from palimpsest.app.context import Call, Context
from palimpsest.app.envelope import failure, success
from palimpsest.app.errors import describe
from palimpsest.app.knobs import read_knobs
from palimpsest.app.points import Endpoint, Found, PointRoutes
from palimpsest.app.routes.short_queries import EARLY, FINISHED, SAMPLED, ShortQueries
from palimpsest.app.tracing.ids import REQUEST_ID
from palimpsest.app.tracing.trace import BODY, CURRENT, SERIALISE, Trace
from palimpsest.app.turn import Turn
from palimpsest.app.warnings import Warnings
from palimpsest.app.wire.bodies import Disconnected, read_body, replay
from palimpsest.app.wire.compression import PACKED, accepts_gzip, compress
from palimpsest.app.wire.counted import Counted
from palimpsest.app.wire.heads import Heads
from palimpsest.app.wire.replies import JSON, Headers, completed
from palimpsest.app.wire.screen import REPLIED, Screen
from palimpsest.app.wire.uploads import is_download, is_upload
from palimpsest.app.work.client import client_of
from palimpsest.app.work.replacing import Pauses
from palimpsest.index import BeingReplaced, CollectionNotFound, Damaged, StorageError

METHODS = frozenset(("GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS"))
TEXT = (b"content-type", b"text/plain; charset=utf-8")
ACCEPTS = b"accept-encoding"
OF_BODY = (b"content-type", b"content-length", b"content-encoding")


class Edge:
    """Answers point routes itself and passes the rest to ``app``."""

    def __init__(
        self, app: ASGIApp, context: Context, routes: dict[tuple[str, str], Endpoint]
    ) -> None:
        self.app = app
        self.context = context
        self.screen = Screen(context.settings, has_key=context.gate.is_shut)
        self.heads = Heads()
        self.short = ShortQueries(context)
        self.turn = Turn(self.short)
        self._body_limit = context.settings.body_limit
        self._gzip_floor = context.settings.gzip_floor
        self._slow_from = context.slow.from_seconds
        self._routes = PointRoutes(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass on what is not HTTP."""
        if scope["type"] != "http":
            await self._pass_by(scope, receive, send)
            return
        started = perf_counter()
        trace = Trace(scope["headers"], started)
        CURRENT.set(trace)  # each request has a task of its own
        metrics = self.context.metrics
        metrics.in_flight += 1
        route, status = "unmatched", 499  # a client that left, in the words of nginx
        counted = Counted(receive, send)
        receive, send = counted.receive, counted.send
        access: Access | None = None
        name: str | None = None
        taken = 0
        method = scope["method"] if scope["method"] in METHODS else "other"
        if self.context.tracing is not None:
            self.context.tracing.begin(trace, method, scope.get(SAMPLED))
        try:
            found = self._routes.find("GET" if method == "HEAD" else method, scope["path"])
            if found is not None:
                route, name = found.route, found.name
            refusal = self.screen.refusal(scope)
            scope[REPLIED].append((REQUEST_ID, trace.request_id.encode()))
            refusal = refusal or self.context.life.refusal(scope["path"])
            if refusal is not None:
                raise refusal
            preflight = self.screen.preflight(scope)
            if preflight is None:
                access = scope[ACCESS] = await admit(self.context, scope)
                # whoever guesses keys and is made to wait takes no room from others
                under_way = metrics.in_flight - self.context.gate.failures.waiting
                taken = await self.context.load.take(scope, under_way)
            if preflight is not None:
                route, status = "preflight", 200
                headers = [(b"content-length", b"0"), *preflight, *scope[REPLIED]]
                await send({"type": "http.response.start", "status": status, "headers": headers})
                await send({"type": "http.response.body", "body": b""})
            elif found is None:
                route, name, status = await self._pass_on(scope, receive, send, started)
            else:
                status = await self._answer(found, scope, receive, send, trace)
        except Disconnected:
            pass
        except Exception as error:  # from before a route, which answers its own
            status = await refuse(error, scope, send, started)
        finally:
            record(self.context.gate, scope, access, trace.request_id, route, name, status)
            metrics.in_flight -= 1
            self.context.load.give_back(taken)
            seconds, where = perf_counter() - started, (method, route, status)
            metrics.request(where, seconds, counted.received, counted.sent, trace.sampled)
            self._tell(trace, method, route, name, status, seconds)

    async def _pass_by(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is not HTTP, but for websockets: none is served."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self.app(scope, receive, send)

    async def _answer(
        self, found: Found, scope: Scope, receive: Receive, send: Send, trace: Trace
    ) -> int:
        """Answer a point route; return the status."""
        context, started = self.context, trace.began
        status = 200
        extra: Headers = scope[REPLIED]
        try:
            access: Access = scope[ACCESS]
            allow(access, context.database, found.right, found.name)  # before anything is read
            with trace.stage(BODY):
                body = await read_body(scope, receive, self._body_limit)
            reply = scope.get(FINISHED)
            if reply is None:
                reply = await self._reply(found, scope, access, body, trace)
        except Disconnected:
            raise
        except Exception as error:
            status, text = describe(error)
            reply = failure(text, started)
            extra = [*headers_of(error), *extra]
        if len(reply) >= self._gzip_floor and accepts_gzip(scope):
            reply = await compress(reply)
            extra = [*PACKED, *extra]
        await send_reply(send, status, reply, extra)
        return status

    async def _reply(
        self, found: Found, scope: Scope, access: Access, body: bytes, trace: Trace
    ) -> bytes:
        """Return what a point route replies, by the old collection or the new during a restore."""
        pauses = Pauses()
        while True:
            try:
                return await self._reply_now(found, scope, access, body, trace)
            except BeingReplaced:
                # Nothing was done: the old collection is closed. The new one answers soon.
                if not pauses.are_left:
                    raise
                scope.pop(EARLY, None)  # what was read of it was meant for the old one
            await pauses.pause()

    async def _reply_now(
        self, found: Found, scope: Scope, access: Access, body: bytes, trace: Trace
    ) -> bytes:
        context, warnings = self.context, Warnings()
        call = Call(
            context=context,
            collection=reach(access, context.database, found.right, found.name),
            query_string=scope["query_string"],
            body=body,
            tail=found.tail,
            knobs=read_knobs(scope["headers"]),
            warnings=warnings,
            access=access,
            client=client_of(scope),
            early=scope.get(EARLY),
            trace=trace,
        )
        result = await self._result(found, call)
        with trace.stage(SERIALISE):
            reply = success(result, trace.began, warnings)
        if warnings:
            context.metrics.warned(warnings.kinds())
        return reply

    def _tell(
        self, trace: Trace, method: str, route: str, name: str | None, status: int, seconds: float
    ) -> None:
        """Tell of a request that is answered, where it was slow or is sampled."""
        if seconds >= self._slow_from:
            self.context.slow.note(trace, method, route, name, status, seconds)
        if self.context.tracing is not None:
            self.context.tracing.end(trace, method, route, name, status)

    async def _result(self, found: Found, call: Call) -> Any:
        """Return an endpoint's result; what fails because of a drop fails as not found."""
        try:
            return await found.endpoint(call)
        except CollectionNotFound:  # it was closed, or it is another one that is not there
            self.context.refuse_dropped(call.collection)
            raise
        except (StorageError, OSError) as error:
            self.context.refuse_dropped(call.collection)
            if isinstance(error, Damaged):
                call.collection.met_damage(str(error))
            raise

    async def _pass_on(
        self, scope: Scope, receive: Receive, send: Send, started: float
    ) -> tuple[str, str | None, int]:
        """Let FastAPI answer; return the route's template, the collection and the status."""
        status = 0
        replied: Headers = scope[REPLIED]

        async def send_screened(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = completed(message["headers"], replied, status)
            await send(message)

        # What is passed on is whole and unpacked, and JSON where nothing else was said; snapshots
        # are passed on as they come.
        brings = is_upload(scope["method"].encode(), scope["path"].encode())
        headers = _passed_on(scope, brings=brings)
        warnings = Warnings()
        inner: dict[str, Any] = {
            **scope,
            "headers": headers,
            "started": started,
            "warnings": warnings,
        }
        inner["path"] = scope["path"].rstrip("/") or "/"
        if scope["method"] == "HEAD":
            inner["method"] = "GET"  # the server keeps the body back
        try:
            if not brings:  # its route reads it as it comes
                receive = replay(await read_body(scope, receive, self._body_limit), receive)
            await self.app(inner, receive, send_screened)
        except Disconnected:
            raise
        except Exception as error:
            if not status:  # else it was answered and logged below
                code, text = describe(error)
                await send_reply(send_screened, code, failure(text, started), [])
        if warnings and status == HTTPStatus.OK:
            self.context.metrics.warned(warnings.kinds())
        route = inner.get("route")
        return getattr(route, "path", "unmatched"), collection_of(inner), status


async def refuse(error: Exception, scope: Scope, send: Send, started: float) -> int:
    """Answer a request by what it is refused for, or what failed; return the status."""
    extra = [*headers_of(error), *scope[REPLIED]]
    status, text = describe(error)
    if isinstance(error, Unauthorized):
        await send_reply(send, status, text.encode(), extra, TEXT)
    else:
        await send_reply(send, status, failure(text, started), extra)
    return status


def _passed_on(scope: Scope, *, brings: bool) -> Headers:
    """Return the headers that FastAPI is to see of a request, which may bring a snapshot."""
    headers: Headers = scope["headers"]
    if not brings:
        headers = [*(each for each in headers if each[0] not in OF_BODY), JSON]
    if is_download(scope["method"], scope["path"]):
        # to compress gigabytes of codes and vectors takes long, and saves little
        headers = [each for each in headers if each[0] != ACCEPTS]
    return headers


async def send_reply(
    send: Send, status: int, reply: bytes, extra: Headers, kind: tuple[bytes, bytes] = JSON
) -> None:
    """Send a whole reply, JSON unless another kind is said."""
    headers = [kind, (b"content-length", b"%d" % len(reply)), *extra]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers = completed(headers, [], status)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": reply})


def headers_of(error: Exception) -> Headers:
    """Return the headers that the reply to an error carries."""
    given: Mapping[str, str] = getattr(error, "headers", None) or {}
    return [(name.encode(), value.encode()) for name, value in given.items()]
