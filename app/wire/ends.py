"""How the server ends connections by itself: the closed set of reasons, and its last words."""

from __future__ import annotations

from http import HTTPStatus
from time import perf_counter

from palimpsest.app.envelope import failure
from palimpsest.app.wire.replies import JSON, SECURE, written

# What was not answered, by the label of the counter of connections that the server ended.
REASONS = (
    "malformed",
    "head_too_large",
    "head_timeout",
    "body_timeout",
    "framing",
    "pipelined",
    "idle",
    "unread",
    "displaced",
    "full",
    "handshake",
    "failed",
)


class Broken(Exception):
    """What comes on a connection cannot be answered any more but by this, its last reply."""

    def __init__(self, reason: str, status: int, text: str) -> None:
        super().__init__(text)
        self.reason = reason  # one of REASONS
        self.reply = last_reply(status, text)


def last_reply(status: int, text: str) -> bytes:
    """Return a whole reply after which the connection is closed."""
    body = failure(text, perf_counter())
    headers = [JSON, (b"content-length", b"%d" % len(body)), (b"connection", b"close"), *SECURE]
    line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
    return line.encode() + written(headers) + b"\r\n" + body


def malformed(text: str) -> Broken:
    """Answer 400 for what is no request of HTTP/1.1."""
    return Broken("malformed", HTTPStatus.BAD_REQUEST, f"Bad request: {text}")


def head_too_large(limit: int, count: int) -> Broken:
    """Answer 431 for a head above the limits of bytes and of headers."""
    return Broken(
        "head_too_large",
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        f"Request header fields too large: at most {limit} bytes of target and headers "
        f"(PALIMPSEST_HEADER_LIMIT) and {count} headers",
    )


def too_slow(what: str, setting: str, seconds: float) -> Broken:
    """Answer 408 for a head or a body that does not come."""
    return Broken(
        f"{what}_timeout",
        HTTPStatus.REQUEST_TIMEOUT,
        f"Request timeout: the {what} of the request did not come within {seconds:g} s ({setting})",
    )
