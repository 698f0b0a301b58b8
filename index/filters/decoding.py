"""Stored payloads to objects, of which only the keys that are asked for are read."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any, TypeAlias, TypedDict

import msgspec

from index.filters.expression import Filter
from index.filters.walk import keys_of

Decode: TypeAlias = Callable[[bytes | None], dict[str, Any]]


def payload_decoder(filter: Filter) -> Decode:
    """Return the function from a payload to the part of it that the filter reads."""
    return key_decoder(keys_of(filter))


def key_decoder(keys: Collection[str]) -> Decode:
    """Return the function from a payload to the values of the given keys at its top.

    Other keys are skipped unread, which takes a third of the time. No payload gives no keys.
    """
    return _key_decoder(frozenset(keys)) if keys else _nothing


@lru_cache(maxsize=256)
def _key_decoder(keys: frozenset[str]) -> Decode:
    fields = TypedDict("fields", dict.fromkeys(keys, Any), total=False)  # type: ignore[misc]
    read = msgspec.json.Decoder(fields).decode

    def decode(payload: bytes | None) -> dict[str, Any]:
        if payload is None:
            return {}
        try:
            return read(payload)  # type: ignore[return-value]
        except (msgspec.MsgspecError, ValueError):  # UnicodeDecodeError is a ValueError
            return _decode_anyhow(payload)

    return decode


def _nothing(payload: bytes | None) -> dict[str, Any]:
    return {}


def _decode_anyhow(payload: bytes) -> dict[str, Any]:
    """Read what JSON allows and msgspec does not: 1e400 is infinite, no Unicode is replaced."""
    fields: dict[str, Any] = json.loads(payload.decode("utf-8", "replace"), parse_int=_integer)
    return fields


def _integer(digits: str) -> int | float:
    """Return an integer; one of thousands of digits, which `int` refuses, is infinite."""
    try:
        return int(digits)
    except ValueError:
        return float(digits)
