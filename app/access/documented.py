"""What the OpenAPI document says of keys: how they are shown, where, and what comes without one."""

from __future__ import annotations

from typing import Any

from palimpsest.app.access.table import right_of
from palimpsest.app.schemas.documents import ref

SCHEMES: dict[str, dict[str, str]] = {
    "api-key": {"type": "apiKey", "in": "header", "name": "api-key"},
    "bearer": {"type": "http", "scheme": "bearer", "description": "a key, or a token (JWT)"},
}
UNAUTHORIZED: dict[str, Any] = {
    "description": "no valid key or token is shown",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}

_FAILURE = {"application/json": {"schema": ref("Failure")}}
REFUSALS: dict[str, dict[str, Any]] = {
    status: {"description": text, "content": _FAILURE}
    for status, text in (
        ("403", "the key or token does not give the right that this needs"),
        ("429", "the key or token sends too many requests, or the address too many wrong ones"),
        ("503", "the audit log cannot be written"),
    )
}


def describe_access(document: dict[str, Any], is_shut: bool) -> dict[str, Any]:
    """Return an OpenAPI document with security added; ``is_shut`` tells whether keys are set."""
    document["components"]["securitySchemes"] = SCHEMES
    required: list[dict[str, list[str]]] = [{name: []} for name in SCHEMES]
    document["security"] = required if is_shut else [{}, *required]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if right_of(method.upper(), path).scope == "open":
                operation["security"] = []
            else:
                operation["responses"]["401"] = UNAUTHORIZED
                for status, reply in REFUSALS.items():
                    operation["responses"].setdefault(status, reply)
    return document
