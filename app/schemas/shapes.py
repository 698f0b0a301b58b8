"""Shapes of decoded JSON: what a place was expected to hold, or a refusal that says so.

``where`` names the place in the body, as in ``filter.must[0].range``. null counts as absent.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from palimpsest.app.errors import Refusal, format_error

_SHOWN = 60  # characters of a wrong value that its refusal repeats
_KINDS = {dict: "an object", list: "a list", str: "a string", type(None): "null"}


def wrong_shape(where: str, expected: str, found: Any) -> Refusal:
    """Answer 400 for a place that holds something else."""
    what = _KINDS.get(type(found))
    if what is None or isinstance(found, str):
        what = repr(found if not isinstance(found, str) else found[:_SHOWN])[:_SHOWN]
    return format_error(f"{where}: expected {expected}, got {what}")


def read_object(
    raw: Any, where: str, allowed: Collection[str], required: Collection[str] = ()
) -> dict[str, Any]:
    """Return the fields of an object that are not null.

    Raises:
        Refusal: it is no object, or a field is unknown or missing.
    """
    if not isinstance(raw, dict):
        raise wrong_shape(where, "an object", raw)
    for name in raw:
        if name not in allowed:
            names = ", ".join(f"`{each}`" for each in allowed)
            raise format_error(f"{where}: unknown field `{name[:_SHOWN]}`, expected one of {names}")
    for name in required:
        if raw.get(name) is None:
            raise format_error(f"{where}: missing field `{name}`")
    return {name: value for name, value in raw.items() if value is not None}


def read_list(raw: Any, where: str) -> list[Any]:
    """Return a list. Raises Refusal."""
    if not isinstance(raw, list):
        raise wrong_shape(where, "a list", raw)
    return raw


def read_text(raw: Any, where: str) -> str:
    """Return a string. Raises Refusal."""
    if not isinstance(raw, str):
        raise wrong_shape(where, "a string", raw)
    return raw


def read_bool(raw: Any, where: str) -> bool:
    """Return true or false. Raises Refusal."""
    if not isinstance(raw, bool):
        raise wrong_shape(where, "true or false", raw)
    return raw


def read_count(raw: Any, where: str) -> int:
    """Return an integer that is not negative. Raises Refusal."""
    if isinstance(raw, bool) or not isinstance(raw, int) or raw < 0:
        raise wrong_shape(where, "an integer of 0 or more", raw)
    return raw


def read_number(raw: Any, where: str) -> int | float:
    """Return a number as it was sent: no integer is rounded. Raises Refusal."""
    read_float(raw, where)
    number: int | float = raw
    return number


def read_float(raw: Any, where: str) -> float:
    """Return a number in double precision. Raises Refusal."""
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise wrong_shape(where, "a number", raw)
    try:
        return float(raw)
    except OverflowError:
        raise wrong_shape(where, "a number that double precision holds", raw) from None
