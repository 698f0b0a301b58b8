"""Last replies: whole, of a declared length, and closing; counted by a reason that has a series."""

from __future__ import annotations

import json

import pytest

from palimpsest.app.wire.ends import (
    REASONS,
    Broken,
    head_too_large,
    last_reply,
    malformed,
    too_slow,
)
from palimpsest.app.wire.replies import SECURE


@pytest.mark.parametrize(
    ("broken", "status"),
    [
        (malformed("é \r\n x-injected: 1"), b"400 Bad Request"),
        (head_too_large(1024, 100), b"431 Request Header Fields Too Large"),
        (too_slow("head", "PALIMPSEST_HEAD_TIMEOUT", 0.5), b"408 Request Timeout"),
        (too_slow("body", "PALIMPSEST_BODY_TIMEOUT", 60.0), b"408 Request Timeout"),
    ],
)
def test_a_last_reply(broken: Broken, status: bytes) -> None:
    assert broken.reason in REASONS
    head, _, body = broken.reply().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status + b"\r\n")
    given = headers_of(head)
    assert int(given[b"content-length"]) == len(body)
    assert given[b"connection"] == b"close"
    assert dict(SECURE).items() <= given.items()
    assert b"x-injected" not in given
    assert json.loads(body)["status"]["error"] == str(broken)


def test_a_last_reply_names_its_request() -> None:
    broken = malformed("x")
    ids = {headers_of(broken.reply())[b"x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    assert headers_of(broken.reply(b"mine"))[b"x-request-id"] == b"mine"


def test_only_what_passes_is_asked_for_again() -> None:
    assert headers_of(last_reply(503, "x"))[b"retry-after"] == b"1"
    assert b"retry-after" not in headers_of(last_reply(400, "x"))


def headers_of(reply: bytes) -> dict[bytes, bytes]:
    _, *headers = reply.partition(b"\r\n\r\n")[0].split(b"\r\n")
    return dict((name, value) for name, _, value in (each.partition(b": ") for each in headers))


def test_the_time_since_the_request_is_not_that_since_the_start() -> None:
    assert json.loads(last_reply(503, "x").partition(b"\r\n\r\n")[2])["time"] < 1
