"""Indexes that nobody declared: of fields by which filters had to read the payloads of many points.

They are kept in memory alone, within a bound, and follow writes as declared ones do. They answer
conditions and nothing else: no schema names them, no order is made by them, and what has to be
indexed still has to be declared. Where there is no room the newest goes, and is not made again.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import TypeAlias

from palimpsest.index.filters.expression import (
    Condition,
    DatetimeRange,
    Field,
    Filter,
    GeoBox,
    GeoPolygon,
    GeoRadius,
    IsEmpty,
    IsNull,
    Match,
    MatchExcept,
    Path,
    Range,
    ValuesCount,
)
from palimpsest.index.filters.paths import format_path
from palimpsest.index.filters.walk import conditions_of
from palimpsest.index.payload.config import FieldIndex, FieldKind
from palimpsest.index.payload.field import IndexedField

LEAST_READ = 16_384  # payloads: fewer are read quickly enough
MOST_BYTES = 64 << 20  # of memory, of all automatic indexes of a collection
MOST_FIELDS = 8
CHECKED_EACH = 16_384  # points that were written, until the bytes are counted again

_KINDS: Mapping[type, FieldKind] = {str: "keyword", int: "integer", bool: "bool"}
_OF_CONDITION: Mapping[type, FieldKind] = {
    Range: "float",
    DatetimeRange: "datetime",
    GeoBox: "geo",
    GeoRadius: "geo",
    GeoPolygon: "geo",
    IsEmpty: "keyword",  # what is present is known to an index of any kind
    IsNull: "keyword",
    ValuesCount: "keyword",
}
Ask: TypeAlias = Callable[[str, FieldIndex], None]
_Key: TypeAlias = tuple[Path, FieldKind]


class Automatic:
    """The automatic indexes of one collection. Not locked, as ``IndexedField``."""

    def __init__(self) -> None:
        # Both are replaced and never changed: readers hold no lock while they look a field up.
        self._fields: Mapping[_Key, IndexedField] = {}
        self._by_path: Mapping[Path, tuple[IndexedField, ...]] = {}
        self._refused: set[_Key] = set()  # for want of room, until the next open
        self._touched = 0
        self.ask: Ask | None = None  # has an index made beside everything else, unless it is

    @property
    def fields(self) -> list[tuple[Path, IndexedField]]:
        """Every field, by the path that its values stand at."""
        return [(path, field) for (path, _), field in self._fields.items()]

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return sum(field.nbytes for field in self._fields.values())

    def at(self, path: Path) -> tuple[IndexedField, ...]:
        """Return the fields of a path, which differ by kind."""
        return self._by_path.get(path, ())

    def put(self, path: Path, field: IndexedField) -> None:
        """Take a field that was built, where there is room for it."""
        self._set({**self._fields, (path, field.config.kind): field})
        self._trim()

    def refuse(self, path: Path, index: FieldIndex) -> None:
        """Ask for an index no more."""
        self._refused.add((path, index.kind))

    def drop(self, path: Path) -> None:
        """Forget the fields of a path: it is declared now."""
        if path in self._by_path:
            self._set({key: one for key, one in self._fields.items() if key[0] != path})

    def touched(self, points: int) -> bool:
        """Count points that were written; tell whether fields were dropped for want of room."""
        self._touched += points
        if self._touched < CHECKED_EACH or not self._fields:
            return False
        self._touched = 0
        return self._trim()

    def answers(self, filter: Filter) -> list[str]:
        """Return the keys of the fields here that conditions of a filter ask, each once."""
        if not self._fields:
            return []
        asked = {_path_of(base, condition) for base, condition in conditions_of(filter)}
        return sorted(format_path(path) for path in asked if path in self._by_path)

    def read(self, filter: Filter, declared: Container[Path]) -> None:
        """Take that many payloads were read for a filter: have fields indexed that are not."""
        if len(self._fields) >= MOST_FIELDS:
            return  # it would be built to be dropped
        for base, condition in conditions_of(filter):
            index, path = index_for(condition), _path_of(base, condition)
            if index is None or base or path in declared or self.ask is None:
                continue
            if (path, index.kind) not in self._fields and (path, index.kind) not in self._refused:
                self.ask(format_path(path), index)

    def _trim(self) -> bool:
        """Drop the newest fields until the others are within bounds; tell whether any was."""
        kept = dict(self._fields)
        room = MOST_BYTES - self.nbytes
        while kept and (room < 0 or len(kept) > MOST_FIELDS):
            key, field = kept.popitem()
            room += field.nbytes
            self._refused.add(key)
        if len(kept) == len(self._fields):
            return False
        self._set(kept)
        return True

    def _set(self, fields: Mapping[_Key, IndexedField]) -> None:
        by_path: dict[Path, tuple[IndexedField, ...]] = {}
        for (path, _), field in fields.items():
            by_path[path] = (*by_path.get(path, ()), field)
        self._fields, self._by_path = fields, by_path


def index_for(condition: Condition) -> FieldIndex | None:
    """Return the index that answers a condition, None where none does or texts would be cut."""
    if isinstance(condition, Match | MatchExcept):
        kinds = {_KINDS.get(type(value)) for value in condition.values}
        kind = kinds.pop() if len(kinds) == 1 else None
    else:
        kind = _OF_CONDITION.get(type(condition))
    return None if kind is None else FieldIndex(kind, declared={"type": kind})


def _path_of(base: Path, condition: object) -> Path:
    return (*base, *condition.path) if isinstance(condition, Field) else base
