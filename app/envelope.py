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


class ExplainedSuccess(Success):
    """The same, beside how the result came about."""

    explain: Any


class Explained(msgspec.Struct):
    """A result, and how it came about, of a request that asked for both."""

    result: Any
    explain: Any


_ENCODER = msgspec.json.Encoder()


def success(result: Any, started: float) -> bytes:
    """Return the body of a successful reply; ``started`` is when the request came."""
    return _ENCODER.encode(Success(result, "ok", perf_counter() - started))


def answered(found: Any, started: float) -> bytes:
    """Return the same, for what may also tell how it came about."""
    if not isinstance(found, Explained):
        return success(found, started)
    seconds = perf_counter() - started
    return _ENCODER.encode(ExplainedSuccess(found.result, "ok", seconds, found.explain))


def failure(text: str, started: float) -> bytes:
    """Return the body of an error reply; ``started`` is when the request came."""
    return _ENCODER.encode({"status": {"error": text}, "time": perf_counter() - started})
