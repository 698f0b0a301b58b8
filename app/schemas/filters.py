"""Filters on the wire: JSON to ``index.Filter``.

Every clause of Qdrant's filter language is read or refused; the refusal says where it stands, what
was expected and what was found. Values of JSON null are as good as absent. Nesting, conditions and
bytes are limited, so that the largest of bodies is refused about as fast as it is received.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from palimpsest.app.errors import Refusal, format_error, out_of_range
from palimpsest.app.schemas.conditions import FIELD_KINDS, read_field, read_path
from palimpsest.app.schemas.ids import parse_ids
from palimpsest.app.schemas.shapes import read_count, read_list, read_object, read_text, wrong_shape
from palimpsest.index import (
    Condition,
    Filter,
    HasId,
    HasVector,
    InvalidId,
    IsEmpty,
    IsNull,
    MinShould,
    Nested,
    PointId,
    Slice,
)

MAX_BYTES = 8 * 2**20
MAX_DEPTH = 32  # filters in filters
MAX_CONDITIONS = 10_000
_REMEMBERED_BYTES = 2048

_CLAUSES = ("should", "min_should", "must", "must_not")


def decode_filter(raw: Any, where: str = "filter") -> Filter:
    """Return the filter that JSON means.

    Args:
        raw: the JSON text, or what it was decoded to.
        where: the place of the filter in its body, for the texts of refusals.

    Raises:
        Refusal: 400 for what cannot be read or is too large, 422 for a value out of its range.
    """
    if isinstance(raw, msgspec.Raw) and len(text := bytes(raw)) <= _REMEMBERED_BYTES:
        return _remembered(text, where)
    return _Reader().filter(_decoded(raw, where), where, 1)


def decode_condition(raw: Any, where: str) -> Condition:
    """Return the condition that JSON means; arguments and errors are those of ``decode_filter``."""
    return _Reader().condition(_decoded(raw, where), where, 1)


@lru_cache(maxsize=1024)
def _remembered(text: bytes, where: str) -> Filter:
    """Read a small filter once: clients send the same ones again and again."""
    return _Reader().filter(_decoded(msgspec.Raw(text), where), where, 1)


def _decoded(raw: Any, where: str) -> Any:
    if not isinstance(raw, msgspec.Raw):
        return raw
    text = memoryview(raw)
    if len(text) > MAX_BYTES:
        raise format_error(
            f"{where}: {len(text)} bytes are more than {MAX_BYTES}; list fewer values in one "
            "filter, or send several requests"
        )
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise format_error(f"{where}: {error}") from None
    except RecursionError:
        raise _too_deep(where) from None


class _Reader:
    """Reads one filter, counting its conditions."""

    def __init__(self) -> None:
        self.conditions = 0

    def filter(self, raw: Any, where: str, depth: int) -> Filter:
        if depth > MAX_DEPTH:
            raise _too_deep(where)
        asked = read_object(raw, where, _CLAUSES)
        if not asked:
            return Filter()
        return Filter(
            must=self._clause(asked.get("must"), f"{where}.must", depth),
            should=self._clause(asked.get("should"), f"{where}.should", depth),
            must_not=self._clause(asked.get("must_not"), f"{where}.must_not", depth),
            min_should=self._min_should(asked.get("min_should"), f"{where}.min_should", depth),
        )

    def condition(self, raw: Any, where: str, depth: int) -> Condition:
        # Counted over the whole filter: a thousand clauses of a thousand conditions each are as
        # dear as one of a million.
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            raise format_error(
                f"{where}: more than {MAX_CONDITIONS} conditions; `any` and `has_id` take many "
                "values in one condition"
            )
        if not isinstance(raw, dict):
            raise wrong_shape(where, "a condition, which is an object", raw)
        # Clients of several languages send every field of their models, null where nothing was
        # said.
        if None in raw.values():
            raw = _without_nulls(raw)
        if "key" in raw:
            return read_field(raw, where)
        if "nested" in raw:
            return self._nested(raw, where, depth)
        for name, read in _SINGLE.items():
            if name in raw:
                value = read_object(raw, where, (name,), (name,))[name]
                return read(value, f"{where}.{name}")
        if raw and not any(name in raw for name in _CLAUSES):
            known = ", ".join(f"`{name}`" for name in ("key", *_SINGLE, "nested", *_CLAUSES))
            raise format_error(f"{where}: unknown condition, expected a field {known}")
        return self.filter(raw, where, depth + 1)

    def _clause(self, raw: Any, where: str, depth: int) -> tuple[Condition, ...] | None:
        if raw is None:
            return None
        if not isinstance(raw, list):
            return (self.condition(raw, where, depth),)
        return tuple(self.condition(one, f"{where}[{i}]", depth) for i, one in enumerate(raw))

    def _min_should(self, raw: Any, where: str, depth: int) -> MinShould | None:
        if raw is None:
            return None
        asked = read_object(raw, where, (names := ("conditions", "min_count")), names)
        least = read_count(asked["min_count"], f"{where}.min_count")
        if least < 1:
            reason = f"value {least} is invalid. Must be 1 or larger."
            raise out_of_range(f"{where}.min_count", reason)
        conditions = self._clause(asked["conditions"], f"{where}.conditions", depth)
        return MinShould(conditions or (), least)

    def _nested(self, raw: Any, where: str, depth: int) -> Nested:
        where = f"{where}.nested"
        inner = read_object(raw, where, ("nested",), ("nested",))["nested"]
        asked = read_object(inner, where, (names := ("key", "filter")), names)
        path = read_path(asked["key"], f"{where}.key")
        return Nested(path, self.filter(asked["filter"], f"{where}.filter", depth + 1))


def _without_nulls(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a condition without the fields of others that are null; all null, it stays none."""
    others = (*FIELD_KINDS, "key", *_SINGLE, "nested", *_CLAUSES)
    kept = {name: one for name, one in raw.items() if one is not None or name not in others}
    return kept or raw


