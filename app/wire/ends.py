"""How the server ends connections by itself: the closed set of reasons, and its last words."""

from __future__ import annotations

from http import HTTPStatus
from time import perf_counter

from palimpsest.app.envelope import failure
from palimpsest.app.tracing.ids import REQUEST_ID, new_id
from palimpsest.app.wire.replies import JSON, SECURE, completed, written

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
        self.status = status

    def reply(self, name: bytes | None = None) -> bytes:
        """Return the last reply to a request that is called so, or is given an id."""
        return last_reply(self.status, str(self), name)


def last_reply(status: int, text: str, name: bytes | None = None) -> bytes:
    """Return a whole reply after which the connection is closed.

    Args:
        status: of HTTP.
        text: what is wrong.
        name: the id of the request where it has one; else it is given one.
    """
    body = failure(text, perf_counter())
    own = [JSON, (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
    headers = completed(own, [(REQUEST_ID, name or new_id().encode()), *SECURE], status)
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
