"""The JSON object around every reply."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import msgspec

from palimpsest.app.pieces import encode_around
from palimpsest.app.warnings import Warnings


class ModelUsage(msgspec.Struct):
    """Tokens that a model embedded for a request, as far as it tells."""

    tokens: int


class InferenceUsage(msgspec.Struct):
    """The same of each model."""

    models: dict[str, ModelUsage]


class Usage(msgspec.Struct):
    """What a request took."""

    inference: InferenceUsage


class Success(msgspec.Struct):
    """What a successful request is answered with."""

    result: Any
    status: str
    time: float


class FullSuccess(Success):
    """The same, beside how the result came about, and what is to be said of it."""

    explain: Any = msgspec.UNSET
    warnings: list[str] | msgspec.UnsetType = msgspec.UNSET
    usage: Usage | msgspec.UnsetType = msgspec.UNSET


class Explained(msgspec.Struct):
    """A result, and how it came about, of a request that asked for both."""

    result: Any
    explain: Any


_ENCODER = msgspec.json.Encoder()


def success(result: Any, started: float, warnings: Warnings) -> bytes:
    """Return the body of a successful reply; ``started`` is when the request came.

    What is ``Explained`` is explained beside its result.

    Raises:
        MemoryError: there is no room for it.
    """
    # The rule, without fields that would be left out again.
    if not (warnings or isinstance(result, Explained)):
        return encode_around(Success(None, "ok", perf_counter() - started), result)
    explain: Any = msgspec.UNSET
    if isinstance(result, Explained):
        result, explain = result.result, result.explain
    texts = warnings.texts() or msgspec.UNSET
    seconds = perf_counter() - started
    shell = FullSuccess(None, "ok", seconds, explain, texts, _usage(warnings))
    return encode_around(shell, result)


def success_of_points(points: bytes, started: float) -> bytes:
    """Return the body of a reply whose points are JSON already, as ``success`` would write it."""
    time = perf_counter() - started
    return b'{"result":{"points":%b},"status":"ok","time":%b}' % (points, repr(time).encode())


def _usage(warnings: Warnings) -> Usage | msgspec.UnsetType:
    if warnings.used is None:
        return msgspec.UNSET
    models = {name: ModelUsage(tokens) for name, tokens in warnings.used.items()}
    return Usage(InferenceUsage(models))


def accepted(started: float) -> bytes:
    """Return the body of a reply to a request whose work goes on, as Qdrant has it."""
    return _ENCODER.encode({"status": "accepted", "time": perf_counter() - started})


def failure(text: str, started: float) -> bytes:
    """Return the body of an error reply; ``started`` is when the request came."""
    return _ENCODER.encode({"status": {"error": text}, "time": perf_counter() - started})
