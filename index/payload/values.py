"""Payload values as an index of each kind holds them; None for values of another kind.

A value is refused, too, when the index could not hold it exactly: the payload is looked at then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from uuid import UUID

from palimpsest.index.filters.geo import read_point
from palimpsest.index.filters.values import parse_datetime
from palimpsest.index.payload.config import FieldKind

Read: TypeAlias = Callable[[Any], Any]

MAX_INTEGER = 2**63 - 1
MIN_INTEGER = -MAX_INTEGER  # the one below stands for "no value" in columns
_UUID_LENGTH = 36  # hyphenated


def read_text(value: Any) -> str | None:
    """Return a string; not one with lone surrogates, which no file can hold."""
    if value.__class__ is not str:
        return None
    try:
        return value if value.isascii() or value.encode() else None
    except UnicodeEncodeError:
        return None


def read_integer(value: Any) -> int | None:
    """Return an integer of 64 bits."""
    if value.__class__ is int and MIN_INTEGER <= value <= MAX_INTEGER:
        return int(value)
    return None


def read_float(value: Any) -> float | None:
    """Return a number that is a float exactly, not NaN."""
    if value.__class__ is float:
        return float(value) if value == value else None
    if value.__class__ is not int:
        return None
    try:
        return float(value) if float(value) == value else None
    except OverflowError:
        return None


def read_number(value: Any) -> int | float | None:
    """Return any number but NaN."""
    return value if value.__class__ in (int, float) and value == value else None


def read_bool(value: Any) -> bool | None:
    """Return a boolean."""
    return value if value.__class__ is bool else None


def read_moment(value: Any) -> int | None:
    """Return a date and time in microseconds since 1970."""
    return parse_datetime(value) if value.__class__ is str else None


def read_uuid(value: Any) -> bytes | None:
    """Return the sixteen bytes of a UUID written the usual way: hyphens, lower case."""
    if value.__class__ is not str or len(value) != _UUID_LENGTH:
        return None
    try:
        identifier = UUID(value)
    except ValueError:
        return None
    return identifier.bytes if str(identifier) == value else None


READ: Mapping[FieldKind, Read] = {
    "keyword": read_text,
    "integer": read_integer,
    "float": read_float,
    "bool": read_bool,
    "datetime": read_moment,
    "uuid": read_uuid,
    "geo": read_point,
    "text": read_text,
}
