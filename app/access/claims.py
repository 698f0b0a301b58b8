"""What a token may say: Qdrant's claims, and ``rw`` and ``m`` wherever a level stands.

A claim that is not known is refused by its name: it may have been meant to restrict.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from palimpsest.app.access.rights import Level

Word: TypeAlias = Literal["r", "rw", "m"]

MAX_COLLECTIONS = 1_000  # that one token names
MAX_MATCHES = 16
SHOWN = 200  # characters of what is wrong
LEVELS: dict[str, Level] = {"r": Level.READ, "rw": Level.WRITE, "m": Level.MANAGE}
MISSPELT = 'expected a level, one of "r", "rw" and "m", or a list of collections with one each'


class UnreadableClaims(Exception):
    """A token that is validly signed and says what is not understood; the text says what."""


class CollectionRight(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A level on one collection, by its real name."""

    collection: str
    access: Word


class Match(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A payload key and a value that one point is to have there."""

    key: str
    value: str | int | bool


class ValueExists(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The token holds only while a point of a collection has all of these values."""

    collection: str
    matches: list[Match]


class Claims(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Everything a token may say; times are seconds since 1970, checked before this is read."""

    access: Any = "r"  # as Qdrant has it, where a token says nothing
    value_exists: ValueExists | None = None
    sub: str | None = None
    exp: Any = None
    nbf: Any = None
    iat: Any = None
    iss: Any = None
    jti: Any = None


class Granted(msgspec.Struct, frozen=True):
    """What a token gives, under which condition, and until when."""

    everywhere: Level
    collections: dict[str, Level]
    condition: ValueExists | None
    subject: str | None
    expires: float | None  # seconds since 1970


def read_claims(said: dict[str, Any]) -> Granted:
    """Return what the claims of a token give. Raises UnreadableClaims."""
    try:
        claims = msgspec.convert(said, Claims)
        everywhere, collections = Level.NONE, dict[str, Level]()
        if isinstance(claims.access, str) and claims.access in LEVELS:
            everywhere = LEVELS[claims.access]
        elif isinstance(claims.access, list):
            collections = _by_collection(claims.access)
        else:
            raise UnreadableClaims(f"claim `access`: {MISSPELT}")
        expires = None if claims.exp is None else float(claims.exp)
        msgspec.json.encode(said)  # what no text can hold, such as half a character, is no name
    except msgspec.ValidationError as error:
        raise UnreadableClaims(f"{error!s:.{SHOWN}}") from None
    except (ValueError, TypeError, OverflowError):
        raise UnreadableClaims("a number is out of range, or a text is not Unicode") from None
    condition = claims.value_exists
    if condition is not None and not 1 <= len(condition.matches) <= MAX_MATCHES:
        raise UnreadableClaims(f"claim `value_exists`: expected 1 to {MAX_MATCHES} `matches`")
    return Granted(everywhere, collections, condition, claims.sub, expires)


def _by_collection(listed: list[Any]) -> dict[str, Level]:
    if len(listed) > MAX_COLLECTIONS:
        raise UnreadableClaims(f"claim `access`: names more than {MAX_COLLECTIONS} collections")
    collections: dict[str, Level] = {}
    for right in msgspec.convert(listed, list[CollectionRight]):
        if right.collection in collections:
            raise UnreadableClaims(f"claim `access`: names {right.collection!r:.80} twice")
        collections[right.collection] = LEVELS[right.access]
    return collections
