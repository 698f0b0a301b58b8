"""Texts of a body to vectors, between reading it and carrying out what it asks for.

Before a model is asked, the body is read and checked with stand-ins in the place of its vectors:
what is refused for anything but its vectors costs no call of a model.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import msgspec

from palimpsest.app.context import Call
from palimpsest.app.embedding.embedder import Purpose
from palimpsest.app.errors import wrong_input
from palimpsest.app.schemas.faults import TextGiven
from palimpsest.app.schemas.inference import Place, texts_in, with_vectors
from palimpsest.app.schemas.unresolved import Unresolved
from palimpsest.app.warnings import Warnings
from palimpsest.app.work.jobs import while_wanted

S = TypeVar("S")
T = TypeVar("T")

SHORT = 8 * 1024  # bytes of a body whose texts are cut into words in the event loop, in about 1 ms


def read_or_embed(
    call: Call,
    read: Callable[[Call], T],
    check: Callable[[T], object],
    where: Place,
    purpose: Purpose,
    timeout: float | None,
) -> T | Unresolved[T]:
    """Return what a body asks for, or what makes its texts into vectors first and reads it then.

    Args:
        call: whose body is read.
        read: the body of a call; has no effect but its result.
        check: refuses what is asked for where it can be told without its vectors; has no effect.
        where: vectors may stand in it.
        purpose: what the texts are embedded for.
        timeout: of the request, in seconds.

    Raises:
        Refusal: what ``read`` does, but for texts.
    """
    try:
        return read(call)
    except TextGiven:
        return Unresolved(lambda: _embedded(call, read, check, where, purpose, timeout))


async def _embedded(
    call: Call,
    read: Callable[[Call], T],
    check: Callable[[T], object],
    where: Place,
    purpose: Purpose,
    timeout: float | None,
) -> T:
    texts = await call.decoded(lambda: texts_in(call.body, where), timeout)
    limit = call.context.settings.batch_limit
    if len(texts) > limit:  # before a model is paid for what is then refused
        raise wrong_input(f"too many texts to embed: {len(texts)} (limit: {limit})")
    embedders = call.context.embedders

    async def beside(work: Callable[[], S]) -> S:
        return work() if len(call.body) <= SHORT else await call.in_thread(work, timeout)

    prepared = await embedders.prepare(texts, purpose, beside)
    if prepared.places:
        # What is unknown in a body is warned of once, when it is read in the end.
        tried = await _filled(call, where, prepared.vectors, timeout, Warnings())
        await tried.decoded(lambda: check(read(tried)), timeout)
    making = asyncio.ensure_future(embedders.embed(texts, prepared, purpose, call.warnings))
    vectors = await while_wanted(making, call.client, call.left(timeout))
    of_vectors = await _filled(call, where, vectors, timeout, call.warnings)
    return await of_vectors.decoded(lambda: read(of_vectors), timeout)


async def _filled(
    call: Call, where: Place, vectors: list[bytes], timeout: float | None, warnings: Warnings
) -> Call:
    """Return the call with vectors in the place of its texts."""
    body = await call.decoded(lambda: with_vectors(call.body, where, vectors), timeout)
    return msgspec.structs.replace(call, body=body, warnings=warnings)
