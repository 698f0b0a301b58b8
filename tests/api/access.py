"""Servers that ask for keys, and who knocks at them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import jwt

FULL = "full-key-of-the-tests-0123456789-abcdef"
READ_ONLY = "read-only-key-of-the-tests-0123456789"
SETTINGS = {
    "PALIMPSEST_API_KEY": FULL,
    "PALIMPSEST_READ_ONLY_API_KEY": READ_ONLY,
    "PALIMPSEST_JWT_RBAC": "1",
}


def token(access: Any = None, key: str = FULL, **claims: Any) -> str:
    """A signed token."""
    said = claims if access is None else {"access": access, **claims}
    return jwt.encode(said, key, algorithm="HS256")


def rights(**levels: str) -> list[dict[str, str]]:
    """The claim that gives a level on each collection."""
    return [{"collection": name, "access": level} for name, level in levels.items()]


def shown(credential: str | None) -> Mapping[str, str]:
    """The headers of whoever shows a credential, or none."""
    return {} if credential is None else {"api-key": credential}


def client(url: str, credential: str | None) -> httpx.Client:
    """A client that shows a credential with every request."""
    return httpx.Client(base_url=url, headers=shown(credential), timeout=30)
