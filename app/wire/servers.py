"""Other servers, as settings and URLs name them: a scheme, a host, a port."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from palimpsest.app.wire.names import PORTS


class Origin(NamedTuple):
    """A server; the host in lower case, an address of IPv6 without brackets."""

    scheme: str
    host: str
    port: int


def origin_of(url: str) -> Origin:
    """Return the server that a URL names. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError(f"expected http:// or https:// and a host, got {url!r:.300}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL must hold neither a user nor a password")
    return Origin(parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme])


def server_list(given: tuple[str, ...]) -> tuple[str, ...]:
    """Return servers that were named by their origins. Raises ValueError for anything else."""
    for each in given:
        origin_of(each)
        parts = urlsplit(each)
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError(f"expected origins, as in https://backup.example.org, got {each!r}")
    return given
