"""Targets of requests that are no path: those of proxies."""

from __future__ import annotations

import re

from palimpsest.app.wire.ends import malformed

_ABSOLUTE = re.compile(rb"https?://([^/?#@]+)(/.*|\?.*|)", re.IGNORECASE)


def origin_form(method: bytes, target: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
    """Return the path and query of a target; the host that it names replaces that of the headers.

    Raises:
        Broken: 400 for what is neither the URL of something on a server nor ``*``.
    """
    if target == b"*" and method == b"OPTIONS":
        return target
    found = _ABSOLUTE.fullmatch(target)
    if found is None or method == b"CONNECT":
        raise malformed("expected a path, or an http URL, as the target of a request")
    headers[:] = [(b"host", found[1]), *(each for each in headers if each[0] != b"host")]
    path = found[2]
    return path if path.startswith(b"/") else b"/" + path
