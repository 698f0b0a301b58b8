"""Points in memory, as filters see them, and their payloads by number."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st
from pyroaring import BitMap

from palimpsest.index.filters.expression import (
    Condition,
    Filter,
    IsEmpty,
    IsNull,
    Match,
    MatchExcept,
    MatchText,
    Range,
)
from palimpsest.index.filters.matching import Facts, compile_filter
from palimpsest.index.payload.config import FieldIndex
from palimpsest.index.payload.indexes import PayloadIndexes
from palimpsest.index.types import PointId
from tests.keys import one_key
from tests.unit.filters import strategies as draw

KINDS = ("keyword", "integer", "float", "bool", "datetime", "uuid", "geo", "text")
PAYLOADS = st.dictionaries(  # of the example's one key
    one_key, draw.scalars | st.lists(draw.scalars, max_size=3), max_size=1
)


def probes(key: str) -> tuple[Condition, ...]:
    """Return conditions on the values at a key."""
    path, values = (key,), (-2, -1, 0, 1, 2, 3, *draw.TEXTS)
    return (
        IsEmpty(path),
        IsNull(path),
        Range(path, gte=1),
        MatchText(path, "red apple", "phrase"),
        *(Match(path, (value,)) for value in values),
        *(MatchExcept(path, (value,)) for value in values),
    )


class Points:
    """A source of what was written; counts the payloads that are read of it."""

    def __init__(self) -> None:
        self.indexes = PayloadIndexes()
        self.live = BitMap()
        self.stored: dict[int, tuple[PointId, bytes | None, Sequence[str]]] = {}
        self.read = 0

    def put(
        self,
        number: int,
        payload: Mapping[str, Any] | None,
        id: PointId = 0,
        names: Sequence[str] = (),
    ) -> None:
        """Write a point, new or not."""
        before = self.stored[number][1] if number in self.stored else None
        after = None if payload is None else json.dumps(payload).encode()
        self.stored[number] = id, after, names
        self.live.add(number)
        self.indexes.replace([number], [before], [after])

    def delete(self, number: int) -> None:
        """Delete a point that is there."""
        _, before, _ = self.stored.pop(number)
        self.live.remove(number)
        self.indexes.replace([number], [before], [None])

    def index(self, key: str, declared: str | Mapping[str, Any]) -> None:
        """Create a payload index of the stored points."""
        building = self.indexes.begin(key, FieldIndex.from_declared(declared))
        building.add(list(self.stored), [payload for _, payload, _ in self.stored.values()])
        self.indexes.finish(building)

    def reopened(self) -> PayloadIndexes:
        """Return the indexes after they were written and read."""
        indexes = PayloadIndexes()
        for key, config in self.indexes.fields.items():
            arrays, description = self.indexes.dump(key)
            declared = FieldIndex.from_json(config.to_json())
            indexes.load(key, declared, arrays, json.loads(json.dumps(description)))
        return indexes

    def passing(self, filter: Filter) -> set[int]:
        """Return the points that the plain twin of ``evaluate`` lets pass."""
        check = compile_filter(filter, self.indexes.tokenizers)
        return {
            number
            for number, (id, payload, names) in self.stored.items()
            if check(Facts(id, json.loads(payload or b"{}"), names))
        }

    def payloads(self, numbers: BitMap) -> Iterator[tuple[int, bytes | None]]:
        for number in numbers:
            self.read += 1
            yield number, self.stored[number][1]

    def numbers_of(self, ids: Iterable[PointId]) -> BitMap:
        wanted = set(ids)
        return BitMap([number for number, (id, _, _) in self.stored.items() if id in wanted])

    def having(self, vector: str | int) -> BitMap:
        return BitMap([n for n, (_, _, names) in self.stored.items() if vector in names])

    def ids(self, numbers: BitMap) -> Iterator[tuple[int, PointId]]:
        return ((number, self.stored[number][0]) for number in numbers)
