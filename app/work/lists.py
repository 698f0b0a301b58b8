"""How much one body may list: points, ids, vectors, searches, operations and the like.

A body is looked into only where it is long enough to hold a longer list: an element takes two
bytes at least. Vectors, payloads and matrices are no such lists; their sizes are limited elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from palimpsest.app.errors import Refusal, out_of_range
from palimpsest.index import Filter, HasId, Match, MatchExcept, conditions_of

LEAST = 2  # bytes of an element and what follows it
# Lists of numbers are vectors but under these names.
_NUMBERED = frozenset(
    ("ids", "points", "has_id", "any", "except", "positive", "negative", "weights", "relevant")
)
# What holds numbers or stored values, however many.
_SKIPPED = frozenset(
    ("vector", "vectors", "payload", "payloads", "matrix", "indices", "values", "formula")
)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_DEPTH = 12  # levels that are looked into; deeper ones are part of what is read above them


class Updating(Protocol):
    """What is looked at of a write."""

    @property
    def batch(self) -> Any:
        """The points it brings along, None for none."""

    @property
    def selected(self) -> int:
        """How many points it names by id."""

    @property
    def filter(self) -> Filter | None:
        """What it asks of stored points."""


def check_lists(body: bytes, limit: int) -> None:
    """Refuse a body that lists too much.

    Raises:
        Refusal: 422, naming the list.
    """
    # Nearly all bodies end here: one that is shorter than that cannot list as much, whatever it
    # holds.
    if len(body) >= LEAST * limit:
        _check(body, "", "body", limit, _DEPTH)


def check_updates(updates: Sequence[Updating], limit: int) -> None:
    """Refuse writes, already read, that bring or name too much. Raises as ``check_lists``."""
    require_few("operations", len(updates), limit)
    points = 0
    for update in updates:
        points += update.selected + (0 if update.batch is None else len(update.batch.ids))
        if update.filter is not None:
            check_filter(update.filter, limit)
    require_few("points", points, limit)


def check_filter(filter: Filter, limit: int) -> None:
    """Refuse a filter with longer lists of ids or values. Raises as ``check_lists``."""
    for _, condition in conditions_of(filter):
        if isinstance(condition, HasId):
            require_few("has_id", len(condition.ids), limit)
        elif isinstance(condition, Match | MatchExcept):
            require_few("match", len(condition.values), limit)


def require_few(what: str, count: int, limit: int) -> None:
    """Raise Refusal (422) when there are more than the limit."""
    if count > limit:
        raise refusal(what, count, limit)


def refusal(what: str, count: int, limit: int) -> Refusal:
    """Return the answer to a list that is too long."""
    return out_of_range(
        what, f"must have at most {limit} elements, got {count}: send several requests"
    )


def _check(text: bytes, where: str, name: str, limit: int, depth: int) -> None:
    """Look into an object or a list; what is neither, and what cannot be read, is let pass."""
    if len(text) < LEAST * limit or not depth:
        return
    try:
        if text[:1] == b"{":
            for field, value in _FIELDS.decode(text).items():
                if field not in _SKIPPED:
                    place = f"{where}.{field}" if where else field
                    _check(bytes(value), place, field, limit, depth - 1)
        elif text[:1] == b"[":
            elements = _LIST.decode(text)
            if name in _NUMBERED or not _is_vector(elements):
                require_few(where or name, len(elements), limit)
            for at, item in enumerate(elements):
                _check(bytes(item), f"{where}[{at}]", "", limit, depth - 1)
    except (msgspec.MsgspecError, RecursionError):
        return  # its decoder words what is wrong


def _is_vector(elements: Sequence[msgspec.Raw]) -> bool:
    first = bytes(elements[0])[:1] if elements else b""
    return first.isdigit() or first == b"-"
