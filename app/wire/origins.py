"""Which web pages may call this server: its own, and those of allowed origins.

Browsers say where a request comes from by ``Sec-Fetch-Site`` and ``Origin``; other programs send
neither. CORS is off unless origins are allowed. Credentials are never allowed: keys travel in
headers that a page sets itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from palimpsest.app.errors import Refusal
from palimpsest.app.wire.names import ANY, PORTS, Host, read_host
from palimpsest.app.wire.replies import VARY_ORIGIN, Headers

NEAR = (b"same-origin", b"same-site", b"none")  # what Sec-Fetch-Site may say
EXPOSED = (b"access-control-expose-headers", b"*")
PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET, PUT, POST, PATCH, DELETE, HEAD, OPTIONS"),
    (b"access-control-allow-headers", b"*, authorization"),  # no `*` means that one
    (b"access-control-max-age", b"3600"),
]


class Origins:
    """The origins whose pages may call, and what CORS tells them.

    Args:
        allowed: ``scheme://host`` with a port where it is not the scheme's, or ``*`` for any.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        self.any = ANY in allowed
        self._allowed = frozenset(each.encode() for each in allowed)
        self.varies = bool(allowed) and not self.any  # whether replies depend on who asks

    def refusal(
        self, sites: Sequence[bytes], origins: Sequence[bytes], scheme: str, hosts: Sequence[bytes]
    ) -> Refusal | None:
        """Return why a request is refused that says to come from these sites and origins.

        Args:
            sites: the values of its ``Sec-Fetch-Site`` headers.
            origins: those of its ``Origin`` headers.
            scheme: by which it came.
            hosts: the values of its ``Host`` headers.
        """
        if self.any or self.allows(origins):
            return None
        if any(not _is_own(each, scheme, hosts) for each in origins) or len(origins) > 1:
            return _foreign(f"Origin {_shown(origins)}")
        if sites and (len(sites) > 1 or sites[0].strip().lower() not in NEAR):
            return _foreign(f"Sec-Fetch-Site {_shown(sites)}")
        return None

    def allows(self, origins: Sequence[bytes]) -> bool:
        """Whether CORS is on for the one origin that is given."""
        if len(origins) != 1:
            return False
        return self.any or origins[0].strip().lower() in self._allowed

    def replied(self, origins: Sequence[bytes]) -> Headers:
        """Return what CORS adds to the reply to a request of these origins."""
        if not self.allows(origins):
            return [VARY_ORIGIN] if self.varies else []
        named = b"*" if self.any else origins[0].strip()
        allowed = [(b"access-control-allow-origin", named), EXPOSED]
        return [*allowed, VARY_ORIGIN] if self.varies else allowed


def _is_own(origin: bytes, scheme: str, hosts: Sequence[bytes]) -> bool:
    """Whether an origin is that of the server, as the request calls it."""
    asked = read_host(hosts[0]) if len(hosts) == 1 else None
    prefix = f"{scheme}://".encode()
    if asked is None or not origin.strip().lower().startswith(prefix):
        return False
    named = read_host(origin.strip()[len(prefix) :])
    return named is not None and _place(named, scheme) == _place(asked, scheme)


def _place(host: Host, scheme: str) -> tuple[str, int | None]:
    return host.name, PORTS.get(scheme) if host.port is None else host.port


def _foreign(what: str) -> Refusal:
    return Refusal(
        HTTPStatus.FORBIDDEN,
        f"Forbidden: the request comes from a page of another origin ({what}): open the server's "
        "own address, or allow the origin by PALIMPSEST_ALLOWED_ORIGINS",
    )


def _shown(values: Sequence[bytes]) -> str:
    return repr(", ".join(each.decode("latin-1") for each in values)[:80])
