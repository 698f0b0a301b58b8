"""What is asked of a writer: whose points a write is about, and what may be taken apart."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index import CollectionConfig, Distance, NamedVectors, PointBatch, VectorConfig
from palimpsest.index.filters.expression import Filter, HasId
from palimpsest.index.storage.ids import keys_of
from palimpsest.index.write.batch import Upsert, VectorUpdate, check_upsert, check_vector_update
from palimpsest.index.write.requests import (
    Deletion,
    PayloadEdit,
    VectorDeletion,
    Write,
    filter_of,
    frees,
    names_of,
    part_of,
    size_of,
    whose_of,
)

CONFIG = CollectionConfig({"имя": VectorConfig(2, Distance.DOT)})
IDS = [2**53, 2**53 + 1]
KEYS = keys_of(IDS)
SOME = Filter((HasId(frozenset(IDS)),))
BATCH = PointBatch(
    IDS, {"имя": NamedVectors(np.arange(2), np.ones((2, 2), np.float32))}, [None] * 2
)


def upsert(condition: Filter | None = None) -> Upsert:
    return check_upsert(BATCH, CONFIG, "upsert", condition)


def update(condition: Filter | None = None) -> VectorUpdate:
    return check_vector_update(BATCH, CONFIG, condition)


def edit(*, only_takes: bool = False) -> PayloadEdit:
    return PayloadEdit(KEYS, lambda old: old, only_takes)


def test_only_what_takes_away_frees() -> None:
    assert frees(Deletion(KEYS)) and frees(VectorDeletion(SOME, {"имя": 0}))
    assert frees(edit(only_takes=True))
    assert not any(map(frees, (upsert(), update(), edit())))


def test_a_write_depends_on_its_filter_or_on_its_condition() -> None:
    assert filter_of(Deletion(SOME)) is SOME is filter_of(upsert(SOME)) is filter_of(update(SOME))
    writes: list[Write] = [upsert(), update(), Deletion(KEYS), edit(), VectorDeletion(KEYS, {})]
    for one in writes:
        assert filter_of(one) is None
        assert list(whose_of(one)) == KEYS and size_of(one) == 2
    assert size_of(Deletion(SOME)) == 1


def test_names_are_those_the_write_was_checked_against() -> None:
    assert names_of(upsert()) == names_of(update()) == {"имя": 0}
    assert names_of(VectorDeletion(KEYS, {"имя": 3})) == {"имя": 3}
    assert names_of(Deletion(KEYS)) == names_of(edit()) == {}


def test_writes_that_take_away_have_parts_and_others_none() -> None:
    part = part_of(VectorDeletion(KEYS, {"имя": 0}), KEYS[1:])
    assert isinstance(part, VectorDeletion) and part.whose == KEYS[1:] and part.names == {"имя": 0}
    for one in (upsert(), update()):
        with pytest.raises(TypeError, match="take away"):
            part_of(one, KEYS[:1])
