"""By which names this server lets itself be called: the defence against DNS rebinding.

A page of ``evil.example`` may point that name at 127.0.0.1 after it was loaded; to the browser its
requests are then of the same origin. Only their ``Host`` gives them away. It is therefore checked
where nothing else stands in the way, on a server that listens on loopback without a key, and
wherever the operator names the hosts.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from palimpsest.app.errors import Refusal
from palimpsest.app.wire.names import ANY, is_loopback, read_host

_KNOWN = 256  # values remembered; one of a client's hosts is sent with each of its requests
_SHOWN = 80  # characters of a wrong value that its refusal repeats


class Hosts:
    """The names that a server answers to.

    Args:
        allowed: names beside those of loopback; ``*.name`` for those below one, ``*`` for any.
        loopback_only: whether other names are refused even where ``allowed`` is empty.
    """

    def __init__(self, allowed: Sequence[str], *, loopback_only: bool) -> None:
        self._any = ANY in allowed or not (allowed or loopback_only)
        self._names = frozenset(name for name in allowed if not name.startswith("*"))
        self._below = tuple(name[1:] for name in allowed if name.startswith("*."))
        self._known: set[bytes] = set()

    def accepts(self, value: bytes) -> bool:
        """Whether a request for this one host is accepted; a look-up for values seen before."""
        return value in self._known or self.refusal([value]) is None

    def refusal(self, values: Sequence[bytes]) -> Refusal | None:
        """Return why a request with these ``Host`` headers is refused; without any it is not."""
        if not values:
            return None
        if len(values) > 1:
            return _malformed(f"expected one, got {len(values)}")
        if values[0] in self._known:
            return None
        host = read_host(values[0])
        if host is None:
            return _malformed(f"expected a name and perhaps a port, got {_shown(values[0])}")
        if not (self._any or is_loopback(host.name) or self._is_allowed(host.name)):
            return Refusal(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"Misdirected request: the host {_shown(values[0])} is not one of this server's; "
                "any web page could reach it by a name of its own (DNS rebinding): call it by "
                "localhost or 127.0.0.1, or set PALIMPSEST_ALLOWED_HOSTS",
            )
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known.add(values[0])
        return None

    def _is_allowed(self, name: str) -> bool:
        return name in self._names or name.endswith(self._below)


def _malformed(reason: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, f"Bad request: malformed Host header: {reason}")


def _shown(value: bytes) -> str:
    return repr(value.decode("latin-1")[:_SHOWN])
