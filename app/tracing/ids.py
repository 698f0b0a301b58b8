"""What a request is called: the id it brings or is given, and the trace it says to be part of.

A client, or a proxy before the server, may name a request by ``X-Request-Id``, and say by
``traceparent`` (W3C Trace Context, level 1) which span sent it. What is no such thing is as good as
none: neither is ever a reason to refuse.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

REQUEST_ID = b"x-request-id"
TRACEPARENT = b"traceparent"
MAX_ID = 128  # characters

# Visible ASCII without what readers of logs and of headers give a meaning of their own.
_SANE = re.compile(rb"[A-Za-z0-9._:/=+@~#|-]{1,%d}" % MAX_ID)
# version, trace, span, flags; versions to come may add more behind another dash
_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_FORBIDDEN_VERSION = b"ff"
_SAMPLED = 1  # of the flags

Headers = Sequence[tuple[bytes, bytes]]


class Parent(NamedTuple):
    """The span that sent a request: both ids in hexadecimal, and whether its trace is kept."""

    trace_id: str  # 32 digits, not all zero
    span_id: str  # 16 digits, not all zero
    is_sampled: bool


def request_id(headers: Headers) -> str | None:
    """Return the id that a request brings, None unless it brings one that is sane."""
    given = _only(headers, REQUEST_ID)
    return None if given is None or not _SANE.fullmatch(given) else given.decode("ascii")


def new_id() -> str:
    """Return an id that no request had: of this process, and a number."""
    return f"{_PROCESS}-{next(_NUMBERS):x}"


def parent(headers: Headers) -> Parent | None:
    """Return the span that a request says to come from, None unless it says so, and once."""
    given = _only(headers, TRACEPARENT)
    found = None if given is None else _PARENT.fullmatch(given)
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if version == _FORBIDDEN_VERSION or (version == b"00" and more is not None):
        return None
    if not (int(trace, 16) and int(span, 16)):
        return None
    return Parent(trace.decode(), span.decode(), bool(int(flags, 16) & _SAMPLED))


def _only(headers: Headers, wanted: bytes) -> bytes | None:
    """Return a header that is there once. Most often it is not, which a dict tells in C."""
    if wanted not in dict(headers):
        return None
    first, *others = [value for name, value in headers if name == wanted]
    return None if others else first


_PROCESS = secrets.token_hex(6)
_NUMBERS = count(1)
