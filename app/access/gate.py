"""The gate of one server: which keys are valid now, and who shows which.

Keys are replaced as a whole, with what was verified by them, so that the tokens of a key that is
gone die with it. What cannot be read leaves the keys as they are: a server never opens by mistake.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import NamedTuple

from palimpsest.app.access.audit import AuditLog
from palimpsest.app.access.claims import Granted, ValueExists
from palimpsest.app.access.credentials import Conflicting, credential_of
from palimpsest.app.access.exposure import check_exposure
from palimpsest.app.access.failures import Failures
from palimpsest.app.access.keys import KeyRing, key_files, read_keys, signatures
from palimpsest.app.access.limits import KeyRates
from palimpsest.app.access.rights import EVERYTHING, Access
from palimpsest.app.access.tokens import InvalidToken, Tokens, token_id
from palimpsest.app.counts import Counts
from palimpsest.app.reloading import Reloading
from palimpsest.app.settings import Misconfigured, Settings

log = logging.getLogger("palimpsest")

Headers = Sequence[tuple[bytes, bytes]]

PART = "keys"  # in reloads
POLL_SECONDS = 2.0  # between looks at the files of keys
REASONS = (
    *("missing", "conflicting", "invalid_key", "invalid_token", "expired_token", "early_token"),
    *("unreadable_token", "value_missing"),
)


class Unproven(Exception):
    """Nobody is known to send a request; ``reason`` is counted, the text may be told."""

    def __init__(self, reason: str, text: str = "") -> None:
        super().__init__(text)
        self.reason = reason


class Shown(NamedTuple):
    """Who sends a request, and what has to be looked up before that counts."""

    access: Access
    condition: ValueExists | None = None


class Gate:
    """Made before the first request. Raises Misconfigured."""

    def __init__(self, settings: Settings, reloading: Reloading) -> None:
        self._settings = settings
        self._files = key_files(settings)
        self._seen = signatures(self._files)
        self._take(read_keys(settings))
        check_exposure(settings, bool(self._ring))
        if settings.jwt_rbac and not self._ring.signing():
            raise Misconfigured(
                "PALIMPSEST_JWT_RBAC is set without PALIMPSEST_API_KEY or PALIMPSEST_API_KEY_FILE: "
                "tokens are signed with such a key, set one"
            )
        self.audit = None if settings.audit_log is None else AuditLog(settings.audit_log)
        self.rates = KeyRates(settings.rate_limit)
        self.failures = Failures()
        self.failed = Counts(
            "palimpsest_auth_failures",
            "Requests that showed no valid key or token.",
            ("reason",),
            [(reason,) for reason in REASONS],
        )
        # The short way neither counts nor records: with either of these every request takes the
        # long one.
        self._looks_closely = self.audit is not None or bool(settings.rate_limit)
        self._reloading = reloading
        if self._files:
            reloading.register(PART, self._read_again)
        if self.audit is not None:
            reloading.register("audit log", self.audit.reopen)

    @property
    def is_shut(self) -> bool:
        """Whether a key is asked for."""
        return bool(self._ring)

    def who(self, headers: Headers, *, basic: bool = False) -> Shown:
        """Return who shows which rights by the headers of a request. Raises Unproven."""
        if not self._ring:
            return OPEN
        try:
            secret = credential_of(headers, basic=basic)
        except Conflicting as error:
            raise Unproven("conflicting", str(error)) from None
        if secret is None:
            raise Unproven("missing")
        access = self._ring.find(secret)
        if access is not None:
            return Shown(access)
        if not self._settings.jwt_rbac:
            raise Unproven("invalid_key")
        try:
            granted = self._tokens.verify(secret)
        except InvalidToken as error:
            raise Unproven(error.reason, str(error)) from None
        return _shown(secret, granted)

    def who_now(self, headers: Headers) -> Access | None:
        """Return who sends a plain request by a key or a known token; None asks for a closer look.

        The way of short queries: what is counted, limited or recorded does not come by it.
        """
        if self._looks_closely:
            return None
        if not self._ring.keys:
            return EVERYTHING
        try:
            secret = credential_of(headers)
        except Conflicting:
            return None
        if secret is None:
            return None
        access = self._ring.find(secret)
        if access is not None or not self._settings.jwt_rbac:
            return access
        granted = self._tokens.kept(secret)
        if granted is None or granted.condition is not None:
            return None
        return _shown(secret, granted).access

    async def watch(self) -> None:
        """Look at the files of keys for as long as the server runs; looking is not reading."""
        while self._files:
            await asyncio.sleep(POLL_SECONDS)
            if signatures(self._files) != self._seen:
                await self._reloading.read(PART)

    def close(self) -> None:
        """Close the audit log: no request comes any more."""
        if self.audit is not None:
            self.audit.close()
            self.audit = None

    async def _read_again(self) -> None:
        self._seen = signatures(self._files)  # before reading: a change meanwhile is seen next time
        self._take(await asyncio.to_thread(read_keys, self._settings))

    def _take(self, ring: KeyRing) -> None:
        for who in ring.short(self._settings.jwt_rbac):
            log.warning("the key %s is short: take at least 32 random characters", who)
        if ring and not ring.signing():
            log.warning("only read-only keys are set: nothing can be written")
        self._ring = ring
        # Made anew with the keys: tokens that were verified by a key that is gone must not be
        # remembered.
        self._tokens = Tokens(ring.signing())


def _shown(secret: bytes, granted: Granted) -> Shown:
    who = token_id(secret, granted.subject)
    access = Access(who, "token", granted.everywhere, granted.collections)
    return Shown(access, granted.condition)


OPEN = Shown(EVERYTHING)
