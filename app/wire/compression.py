"""Replies packed by gzip, for clients that accept it."""

from __future__ import annotations

import asyncio
import re
import zlib

from starlette.types import Scope

from palimpsest.app.wire.replies import Headers

PACKED: Headers = [(b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
LEVEL = 1  # higher ones take several times longer for a few percent on JSON numbers
INLINE = 256 * 1024  # bytes; larger replies are compressed beside the event loop
WINDOW = 16 + zlib.MAX_WBITS
NEVER = re.compile(rb"q\s*=\s*0(\.0*)?")  # the weight of an encoding that is not accepted


def accepts_gzip(scope: Scope) -> bool:
    """Tell whether the client asked for gzip and did not exclude it by ``q=0``."""
    accepted = next((value for name, value in scope["headers"] if name == b"accept-encoding"), b"")
    for part in accepted.lower().split(b","):
        coding, _, weight = part.partition(b";")
        if coding.strip() in (b"gzip", b"*"):
            return NEVER.fullmatch(weight.strip()) is None
    return False


async def compress(reply: bytes) -> bytes:
    """Return a reply as gzip; large ones are compressed in a thread."""
    if len(reply) < INLINE:
        return gzip(reply)
    return await asyncio.to_thread(gzip, reply)


def gzip(reply: bytes) -> bytes:
    """Return ``reply`` as one gzip member."""
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW)
    return packer.compress(reply) + packer.flush()
