"""Tokens: JWTs by HS256, signed with a full key that is valid now.

The algorithm is fixed here and never taken from the token, so neither ``none`` nor a public key
taken for a secret gets through. What was verified is kept for as long as the keys are the same;
times are looked at on every request.
"""

from __future__ import annotations

import hashlib
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from time import time
from typing import Any

import jwt
from jwt.types import Options

from palimpsest.app.access.claims import Granted, UnreadableClaims, read_claims

# Fixed here, and never read from the token: one that names `none`, or a key of another kind, is
# refused before anything of it is looked at.
ALGORITHMS = ["HS256"]
# `iat` restricts nothing, and the clocks of two machines differ
OPTIONS: Options = {"verify_iat": False}
# told once, in the words of our own log: see ``app.access.gate``
warnings.filterwarnings("ignore", message="The HMAC key is")
MAX_TOKEN = 16 * 1024  # bytes
MAX_KEPT = 1_024  # verified tokens
MAX_SUBJECT = 64  # characters of a `sub` that name a token in the audit log
SHOWN = range(0x21, 0x7F)


class InvalidToken(Exception):
    """A token that gives nothing.

    ``reason`` is what is counted, the text what is told to whoever holds a validly signed one.
    """

    def __init__(self, reason: str, text: str = "") -> None:
        super().__init__(text)
        self.reason = reason


class Tokens:
    """Verifies tokens against one set of keys; made anew when the keys change."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = keys
        self._kept: OrderedDict[bytes, Granted] = OrderedDict()

    def kept(self, token: bytes) -> Granted | None:
        """Return what a token gives that was verified before and has not run out."""
        granted = self._kept.get(token)
        if granted is None or _has_expired(granted):
            return None
        return granted

    def verify(self, token: bytes) -> Granted:
        """Return what a token gives. Raises InvalidToken."""
        granted = self.kept(token)
        if granted is not None:
            self._kept.move_to_end(token)
            return granted
        try:
            granted = read_claims(self._claims(token))
        except UnreadableClaims as error:
            raise InvalidToken("unreadable_token", str(error)) from None
        if _has_expired(granted):
            raise InvalidToken("expired_token", "the token has expired")
        # Clients send one token thousands of times, and a look-up is all that short queries do.
        self._kept[token] = granted
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return granted

    def _claims(self, token: bytes) -> dict[str, Any]:
        """Return the claims of a token whose signature and times are right."""
        # Before it is decoded: whoever guesses keys is not to get a parser of JSON and base64 for
        # it.
        if len(token) > MAX_TOKEN or token.count(b".") != 2:
            raise InvalidToken("invalid_key")
        for key in self._keys:
            try:
                return jwt.decode(token, key, algorithms=ALGORITHMS, options=OPTIONS)
            except jwt.InvalidSignatureError:
                continue
            except jwt.ExpiredSignatureError:
                raise InvalidToken("expired_token", "the token has expired") from None
            except jwt.ImmatureSignatureError:
                text = "the token is not valid yet (`nbf`)"
                raise InvalidToken("early_token", text) from None
            except (jwt.InvalidAudienceError, jwt.MissingRequiredClaimError) as error:
                raise InvalidToken("unreadable_token", str(error)) from None
            except Exception:  # whatever a decoder makes of crafted bytes: it is no token
                raise InvalidToken("invalid_token") from None
        raise InvalidToken("invalid_token")


def token_id(token: bytes, subject: str | None) -> str:
    """Return the name of a token in the audit log: its ``sub``, or else a hash of it."""
    if subject and len(subject) <= MAX_SUBJECT and all(ord(sign) in SHOWN for sign in subject):
        return f"token:{subject}"
    return f"token-{hashlib.sha256(token).hexdigest()[:16]}"


def _has_expired(granted: Granted) -> bool:
    return granted.expires is not None and time() >= granted.expires
