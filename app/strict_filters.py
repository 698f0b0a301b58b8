"""What strict mode asks of filters: not too many conditions, not too large, on indexed fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import TypeAlias

from app.errors import Refusal
from app.schemas.ids import is_uuid
from index import (
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

ANY_KIND = frozenset(("keyword", "integer", "float", "bool", "datetime", "uuid", "geo", "text"))


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
        if not path:
            continue
        key, kinds = format_path(path), _kinds(each)
        index = indexes.get(key)
        if index is None or index.kind not in kinds or not _answers(index, each):
            raise refusal(
                f'Index required but not found for "{key}" of one of the following types: '
                f"[{', '.join(sorted(kinds))}]",
                "Create an index for this key or use a different filter.",
            )


def refusal(what: str, remedy: str) -> Refusal:
    """Answer 400 for what strict mode forbids."""
    return Refusal(HTTPStatus.BAD_REQUEST, f"Bad request: {what}. Help: {remedy}")


def _size(condition: Condition) -> int:
    """Return how many values a condition lists."""
    if isinstance(condition, (Match, MatchExcept)):
        return len(condition.values)
    if isinstance(condition, HasId):
        return len(condition.ids)
    if isinstance(condition, GeoPolygon):
        return len(condition.exterior) + sum(map(len, condition.interiors))
    return 0


def _answers(index: FieldIndex, condition: Condition) -> bool:
    if index.kind != "integer":
        return True
    if isinstance(condition, (Match, MatchExcept)):
        return index.lookup
    return index.range or not isinstance(condition, Range)


def _kinds(condition: Condition) -> frozenset[str]:
    """Return the types of payload indexes that answer a condition."""
    match condition:
        case Match(values=values) | MatchExcept(values=values):
            return _kinds_of(values)
        case MatchText(how=how):
            return frozenset(("keyword",) if how in ("prefix", "substring") else ("text",))
        case Range():
            return frozenset(("float", "integer"))
        case DatetimeRange():
            return frozenset(("datetime",))
        case GeoBox() | GeoRadius() | GeoPolygon():
            return frozenset(("geo",))
    return ANY_KIND


def _kinds_of(values: tuple[bool | int | str, ...]) -> frozenset[str]:
    if not values:
        return ANY_KIND
    if isinstance(values[0], bool):
        return frozenset(("bool",))
    if isinstance(values[0], int):
        return frozenset(("integer",))
    texts = [value for value in values if isinstance(value, str)]
    return frozenset(("keyword", "uuid") if all(map(is_uuid, texts)) else ("keyword",))
