"""One table from errors to HTTP answers, and the one handler that writes them.

400 is for what cannot be read (broken JSON, unknown shape, bad query string) or contradicts the
collection; 422 for what reads well but lies outside its range. Texts follow Qdrant's where clients
match on them.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from palimpsest.app.envelope import failure
from palimpsest.app.remedies import help_of
from palimpsest.index import (
    BeingReplaced,
    CollectionExists,
    CollectionNotFound,
    InvalidConfig,
    InvalidId,
    InvalidInput,
    NoRangeIndex,
    NotFound,
    NotYetApplied,
    OutOfDescriptors,
    OutOfMemory,
    PalimpsestError,
    ReadOnlyDisk,
    StorageError,
    StorageFull,
    VersionConflict,
    of_system,
)

log = logging.getLogger("palimpsest")

# First match wins: subclasses stand above their bases.
STATUS: tuple[tuple[type[Exception], int], ...] = (
    (NotFound, HTTPStatus.NOT_FOUND),
    (CollectionExists, HTTPStatus.CONFLICT),
    (VersionConflict, HTTPStatus.CONFLICT),
    (InvalidConfig, HTTPStatus.UNPROCESSABLE_ENTITY),
    (InvalidInput, HTTPStatus.BAD_REQUEST),
    (StorageFull, HTTPStatus.INSUFFICIENT_STORAGE),
    (OutOfDescriptors, HTTPStatus.SERVICE_UNAVAILABLE),
    (OutOfMemory, HTTPStatus.SERVICE_UNAVAILABLE),
    (NotYetApplied, HTTPStatus.SERVICE_UNAVAILABLE),
    (BeingReplaced, HTTPStatus.SERVICE_UNAVAILABLE),
    (ReadOnlyDisk, HTTPStatus.INSUFFICIENT_STORAGE),
    (StorageError, HTTPStatus.INTERNAL_SERVER_ERROR),
)

MAX_NAME = 255  # bytes of a collection's name
# Qdrant's clients look at how a text begins; the engine's texts say only what is wrong.
BEGINS: tuple[tuple[type[Exception], str], ...] = (
    (NotFound, "Not found: "),
    (CollectionExists, "Wrong input: "),
    (NoRangeIndex, "Bad request: "),
    (InvalidId, "Format error in JSON body: "),
)
BEGINNINGS = ("Wrong input: ", "Bad request: ", "Format error in ", "Validation error in ")

OUT_OF_MEMORY = (
    "Service unavailable: there is no memory for this request: ask for less at once, try again "
    "later, or give the server more"
)

# What readers of bodies raise beside their own errors.
UNREADABLE: Mapping[type[Exception], str] = {
    RecursionError: "nested too deeply",
    UnicodeDecodeError: "a text is not UTF-8",
}

# pydantic's error types that mean "well-formed but out of range"
RANGE_ERRORS = frozenset(
    {
        "greater_than",
        "greater_than_equal",
        "less_than",
        "less_than_equal",
        "too_long",
        "too_short",
        "string_too_long",
        "string_too_short",
        "value_error",
        "finite_number",
    }
)


class Refusal(Exception):
    """A request answered with ``status`` and ``text`` before the engine is asked."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers or {}


def format_error(text: str) -> Refusal:
    """Answer 400 for a body that cannot be read."""
    return Refusal(HTTPStatus.BAD_REQUEST, f"Format error in JSON body: {text}")


def parameter_error(text: str) -> Refusal:
    """Answer 400 for a query string that cannot be read."""
    return Refusal(HTTPStatus.BAD_REQUEST, f"Deserialize error in query parameters: {text}")


def wrong_input(text: str) -> Refusal:
    """Answer 400 for a body that reads well but means nothing here."""
    return Refusal(HTTPStatus.BAD_REQUEST, f"Wrong input: {text}")


def unsupported(clause: str) -> Refusal:
    """Answer 400 for a clause of Qdrant's API that this server does not carry out."""
    return wrong_input(f"`{clause}` is not supported by this server")


def out_of_range(field: str, reason: str, where: str = "JSON body") -> Refusal:
    """Answer 422 for a value outside its range."""
    return Refusal(
        HTTPStatus.UNPROCESSABLE_ENTITY, f"Validation error in {where}: [{field}: {reason}]"
    )


def too_large(received: int | None, limit: int) -> Refusal:
    """Answer 400 for a body above the limit; ``received`` is None when no length was declared."""
    size = f"more than {limit}" if received is None else str(received)
    return Refusal(
        HTTPStatus.BAD_REQUEST,
        f"JSON payload ({size} bytes) is larger than allowed (limit: {limit} bytes).",
    )


def describe(error: Exception) -> tuple[int, str]:
    """Return the status and the text an error is answered with; unexpected ones are logged."""
    if isinstance(error, Refusal):
        return error.status, error.text
    if isinstance(error, msgspec.MsgspecError):
        return HTTPStatus.BAD_REQUEST, f"Format error in JSON body: {error}"
    for kind, status in STATUS:
        if isinstance(error, kind):
            # What a client did wrong is told to the client alone: a log line for each would let
            # anybody fill the disk.
            if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                log.log(_level(error, status), "%s: %s", type(error).__name__, told(error))
            return _worded(error, status)
    return _describe_other(error)


