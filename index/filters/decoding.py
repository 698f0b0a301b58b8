"""Stored payloads to objects, of which only the keys that are asked for are read."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any, TypeAlias, TypedDict

import msgspec

from palimpsest.index.filters.expression import Filter
from palimpsest.index.filters.walk import keys_of

Decode: TypeAlias = Callable[[bytes | None], dict[str, Any]]

_LONGEST = 1_024  # characters of all keys together; a reader of longer ones is not worth keeping


def payload_decoder(filter: Filter) -> Decode:
    """Return the function from a payload to the part of it that the filter reads."""
    return key_decoder(keys_of(filter))


def key_decoder(keys: Collection[str]) -> Decode:
    """Return the function from a payload to the values of the given keys at its top.

    Other keys are mostly skipped unread, which takes a third of the time. No payload gives no keys.
    """
    if not keys:
        return _nothing
    return decode_payload if sum(map(len, keys)) > _LONGEST else _key_decoder(frozenset(keys))


def decode_payload(payload: bytes | None) -> dict[str, Any]:
    """Return all of a payload; no payload is an empty one."""
    return {} if payload is None else _decode(msgspec.json.decode, payload)


@lru_cache(maxsize=256)
def _key_decoder(keys: frozenset[str]) -> Decode:
    read = _skipping(keys)
    if read is None:
        return decode_payload
    return lambda payload: {} if payload is None else _decode(read, payload)


def _decode(read: Callable[[bytes], Any], payload: bytes) -> dict[str, Any]:
    try:
        fields: dict[str, Any] = read(payload)
    except (msgspec.MsgspecError, ValueError):  # UnicodeDecodeError is a ValueError
        return _decode_anyhow(payload)
    return fields


def _skipping(keys: frozenset[str]) -> Callable[[bytes], Any] | None:
    """Return the reader of some keys alone, None where every key has to be read.

    msgspec compares a key with the UTF-8 that the name of a field keeps beside its characters. One
    that is not ASCII keeps it once it was encoded; before, it is taken for an empty name. This is
    nothing msgspec promises, so each reader has to find its keys before it is used.
    """
    fields = TypedDict("fields", dict.fromkeys(keys, Any), total=False)  # type: ignore[misc]
    # With an empty name among them: that is what a name without its UTF-8 would be taken for.
    probe = {"": 1, **dict.fromkeys(keys, 0)}
    try:
        text = msgspec.json.encode(probe)  # the same strings: from here on they keep their UTF-8
        read = msgspec.json.Decoder(fields).decode
        found = read(text)
    except ValueError:  # lone surrogates are no UTF-8
        return None
    wanted: object = dict.fromkeys(keys, 0)
    return read if found == wanted else None


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
