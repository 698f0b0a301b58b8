"""The outermost ASGI layer: point routes, body limit, compression, CORS, error envelopes, counts.

Point routes are dispatched here, before FastAPI's own layers, which would cost a query more than
its search: two dictionary look-ups against about fifty microseconds. Everything else passes on to
FastAPI with its body already read, so that the limit holds everywhere.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from time import perf_counter
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.context import Call, Context
from app.envelope import failure, success
from app.errors import describe, too_large
from app.knobs import read_knobs
from app.routes.query import query_now
from app.warnings import Warnings
from index import StorageError

Endpoint = Callable[[Call], Awaitable[Any]]
Headers = list[tuple[bytes, bytes]]

PREFIX = "/collections/"
QUERY_ROUTE = f"{PREFIX}{{collection_name}}/points/query"
METHODS = frozenset(("GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS"))
ANY_ORIGIN = (b"access-control-allow-origin", b"*")
JSON = (b"content-type", b"application/json")
OPEN: Headers = [ANY_ORIGIN]
OPEN_GZIP: Headers = [*OPEN, (b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
PREFLIGHT = [
    ANY_ORIGIN,
    (b"access-control-allow-methods", b"GET, PUT, POST, PATCH, DELETE, HEAD, OPTIONS"),
    (b"access-control-allow-headers", b"*"),
    (b"access-control-max-age", b"3600"),
    (b"content-length", b"0"),
]
INLINE_GZIP = 256 * 1024  # bytes; larger replies are compressed beside the event loop
GZIP_LEVEL = 1  # higher levels take several times longer for a few percent on JSON numbers
FINISHED = "palimpsest.reply"  # where a scope carries a reply that is only to be sent
GZIP_WINDOW = 16 + zlib.MAX_WBITS
NEVER = re.compile(rb"q\s*=\s*0(\.0*)?")  # the weight of an encoding that is not accepted


class Disconnected(Exception):
    """The client left before its request was read."""


class Found(NamedTuple):
    """The point route of a path."""

    endpoint: Endpoint
    route: str  # its template
    name: str  # of the collection
    tail: str  # what stands for the open last part of the template


class Edge:
    """Answers point routes itself and passes the rest to ``app``."""

    def __init__(
        self, app: ASGIApp, context: Context, routes: dict[tuple[str, str], Endpoint]
    ) -> None:
        self.app = app
        self.context = context
        self._body_limit = context.settings.body_limit
        self._gzip_floor = context.settings.gzip_floor
        self._routes = {
            (method, suffix): (endpoint, f"{PREFIX}{{collection_name}}/{suffix}")
            for (method, suffix), endpoint in routes.items()
        }
        # by the part before the one that the template leaves open
        self._open_routes = {
            (method, suffix.partition("/")[0]): found
            for (method, suffix), found in self._routes.items()
            if suffix.endswith("}")
        }
        for (method, _), (_, template) in self._routes.items():
            context.metrics.expect(method, template)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass on what is not HTTP."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = perf_counter()
        metrics = self.context.metrics
        metrics.in_flight += 1
        route, status = "unmatched", 499  # a client that left, in the words of nginx
        method = scope["method"] if scope["method"] in METHODS else "other"
        try:
            found = self._find("GET" if method == "HEAD" else method, scope["path"])
            if found is None:
                route, status = await self._pass_on(scope, receive, send, started)
            else:
                route = found.route
                status = await self._answer(found, scope, receive, send, started)
        except Disconnected:
            pass
        finally:
            metrics.in_flight -= 1
            metrics.request(method, route, status, perf_counter() - started)

    def answer_query_now(self, name: str, body: bytes, scope: Scope) -> bytes | None:
        """Return the reply to a short, valid query; None for any other, which goes the ASGI way.

        A reply that is to be compressed is left in the scope, for that way to send.
        """
        started = perf_counter()
        context = self.context
        if len(body) > self._body_limit:
            return None
        warnings = Warnings()
        try:
            found = query_now(context, context.database.get(name), body, warnings)
        except Exception:
            return None  # the ASGI way meets the same error and words it
        if found is None:
            return None
        reply = success(found, started, warnings)
        if warnings:
            context.metrics.warned(warnings.kinds())
        if len(reply) >= self._gzip_floor and accepts_gzip(scope):
            scope[FINISHED] = reply
            return None
        context.metrics.request("POST", QUERY_ROUTE, 200, perf_counter() - started)
        return reply

    def _find(self, method: str, path: str) -> Found | None:
        """Return the point route of a path, None when it is none."""
        if not path.startswith(PREFIX):
            return None
        name, _, suffix = path[len(PREFIX) :].partition("/")
        found = self._routes.get((method, suffix))
        if found is not None:
            return Found(*found, name, "")
        if suffix.endswith("/"):
            return self._find(method, path.rstrip("/"))
        first, _, tail = suffix.partition("/")
        found = self._open_routes.get((method, first))
        # A point id holds no slash; the path of a payload field may, in quotes.
        if found is not None and tail and ("/" not in tail or first == "index"):
            return Found(*found, name, tail)
        return None

    async def _answer(
        self, found: Found, scope: Scope, receive: Receive, send: Send, started: float
    ) -> int:
        """Answer a point route; return the status."""
        context = self.context
        status = 200
        extra = OPEN
        try:
            body = await read_body(scope, receive, self._body_limit)
            reply = scope.get(FINISHED)
            if reply is None:
                knobs = read_knobs(scope["headers"])
                collection = context.database.get(found.name)
                warnings = Warnings()
                call = Call(
                    context, collection, scope["query_string"], body, found.tail, knobs, warnings
                )
                reply = success(await self._result(found, call), started, warnings)
                if warnings:
                    context.metrics.warned(warnings.kinds())
        except Disconnected:
            raise
        except Exception as error:
            status, text = describe(error)
            reply = failure(text, started)
            extra = [*OPEN, *headers_of(error)]
        if len(reply) >= self._gzip_floor and accepts_gzip(scope):
            reply = await compress(reply)
            extra = OPEN_GZIP
        await send_reply(send, status, reply, extra)
        return status

    async def _result(self, found: Found, call: Call) -> Any:
        """Return an endpoint's result; what fails because of a drop fails as not found."""
        try:
            return await found.endpoint(call)
        except (StorageError, OSError):
            self.context.refuse_dropped(call.collection)
            raise

    async def _pass_on(
        self, scope: Scope, receive: Receive, send: Send, started: float
    ) -> tuple[str, int]:
        """Let FastAPI answer; return the route's template and the status."""
        if scope["method"] == "OPTIONS" and header(scope, b"access-control-request-method"):
            await send({"type": "http.response.start", "status": 200, "headers": PREFLIGHT})
            await send({"type": "http.response.body", "body": b""})
            return "preflight", 200
        status = 0

        async def send_open(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], ANY_ORIGIN]
            await send(message)

        # Bodies are JSON whatever their type is said to be, as on the point routes.
        headers = [*(each for each in scope["headers"] if each[0] != b"content-type"), JSON]
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
            body = await read_body(scope, receive, self._body_limit)
            await self.app(inner, replay(body, receive), send_open)
        except Disconnected:
            raise
        except Exception as error:
            if not status:  # else it was answered and logged below
                code, text = describe(error)
                await send_reply(send_open, code, failure(text, started), [])
        if warnings and status == HTTPStatus.OK:
            self.context.metrics.warned(warnings.kinds())
        route = inner.get("route")
        return getattr(route, "path", "unmatched"), status


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Return a request's body. Raises Refusal as soon as it is known to exceed the limit."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise Disconnected
    if not message.get("more_body", False) and len(body) <= limit:
        return body
    declared = header(scope, b"content-length")
    if declared is not None and int(declared) > limit:
        raise too_large(int(declared), limit)
    parts = [body]
    size = len(body)
    while message.get("more_body", False):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            break
    if size > limit:
        raise too_large(None, limit)
    return b"".join(parts)


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives an already read body once, then waits as before."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


