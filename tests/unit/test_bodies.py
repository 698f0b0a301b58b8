"""Bodies of FastAPI's routes: nothing is read that could not be sent again."""

from __future__ import annotations

import asyncio
from json import JSONDecodeError
from typing import Any

import pytest

from palimpsest.app.bodies import JsonRequest
from palimpsest.app.schemas.nesting import MAX_NESTING, TOO_DEEP


def read(body: bytes) -> Any:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return asyncio.run(JsonRequest({"type": "http", "headers": []}, receive).json())


def test_values_are_exact() -> None:
    assert read('{"é": [9007199254740993, -0.0, "\\u0000"]}'.encode()) == {
        "é": [2**53 + 1, -0.0, "\0"]
    }


@pytest.mark.parametrize(
    "body", [b"NaN", b"[Infinity]", b'"\\ud800"', b"1e999", b"[1,]", b"", b'"\xff"', b"{'a': 1}"]
)
def test_what_is_no_json(body: bytes) -> None:
    with pytest.raises(JSONDecodeError):
        read(body)


def test_depth() -> None:
    read(b"[" * MAX_NESTING + b"]" * MAX_NESTING)
    for depth in (MAX_NESTING + 1, 100_000):
        with pytest.raises(JSONDecodeError, match=TOO_DEEP):
            read(b"[" * depth + b"]" * depth)
