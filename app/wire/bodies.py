"""Bodies: declared as JSON, read whole below a limit, and unpacked below the same limit."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Sequence
from http import HTTPStatus

from starlette.types import Message, Receive, Scope

from palimpsest.app.errors import Refusal, too_large

TYPED = re.compile(
    rb"\s*(application/json|[\w!#$&^.+-]+/[\w!#$&^.+-]+\+json)\s*(;[^\x00]*)?", re.IGNORECASE
)
PACKED = {b"gzip": "gzip", b"x-gzip": "gzip", b"deflate": "deflate"}
WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
UNPACKED_HERE = 256  # bytes; what is longer may become a thousand times as long, beside the loop
STEP = 1024 * 1024  # bytes unpacked at once
FED = 64 * 1024  # bytes given to an unpacker at once: it copies what is left of them each time
MAX_MEMBERS = 10_000  # of a body of gzip; each costs a copy of what was fed
_KNOWN = 64  # types remembered
_SHOWN = 80  # characters of a wrong value that its refusal repeats


class Disconnected(Exception):
    """The client left before its request was read."""


class Types:
    """Which types of bodies are JSON."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()

    def accepts(self, value: bytes) -> bool:
        """Whether a body with this one header is accepted; a look-up for values seen before."""
        return value in self._known or self.refusal([value]) is None

    def refusal(self, values: Sequence[bytes]) -> Refusal | None:
        """Return why a body with these ``Content-Type`` headers is refused; with none it is not."""
        if not values or (len(values) == 1 and values[0] in self._known):
            return None
        if len(values) > 1 or TYPED.fullmatch(values[0]) is None:
            given = repr(b", ".join(values).decode("latin-1")[:_SHOWN])
            return Refusal(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"Unsupported media type {given}: send the body as JSON with one header "
                "`content-type: application/json`",
            )
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known.add(values[0])
        return None


def packing(values: Sequence[bytes]) -> str | None:
    """Return how a body with these ``Content-Encoding`` headers is packed, None when it is not.

    Raises:
        Refusal: 415 for what is neither gzip nor deflate, and for a body packed twice.
    """
    named = [part.strip().lower() for value in values for part in value.split(b",")]
    named = [part for part in named if part and part != b"identity"]
    if not named:
        return None
    if len(named) > 1 or named[0] not in PACKED:
        given = repr(b", ".join(named).decode("latin-1")[:_SHOWN])
        raise Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"Unsupported content encoding {given}: send the body as it is, or packed once by gzip "
            "or deflate",
            {"accept-encoding": "gzip, deflate"},
        )
    return PACKED[named[0]]


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Return a request's body, unpacked. Raises Refusal as soon as it is known to exceed the limit.

    Raises:
        Disconnected: the client left.
    """
    body = await _read(scope, receive, limit)
    packed = packing(headers(scope, b"content-encoding"))
    if packed is None or not body:
        return body
    if len(body) <= UNPACKED_HERE:
        return unpack(body, packed, limit)
    return await asyncio.to_thread(unpack, body, packed, limit)


async def _read(scope: Scope, receive: Receive, limit: int) -> bytes:
    declared = headers(scope, b"content-length")
    if declared and int(declared[0]) > limit:
        raise too_large(int(declared[0]), limit)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise Disconnected
    if not message.get("more_body", False) and len(body) <= limit:
        return body
    parts = [body]
    size = len(body)
    while message.get("more_body", False) and size <= limit:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    if size > limit:
        raise too_large(None, limit)
    return b"".join(parts)


def unpack(body: bytes, packed: str, limit: int) -> bytes:
    """Return an unpacked body, in time that grows with its bytes, packed and unpacked.

    Raises:
        Refusal: 400 for one that is longer than ``limit``, damaged, cut short or in too many parts.
    """
    parts: list[bytes] = []
    size = members = at = 0
    while at < len(body):  # a body of gzip may consist of several members
        members += 1
        if members > MAX_MEMBERS:
            raise _damaged(packed, f"it has more than {MAX_MEMBERS} members")
        unpacker = zlib.decompressobj(WINDOWS[packed])
        while not unpacker.eof:
            fed = body[at : at + FED]
            try:
                part = unpacker.decompress(fed, min(STEP, limit + 1 - size))
            except zlib.error as error:
                raise _damaged(packed, str(error)) from None
            left = unpacker.unused_data or unpacker.unconsumed_tail  # the same where both are
            at += len(fed) - len(left)
            size += len(part)
            if size > limit:
                raise too_large(None, limit)
            if not (part or fed or unpacker.eof):
                raise _damaged(packed, "it ends too early")
            parts.append(part)
        if at < len(body) and packed != "gzip":
            raise _damaged(packed, "something follows its end")
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


def headers(scope: Scope, name: bytes) -> list[bytes]:
    """Return the values of a header; names are in lower case."""
    return [value for key, value in scope["headers"] if key == name]


def _damaged(packed: str, reason: str) -> Refusal:
    return Refusal(
        HTTPStatus.BAD_REQUEST, f"Format error in {packed} body: it cannot be unpacked: {reason}"
    )
