"""Replies of models that speak as OpenAI's does: one vector for each text, checked before use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from palimpsest.app.embedding.failures import EmbeddingFailed
from palimpsest.index import DimensionMismatch, InvalidVector, format_vector, parse_vectors

_NUMBER = 32  # bytes that one number takes at most, as text
_REST = 64 * 1024  # bytes of everything else


class Embedded(NamedTuple):
    """Vectors as the text of JSON, in the order of their texts, and the tokens that they took."""

    vectors: Sequence[bytes]
    tokens: int


class _One(msgspec.Struct):
    embedding: msgspec.Raw
    index: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: float | None = None
    total_tokens: float | None = None


class _Reply(msgspec.Struct):
    data: list[_One]
    usage: _Usage | None = None


_REPLY = msgspec.json.Decoder(_Reply)


def most_bytes(texts: int, size: int) -> int:
    """Return how many bytes a reply may have that is what was asked for."""
    return _REST + texts * (size * _NUMBER + 1_024)


def read_reply(body: bytes, texts: int, size: int) -> Embedded:
    """Return the vectors of a reply.

    Args:
        body: of the reply.
        texts: that were sent; so many vectors are expected.
        size: numbers of each.

    Raises:
        EmbeddingFailed: it holds other than that, or what is no finite float32.
    """
    try:
        reply = _REPLY.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(f"expected the JSON of an OpenAI-compatible reply, got {error}") from None
    found = [bytes(each.embedding) for each in _in_order(reply.data, texts)]
    try:
        vectors = parse_vectors(found)
    except (InvalidVector, DimensionMismatch) as error:
        raise _wrong(f"a vector cannot be read: {error}") from None
    if vectors.shape[1] != size:
        raise _wrong(
            f"expected {size} dimensions, got {vectors.shape[1]}: another model answers than was "
            "declared, or its `size` is wrong"
        )
    if not np.isfinite(vectors).all():
        raise _wrong("a vector holds NaN, or what is beyond float32")
    usage = reply.usage or _Usage()
    # Base64 is written as numbers: some short ones could be taken for ids.
    numbers = [
        text if text[:1] == b"[" else format_vector(vector)
        for text, vector in zip(found, vectors, strict=True)
    ]
    return Embedded(numbers, max(0, int(usage.total_tokens or usage.prompt_tokens or 0)))


def _in_order(data: list[_One], texts: int) -> list[_One]:
    if len(data) != texts:
        raise _wrong(f"expected {texts} vectors, got {len(data)}")
    if all(each.index is None for each in data):
        return data
    placed = {each.index: each for each in data}
    if placed.keys() != set(range(texts)):
        raise _wrong(f"expected each `index` from 0 to {texts - 1} once")
    return [placed[place] for place in range(texts)]


def _wrong(text: str) -> EmbeddingFailed:
    return EmbeddingFailed("reply", text)
