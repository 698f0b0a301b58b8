"""Replies are what was asked for, or refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest

from palimpsest.app.embedding.failures import EmbeddingFailed
from palimpsest.app.embedding.replies import most_bytes, read_reply

A, B = [0.5, -1.25, 3e-20], [1.0, 2.0, 3.4e38]


def reply(*vectors: Any, indices: Any = None, **more: Any) -> bytes:
    data = [{"embedding": each, "object": "embedding"} for each in vectors]
    for one, index in zip(data, indices or (), strict=False):
        one["index"] = index
    return json.dumps({"data": data, **more}).encode()


def packed(vector: list[float]) -> str:
    return base64.b64encode(np.array(vector, "<f4").tobytes()).decode()


def numbers(text: bytes) -> list[float]:
    return [float(np.float32(each)) for each in json.loads(text)]


def test_vectors_in_order_as_numbers() -> None:
    usage = {"prompt_tokens": 5, "total_tokens": 7}
    for body in (
        reply(A, B, usage=usage),
        reply(B, A, indices=(1, 0), usage=usage),
        reply(packed(A), packed(B), indices=(0, 1), usage=usage),
        reply(A, packed(B), usage=usage),
    ):
        vectors, tokens = read_reply(body, 2, 3)
        assert [numbers(each) for each in vectors] == [
            [float(np.float32(x)) for x in each] for each in (A, B)
        ]
        assert tokens == 7
    assert read_reply(reply(A), 1, 3).tokens == 0
    assert read_reply(reply(A, usage={"prompt_tokens": 5}), 1, 3).tokens == 5
    assert read_reply(reply(A, usage=None), 1, 3).tokens == 0
    partly = {"prompt_tokens": 5.0, "total_tokens": None}
    assert read_reply(reply(A, usage=partly), 1, 3).tokens == 5


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "OpenAI-compatible"),
        (b"\xff", "OpenAI-compatible"),
        (b"[]", "OpenAI-compatible"),
        (b"{}", "`data`"),
        (b'{"error": {"message": "x"}}', "`data`"),
        (b'{"data": [' + b"[" * 100_000, "OpenAI-compatible"),
        (reply(A), "expected 2 vectors, got 1"),
        (reply(A, B, A), "expected 2 vectors, got 3"),
        (reply(A, B, indices=(0, 0)), "from 0 to 1 once"),
        (reply(A, B, indices=(1, 2)), "from 0 to 1 once"),
        (reply(A, B, indices=(0,)), "from 0 to 1 once"),
        (reply(A, B[:2]), "cannot be read"),
        (reply(A[:2], B[:2]), "expected 3 dimensions, got 2"),
        (reply([], []), "expected 3 dimensions, got 0"),
        (reply(A, None), "cannot be read"),
        (reply(A, {"a": 1}), "cannot be read"),
        (reply(A, [1, 2, "3"]), "cannot be read"),
        (reply(A, [1, 2, 1e39]), "beyond float32"),
        (reply(A, packed([1, 2, float("nan")])), "NaN"),
        (reply(A, packed(B)[:-4]), "cannot be read"),
        (reply(A, "!!!"), "cannot be read"),
    ],
)
def test_anything_else_is_refused(body: bytes, told: str) -> None:
    with pytest.raises(EmbeddingFailed) as raised:
        read_reply(body, 2, 3)
    assert told in raised.value.text
    assert (raised.value.reason, raised.value.again) == ("reply", False)


def test_the_largest_reply_is_as_large_as_its_vectors() -> None:
    body = reply(*([-1.2345678901234567e-30] * 1536,) * 100, indices=range(100))
    assert len(body) < most_bytes(100, 1536) < 4 * len(body)
