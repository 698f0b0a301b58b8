"""Points given by id as vectors to search with: in the order asked for, or refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import numpy as np
import pytest

from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.errors import InvalidVector, PointNotFound
from palimpsest.index.read.by_id import vectors_by_id
from palimpsest.index.types import Distance, Numbers, PointId, PointVector

CONFIG = VectorConfig(1, Distance.DOT)
BIG, ONE = 2**53 + 1, UUID(int=2**53 + 1)


class Points:
    """Points BIG and ONE of which the latter has no vector; ``gone`` are deleted meanwhile."""

    def __init__(self, gone: Sequence[PointId] = ()) -> None:
        self.known: dict[PointId, int] = {BIG: 5, ONE: 2**32 - 1}
        self.gone = gone

    def numbers_of(self, ids: Sequence[PointId]) -> list[int | None]:
        return [self.known.get(one) for one in ids]

    def examples(self, name: str, numbers: Numbers) -> Sequence[PointVector | None]:
        assert name == "имя" and numbers.dtype == np.uint32
        for one in self.gone:
            self.known.pop(one, None)
        row = np.ones(1, dtype=np.float32)
        return [row if number == 5 else None for number in numbers.tolist()]


def test_numbers_and_vectors_by_id() -> None:
    numbers, found = vectors_by_id(Points(), "имя", CONFIG, [BIG, BIG])
    assert numbers == [5, 5] and list(found) == [BIG]
    assert vectors_by_id(Points(), "имя", CONFIG, []) == ([], {})


def test_a_point_that_is_not_there_and_one_without_the_vector() -> None:
    with pytest.raises(PointNotFound, match="9007199254740992"):
        vectors_by_id(Points(), "имя", CONFIG, [BIG, 2**53])
    with pytest.raises(InvalidVector, match=f"Point {ONE} has no vector 'имя'"):
        vectors_by_id(Points(), "имя", CONFIG, [ONE])


def test_a_point_that_is_deleted_meanwhile_is_not_there() -> None:
    with pytest.raises(PointNotFound, match=str(ONE)):
        vectors_by_id(Points(gone=[ONE]), "имя", CONFIG, [ONE])