async def send_reply(send: Send, status: int, reply: bytes, extra: Headers) -> None:
    """Send a whole JSON reply."""
    headers = [JSON, (b"content-length", b"%d" % len(reply)), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": reply})


def headers_of(error: Exception) -> Headers:
    """Return the headers that the reply to an error carries."""
    given: Mapping[str, str] = getattr(error, "headers", None) or {}
    return [(name.encode(), value.encode()) for name, value in given.items()]


def header(scope: Scope, name: bytes) -> bytes | None:
    """Return the first value of a header; names are in lower case."""
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return None


def accepts_gzip(scope: Scope) -> bool:
    """Tell whether the client asked for gzip and did not exclude it by ``q=0``."""
    for part in (header(scope, b"accept-encoding") or b"").lower().split(b","):
        coding, _, weight = part.partition(b";")
        if coding.strip() in (b"gzip", b"*"):
            return NEVER.fullmatch(weight.strip()) is None
    return False


async def compress(reply: bytes) -> bytes:
    """Return a reply as gzip; large ones are compressed in a thread."""
    if len(reply) < INLINE_GZIP:
        return gzip(reply)
    return await asyncio.to_thread(gzip, reply)


def gzip(reply: bytes) -> bytes:
    """Return ``reply`` as one gzip member."""
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, GZIP_WINDOW)
    return packer.compress(reply) + packer.flush()