def _describe_other(error: Exception) -> tuple[int, str]:
    """Describe what frameworks, Python and the system raise."""
    if isinstance(error, RequestValidationError):
        return _describe_validation(error.errors())
    if isinstance(error, HTTPException):
        return error.status_code, str(error.detail)
    if isinstance(error, TimeoutError):
        return HTTPStatus.REQUEST_TIMEOUT, "Timeout: the request took longer than its `timeout`"
    if isinstance(error, MemoryError):
        log.warning("MemoryError: a request was refused, %s", _raised_in(error))
        return HTTPStatus.SERVICE_UNAVAILABLE, OUT_OF_MEMORY
    if isinstance(error, OSError):
        return describe(of_system(error, "answer the request"))
    if type(error) in UNREADABLE:
        reason = UNREADABLE[type(error)]
        return HTTPStatus.BAD_REQUEST, f"Format error in JSON body: {reason}"
    log.error("request failed", exc_info=error)
    # Only the type: the text of an unexpected error may quote payloads, paths or keys.
    return HTTPStatus.INTERNAL_SERVER_ERROR, f"Service internal error: {type(error).__name__}"


def told(error: Exception) -> str:
    """Return the text of an error, its remedies as calls of this server."""
    return error.told(help_of) if isinstance(error, PalimpsestError) else str(error)


def _worded(error: Exception, status: int) -> tuple[int, str]:
    text = told(error)
    if isinstance(error, CollectionNotFound) and len(error.name.encode()) > MAX_NAME:
        reason = f"expected at most {MAX_NAME} bytes, got {len(error.name.encode())}"
        return HTTPStatus.UNPROCESSABLE_ENTITY, (
            f"Validation error in path parameters: [name: {reason}]"
        )
    for kind, beginning in BEGINS:
        if isinstance(error, kind):
            return status, beginning + text
    if status == HTTPStatus.BAD_REQUEST and not text.startswith(BEGINNINGS):
        return status, f"Wrong input: {text}"
    return status, text


def _level(error: Exception, status: int) -> int:
    """Return how loudly an error of the server is logged: as it asks someone to act."""
    if isinstance(error, BeingReplaced):
        return logging.INFO  # as it should be, and over in a moment
    return logging.WARNING if status == HTTPStatus.SERVICE_UNAVAILABLE else logging.ERROR


def _raised_in(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"in {frames[-1].name}, line {frames[-1].lineno}" if frames else "before it was begun"


async def answer(request: Request, error: Exception) -> Response:
    """Write the reply to an error inside a FastAPI route."""
    status, text = describe(error)
    if isinstance(error, HTTPException):
        text = f"{text}: {request.method} {request.url.path}"
    headers = dict(getattr(error, "headers", None) or {})
    body = failure(text, request.scope["started"])
    return Response(body, status, headers, media_type="application/json")


def _describe_validation(problems: Any) -> tuple[int, str]:
    """Word pydantic's findings: 422 when all of them are about ranges, 400 otherwise."""
    shape = [p for p in problems if not _is_about_range(p)]
    where = "query parameters" if problems[0]["loc"][0] == "query" else "JSON body"
    if not shape:
        reasons = "; ".join(f"{_place(p)}: {p['msg']}, got {p['input']!r}" for p in problems)
        return HTTPStatus.UNPROCESSABLE_ENTITY, f"Validation error in {where}: [{reasons}]"
    what = "Deserialize" if where == "query parameters" else "Format"
    return HTTPStatus.BAD_REQUEST, f"{what} error in {where}: {_reason(shape[0])}"


def _is_about_range(problem: Any) -> bool:
    """Tell whether a value has the shape, but not the range, that a field asks for.

    Counts that no unsigned number of 64 bits can be are of another shape, as in Qdrant.
    """
    if problem["type"] not in RANGE_ERRORS:
        return False
    bounds = [bound for bound in problem.get("ctx", {}).values() if isinstance(bound, int | float)]
    counts = isinstance(problem["input"], int) and not any(isinstance(b, float) for b in bounds)
    return not (counts and not 0 <= problem["input"] < 2**64)


def _reason(problem: Any) -> str:
    if problem["type"] == "json_invalid":
        reason: str = problem["ctx"]["error"]
        return reason
    if problem["type"] == "extra_forbidden":
        return f"unknown field `{_place(problem)}`"
    return f"{_place(problem)}: {problem['msg']}"


def _place(problem: Any) -> str:
    """Return the dotted place of a problem, without the tags of unions ("<one>")."""
    first, *loc = problem["loc"]
    parts = [str(part) for part in (loc if first in ("body", "query") else problem["loc"])]
    return ".".join(part for part in parts if not part.startswith("<")) or "body"
