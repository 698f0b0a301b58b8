"""Texts of a body to vectors, between reading it and checking what it asks for."""

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

T = TypeVar("T")


def read_or_embed(
    call: Call, read: Callable[[Call], T], where: Place, purpose: Purpose, timeout: float | None
) -> T | Unresolved[T]:
    """Return what a body asks for, or what makes its texts into vectors first and reads it then.

    Args:
        call: whose body is read.
        read: the body of a call; has no effect but its result.
        where: vectors may stand in it.
        purpose: what the texts are embedded for.
        timeout: of the request, in seconds.

    Raises:
        Refusal: what ``read`` does, but for texts.
    """
    try:
        return read(call)
    except TextGiven:
        return Unresolved(lambda: _embedded(call, read, where, purpose, timeout))


async def _embedded(
    call: Call, read: Callable[[Call], T], where: Place, purpose: Purpose, timeout: float | None
) -> T:
    texts = await call.decoded(lambda: texts_in(call.body, where), timeout)
    limit = call.context.settings.batch_limit
    if len(texts) > limit:  # before a model is paid for what is then refused
        raise wrong_input(f"too many texts to embed: {len(texts)} (limit: {limit})")
    making = call.context.embedders.embed(texts, purpose, call.warnings)
    vectors = await asyncio.wait_for(making, call.left(timeout))
    filled = await call.decoded(lambda: with_vectors(call.body, where, vectors), timeout)
    of_vectors = msgspec.structs.replace(call, body=filled)
    return await of_vectors.decoded(lambda: read(of_vectors), timeout)
