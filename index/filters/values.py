"""What a path finds in a payload, and what those values are to a condition.

A path may lead to several values (``[]``). A condition looks at each of them, and where a value is
an array, at its elements instead, one level deep. Counts, ``is_empty``, ``is_null`` and nested
filters look at the values as they are stored. Missing values are not in the lists, nulls are None.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from palimpsest.index.filters.expression import EACH, Path, Step

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# RFC 3339, where the time or its end may be missing; `fromisoformat` alone reads week dates too
_DATETIME = re.compile(
    r"\s*(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ](?P<time>(?:[01][0-9]|2[0-3]):[0-9]{2}(?P<seconds>:[0-9]{2}(?:\.[0-9]+)?)?)"
    r"(?(seconds)(?: ?(?P<zone>[Zz]|(?<= )UTC|[+-][0-9]{2}(?::?[0-9]{2})?))?))?"
)
_UTC = (None, "Z", "z", "UTC")


def stored_at(payload: object, path: Path) -> list[Any]:
    """Return the values at a path as they are stored, arrays whole."""
    found = [payload]
    for step in path:
        found = _below(found, step)
    return found


def values_at(payload: object, path: Path) -> list[Any]:
    """Return the values at a path, an array's elements in place of the array."""
    return flatten(stored_at(payload, path))


def flatten(stored: Iterable[Any]) -> list[Any]:
    """Return the values with the elements of arrays in place of them, one level deep."""
    values: list[Any] = []
    for value in stored:
        if value.__class__ is list:
            values.extend(value)
        else:
            values.append(value)
    return values


def are_empty(stored: Iterable[Any]) -> bool:
    """Tell whether the stored values mean "empty": none, or each null or an empty array."""
    return all(value is None or value == [] for value in stored)


def are_null(stored: Iterable[Any]) -> bool:
    """Tell whether the stored values mean "null": one is null, or an array with a null in it."""
    return any(value is None or (value.__class__ is list and None in value) for value in stored)


def count_of(value: Any) -> int:
    """Return how many values one stored value counts for: null 0, an array its length, else 1."""
    if value is None:
        return 0
    return len(value) if value.__class__ is list else 1


def elements_at(payload: object, path: Path) -> list[dict[str, Any]]:
    """Return what a nested filter looks at: the objects in the arrays at a path.

    A ``[]`` at the end of the path changes nothing.
    """
    return [each for each in stored_at(payload, elements_of(path)) if each.__class__ is dict]


def elements_of(path: Path) -> Path:
    """Return the path to the elements of the arrays at a path that may or may not say ``[]``."""
    return path if path[-1] is EACH else (*path, EACH)


def parse_datetime(text: str) -> int | None:
    """Return microseconds since 1970 in UTC, or None when ``text`` is not a date.

    It is RFC 3339, where a missing zone means UTC. The time, or the seconds of a time without
    zone, may be missing too; digits beyond microseconds are cut.
    """
    found = _DATETIME.fullmatch(text)
    if found is None:
        return None
    zone = "+00:00" if found["zone"] in _UTC else found["zone"]
    try:
        moment = datetime.fromisoformat(f"{found['date']}T{found['time'] or '00:00'}{zone}")
    except ValueError:  # no such day, hour or offset
        return None
    # By whole numbers: `timestamp()` is a float, which is rounded once it is multiplied.
    return (moment - _EPOCH) // _MICROSECOND


def _below(found: list[Any], step: Step) -> list[Any]:
    """Return what one step leads to from each value; objects have keys, arrays the rest."""
    if isinstance(step, str):
        return [value[step] for value in found if value.__class__ is dict and step in value]
    if step is EACH:
        return [element for value in found if value.__class__ is list for element in value]
    return [value[step] for value in found if value.__class__ is list and step < len(value)]
