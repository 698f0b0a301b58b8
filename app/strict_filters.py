"""What strict mode asks of filters: not too many conditions, not too large, on indexed fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import TypeAlias

from palimpsest.app.errors import Refusal
from palimpsest.app.schemas.ids import is_uuid
from palimpsest.index import (
    Condition,
    DatetimeRange,
    FieldIndex,
    Filter,
    GeoBox,
    GeoPolygon,
    GeoRadius,
    HasId,
    HasVector,
    Match,
    MatchExcept,
    MatchText,
    Nested,
    Path,
    Range,
    Slice,
    conditions_of,
    format_path,
)

Leaf: TypeAlias = tuple[Path, Condition]  # the whole path, () for a condition on no field

# What indexes can do: a type by itself means exact matches, or what that type alone is for.
RANGE, PHRASE, PREFIX = "integer range", "text with phrase_matching", "keyword with prefix"
ANY_KIND = frozenset(
    ("keyword", "integer", RANGE, "float", "bool", "datetime", "uuid", "geo", "text")
)
NUMBERS = frozenset(("integer", RANGE, "float"))  # what a formula reads a number from


def leaves(filter: Filter) -> Iterator[Leaf]:
    """Yield every condition that is no filter, in the order of the clauses."""
    for base, condition in conditions_of(filter):
        if isinstance(condition, (HasId, HasVector, Slice)):
            yield (), condition
        elif not isinstance(condition, Nested):
            yield (*base, *condition.path), condition


def check_sizes(held: list[Leaf], most: int | None, largest: int | None) -> None:
    """Refuse more than ``most`` conditions, one of more than ``largest`` values, and substrings."""
    for path, each in held:
        if isinstance(each, MatchText) and each.how == "substring":
            raise refusal(
                f'Substring matching is not allowed, used for "{format_path(path)}": it scans '
                "every value of the field, with or without an index",
                "Use a prefix match or a full-text match instead.",
            )
    if most is not None and len(held) > most:
        raise refusal(
            f"Filter condition limit reached ({len(held)} > {most})",
            "Reduce the amount of conditions of your filter.",
        )
    size = max((_size(each) for _, each in held), default=0)
    if largest is not None and size > largest:
        raise refusal(
            f"Condition size limit reached ({size} > {largest})",
            "Reduce the size of your condition.",
        )


def require_indexes(held: list[Leaf], indexes: Mapping[str, FieldIndex]) -> None:
    """Refuse a condition on a field without an index that answers it."""
    for path, each in held:
        needed = _needed(each)
        if path and needed:
            require(path, needed, indexes, "use a different filter")


def require(
    path: Path, needed: frozenset[str], indexes: Mapping[str, FieldIndex], instead: str
) -> None:
    """Refuse a field whose index can do none of what is needed; name what else to do."""
    index = indexes.get(format_path(path))
    if index is None or not needed & _abilities(index):
        types = sorted({one.partition(" ")[0] for one in needed - {PHRASE, PREFIX}})
        types += sorted(needed & {PHRASE, PREFIX})
        raise refusal(
            f'Index required but not found for "{format_path(path)}" of one of the following '
            f"types: [{', '.join(types)}]",
            f"Create an index for this key or {instead}.",
        )


def matches(index: FieldIndex) -> bool:
    """Tell whether an index finds points by exact values."""
    return bool(_abilities(index) & {"keyword", "integer", "uuid", "bool"})


def refusal(what: str, remedy: str) -> Refusal:
    """Answer 400 for what strict mode forbids."""
    return Refusal(HTTPStatus.BAD_REQUEST, f"Bad request: {what}. Help: {remedy}")


def bad_request(text: str) -> Refusal:
    """Answer 400 for what exceeds a limit that no parameter of the request can help."""
    return Refusal(HTTPStatus.BAD_REQUEST, f"Bad request: {text}")


def _size(condition: Condition) -> int:
    """Return how many values a condition lists; the same value twice is one."""
    if isinstance(condition, Match | MatchExcept):
        return len(set(condition.values))
    return len(condition.ids) if isinstance(condition, HasId) else 0


def _abilities(index: FieldIndex) -> frozenset[str]:
    """Return what an index can do."""
    match index.kind:
        case "integer":
            return frozenset(("integer",) * index.lookup + (RANGE,) * index.range)
        case "text":
            return frozenset(("text",) + (PHRASE,) * index.phrases)
        case "keyword":
            return frozenset(("keyword",) + (PREFIX,) * bool(index.declared.get("prefix")))
    return frozenset((index.kind,))


def _needed(condition: Condition) -> frozenset[str]:
    """Return what an index must be able to do, one of several; nothing where none is needed."""
    match condition:
        case Match(values=values) | MatchExcept(values=values):
            return _needed_for(values)
        case MatchText(how="phrase"):
            return frozenset((PHRASE,))
        case MatchText(how="prefix"):
            return frozenset((PREFIX,))
        case MatchText():
            return frozenset(("text",))
        case Range():
            return frozenset(("float", RANGE))
        case DatetimeRange():
            return frozenset(("datetime",))
        case GeoBox() | GeoRadius() | GeoPolygon():
            return frozenset(("geo",))
    return ANY_KIND


def _needed_for(values: tuple[bool | int | str, ...]) -> frozenset[str]:
    if not values:
        return frozenset()  # nothing matches none of no values: that is known without looking
    if isinstance(values[0], bool):
        return frozenset(("bool",))
    if isinstance(values[0], int):
        return frozenset(("integer",))
    texts = [value for value in values if isinstance(value, str)]
    return frozenset(("keyword", "uuid") if all(map(is_uuid, texts)) else ("keyword",))
