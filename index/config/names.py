"""Which names collections, aliases and vectors can have."""

from __future__ import annotations

from palimpsest.index.config.collection import AT
from palimpsest.index.errors import InvalidConfig

MAX_COLLECTION_NAME, MAX_VECTOR_NAME = 255, 200  # bytes of UTF-8; aliases as collections


_BANNED = frozenset('<>:"/\\|?*\0\x1f')


_VERSIONED = f"{AT!r} stands before the name of a version and is not allowed"


def check_name(name: str, what: str, limit: int) -> None:
    """Raise InvalidConfig for a name that cannot be used."""
    if not name or name in (".", ".."):
        raise InvalidConfig(f"{what} name: expected text other than '.' and '..', got {name!r}")
    banned = sorted(_BANNED & set(name))
    if banned:
        raise InvalidConfig(f"{what} name {name!r}: the character {banned[0]!r} is not allowed")
    if AT in name:
        raise InvalidConfig(f"{what} name {name!r}: {_VERSIONED}")
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        raise InvalidConfig(f"{what} name {name!r}: expected valid Unicode") from None
    if length > limit:
        raise InvalidConfig(f"{what} name: expected at most {limit} bytes, got {length}")


def check_vector_name(name: str) -> None:
    """Raise InvalidConfig for the name of a vector that cannot be used."""
    check_name(name, "vector", MAX_VECTOR_NAME)