def _too_deep(where: str) -> Refusal:
    # the place of a deep filter is as long as it is deep
    return format_error(
        f"{where[:60]}...: filters are nested more than {MAX_DEPTH} deep; "
        "merge clauses of the same kind"
    )


def _is_empty(raw: Any, where: str) -> Condition:
    asked = read_object(raw, where, ("key",), ("key",))
    return IsEmpty(read_path(asked["key"], f"{where}.key"))


def _is_null(raw: Any, where: str) -> Condition:
    asked = read_object(raw, where, ("key",), ("key",))
    return IsNull(read_path(asked["key"], f"{where}.key"))


def _has_id(raw: Any, where: str) -> Condition:
    return HasId(frozenset(_ids(raw, where)))


def _ids(raw: Any, where: str) -> list[PointId]:
    listed = read_list(raw, where)
    for one in listed:
        if isinstance(one, bool) or not isinstance(one, int | str):
            raise wrong_shape(where, "integers and UUIDs", one)
    try:
        return parse_ids(listed)
    except InvalidId as error:
        raise format_error(f"{where}: {error}") from None


def _has_vector(raw: Any, where: str) -> Condition:
    return HasVector(read_text(raw, where))


def _slice(raw: Any, where: str) -> Condition:
    asked = read_object(raw, where, (names := ("total", "index")), names)
    total, index = (read_count(asked[name], f"{where}.{name}") for name in names)
    if total < 1:
        raise format_error(f"{where}.total: expected an integer of 1 or more, got {total}")
    if index >= total:
        reason = f"value {index} is invalid. Must be from 0 to {total - 1}."
        raise out_of_range(f"{where}.index", reason)
    return Slice(total, index)


_SINGLE = {
    "is_empty": _is_empty,
    "is_null": _is_null,
    "has_id": _has_id,
    "has_vector": _has_vector,
    "slice": _slice,
}
