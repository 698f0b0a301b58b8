"""Points given by id, as vectors to search with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

import numpy as np

from palimpsest.index.config.kinds import ColumnConfig
from palimpsest.index.errors import InvalidVector, PointNotFound
from palimpsest.index.types import Numbers, PointId, PointVector

Point: TypeAlias = PointVector  # where a target lies


class HoldsPoints(Protocol):
    """What holds the points: a reading."""

    def numbers_of(self, ids: Sequence[PointId]) -> list[int | None]:
        """Return the number of each id, None where there is no such point."""

    def examples(self, name: str, numbers: Numbers) -> Sequence[PointVector | None]:
        """Return vectors that queries are made of, None for points without one."""


def vectors_by_id(
    source: HoldsPoints, name: str, config: ColumnConfig, ids: Sequence[PointId]
) -> tuple[list[int], Mapping[PointId, Point]]:
    """Return the numbers of points, and their vectors of a name by id.

    Raises:
        PointNotFound: there is no such point.
        InvalidVector: one has no vector of the name, nor one that can be mapped to it.
    """
    if not ids:
        return [], {}
    numbers: list[int] = []
    for one, number in zip(ids, source.numbers_of(ids), strict=True):
        if number is None:
            raise PointNotFound(one)
        numbers.append(number)
    places = np.array(numbers, dtype=np.uint32)
    found = source.examples(name, places)
    vectors: dict[PointId, Point] = {}
    for one, vector in zip(ids, found, strict=True):
        if vector is None:
            if source.numbers_of([one]) == [None]:  # it was deleted after it was looked up
                raise PointNotFound(one)
            raise InvalidVector(f"Point {one} has no vector {name!r} to search with")
        vectors[one] = vector
    return numbers, vectors
