"""The JSON object around every reply."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import msgspec


class Success(msgspec.Struct):
    """What a successful request is answered with."""

    result: Any
    status: str
    time: float


_ENCODER = msgspec.json.Encoder()


def success(result: Any, started: float) -> bytes:
    """Return the body of a successful reply; ``started`` is when the request came."""
    return _ENCODER.encode(Success(result, "ok", perf_counter() - started))


def failure(text: str, started: float) -> bytes:
    """Return the body of an error reply; ``started`` is when the request came."""
    return _ENCODER.encode({"status": {"error": text}, "time": perf_counter() - started})
