"""The first look at a request: its host, its origin, and what its body is said to be.

``is_plain`` is the short way's look: it accepts less than ``refusal`` does, in one pass, and what
it does not accept goes the way on which ``refusal`` words what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from starlette.types import Scope

from palimpsest.app.errors import Refusal, too_large
from palimpsest.app.knobs import PREFIX as OURS
from palimpsest.app.settings import Settings
from palimpsest.app.tracing.ids import TRACEPARENT
from palimpsest.app.wire.bodies import Types, packing
from palimpsest.app.wire.hosts import Hosts
from palimpsest.app.wire.names import listens_on_loopback
from palimpsest.app.wire.origins import PREFLIGHT, Origins
from palimpsest.app.wire.replies import JSON, SECURE, VARY_ORIGIN, Headers, written
from palimpsest.app.wire.uploads import is_upload, upload_refusal

REPLIED = "palimpsest.headers"  # where a scope carries what is to stand in every reply to it
NOTED = frozenset(
    (
        b"host",
        b"origin",
        b"sec-fetch-site",
        b"content-type",
        b"content-encoding",
        b"content-length",
        b"transfer-encoding",
        b"access-control-request-method",
    )
)
_COUNTED = {b"host": 1, b"content-type": 2}  # of which a plain request has at most one each
_PLAIN_DIGITS = 5  # of a declared length: longer bodies are not held for the short way
_NOT_PLAIN = frozenset((b"origin", b"sec-fetch-site", b"content-encoding", b"transfer-encoding"))


class Screen:
    """The rules of one server. ``has_key``: whether requests need one."""

    def __init__(self, settings: Settings, *, has_key: bool) -> None:
        traced = (TRACEPARENT,) if settings.trace_ratio else ()
        self._not_plain = _NOT_PLAIN.union(traced)
        self._body_limit = settings.body_limit
        self._snapshot_limit = settings.snapshot_limit
        self._hosts = Hosts(
            settings.allowed_hosts,
            loopback_only=listens_on_loopback(settings.host) and not has_key,
        )
        self._origins = Origins(settings.allowed_origins)
        self._types = Types()
        plain = [*SECURE, VARY_ORIGIN] if self._origins.varies else SECURE
        # the head of a short reply, but for its length
        self.head = b"HTTP/1.1 200 OK\r\n" + written([JSON, *plain]) + b"content-length: %d\r\n\r\n"

    def is_plain(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Whether nothing about a request's headers asks for a second look."""
        seen = 0
        for name, value in headers:
            if name in _COUNTED:
                if seen & _COUNTED[name]:
                    return False
                seen |= _COUNTED[name]
                accepted = self._hosts if name == b"host" else self._types
                if not accepted.accepts(value):
                    return False
            elif name in self._not_plain or name.startswith(OURS):
                return False
            elif name == b"content-length" and len(value) > _PLAIN_DIGITS:
                return False  # one beyond the limit is refused before it comes
        return True

    def refusal(self, scope: Scope) -> Refusal | None:
        """Return why a request is refused before anything of it is read, None when it is not.

        Leaves in the scope, as ``REPLIED``, what any reply to it carries.
        """
        noted: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            if name in NOTED:
                noted.setdefault(name, []).append(value)
        hosts, origins = noted.get(b"host", []), noted.get(b"origin", [])
        scope[REPLIED] = [*SECURE, *self._origins.replied(origins)]
        return (
            self._hosts.refusal(hosts)
            or self._origins.refusal(
                noted.get(b"sec-fetch-site", []), origins, scope["scheme"], hosts
            )
            or _path_refusal(scope)
            or self._body_refusal(scope, noted)
        )

    def preflight(self, scope: Scope) -> Headers | None:
        """Return the reply to a browser's question what an allowed origin may do, else None."""
        if scope["method"] != "OPTIONS":
            return None
        names = {name: value for name, value in scope["headers"]}
        if b"access-control-request-method" not in names:
            return None
        if not self._origins.allows([names.get(b"origin", b"")]):
            return None
        return PREFLIGHT

    def _body_refusal(self, scope: Scope, noted: dict[bytes, list[bytes]]) -> Refusal | None:
        lengths = noted.get(b"content-length", [])
        if b"transfer-encoding" not in noted and not any(int(each) for each in lengths):
            return None
        if is_upload(scope["method"].encode(), scope["path"].encode()):
            return upload_refusal(noted, self._snapshot_limit)
        refused = self._types.refusal(noted.get(b"content-type", []))
        if refused is not None:
            return refused
        if any(int(each) > self._body_limit for each in lengths):
            return too_large(int(lengths[0]), self._body_limit)
        try:
            packing(noted.get(b"content-encoding", []))
        except Refusal as refusal:
            return refusal
        return None


def _path_refusal(scope: Scope) -> Refusal | None:
    """Refuse a path that is not UTF-8: different ones would be read as the same name."""
    if "\ufffd" in scope["path"]:
        try:
            unquote_to_bytes(scope["raw_path"]).decode()
        except UnicodeDecodeError:
            text = "Bad request: the path is not UTF-8, percent-encoded where need be"
            return Refusal(HTTPStatus.BAD_REQUEST, text)
    return None
