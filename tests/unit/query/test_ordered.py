"""Points by a payload value, by id, or at random: exact ones, and those only payloads have."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from pyroaring import BitMap

from palimpsest.index import Collection, CollectionConfig, FieldIndex, PointBatch
from palimpsest.index.errors import NoRangeIndex
from palimpsest.index.query.ordered import by_id, by_value, sample
from palimpsest.index.query.request import OrderBy
from palimpsest.index.query.scope import Scope
from tests.conftest import OpenCollection

KEY = "число"
VALUES: dict[Any, Any] = {
    1: 2**53, 2: 2**53 + 1, 3: [5, 5, 2**53 + 2], 4: 2**64, 5: "x", 6: None, 7: -(2**63) - 1,
    8: 0.5, UUID(int=1): 5,
}  # fmt: skip


@pytest.fixture
def collection(collection_of: OpenCollection) -> Collection:
    made = collection_of(CollectionConfig({}))
    payloads = [json.dumps({KEY: value}).encode() for value in VALUES.values()]
    made.upsert(PointBatch([*VALUES], {}, payloads)).result()
    made.create_index(KEY, FieldIndex.from_declared("integer")).result()
    return made


def ordered(made: Collection, count: int = 20, **query: Any) -> list[tuple[Any, Any]]:
    reading = made.reading()
    found = by_value(reading, OrderBy((KEY,), **query), Scope(), count)
    ids = reading.ids_of(found.numbers)
    assert found.order_values is not None
    return [(ids[n], v) for n, v in zip(found.numbers.tolist(), found.order_values, strict=True)]


def test_values_that_the_index_cannot_hold_stand_in_their_places(collection: Collection) -> None:
    up = ordered(collection)
    assert [value for _, value in up] == [
        -(2**63) - 1, 0.5, 5, 5, 2**53, 2**53 + 1, 2**53 + 2, 2**64,
    ]  # fmt: skip
    assert {one for one, value in up if value == 5} == {3, UUID(int=1)}
    down = ordered(collection, descending=True)
    assert [value for _, value in down] == [value for _, value in up][::-1]
    assert ordered(collection, 3) == up[:3] and ordered(collection, 2, descending=True) == down[:2]


def test_an_order_goes_on_from_a_value_exactly(collection: Collection) -> None:
    above = ordered(collection, start_from=2**53 + 1)
    assert [one for one, _ in above] == [2, 3, 4]
    below = ordered(collection, start_from=0.5, descending=True)
    assert [value for _, value in below] == [0.5, -(2**63) - 1]


def test_without_an_index_of_ranges_there_is_no_order(collection: Collection) -> None:
    with pytest.raises(NoRangeIndex, match="другое"):
        by_value(collection.reading(), OrderBy(("другое",)), Scope(), 3)


def test_integers_come_before_uuids(collection: Collection) -> None:
    reading = collection.reading()
    found = by_id(reading, Scope(), 20)
    ids = reading.ids_of(found.numbers)
    assert [ids[n] for n in found.numbers.tolist()] == [*range(1, 9), UUID(int=1)]
    assert set(found.scores.tolist()) == {1.0}
    assert len(by_id(reading, Scope(within=BitMap()), 5)) == 0


def test_a_sample_has_every_point_once_at_most(collection: Collection) -> None:
    reading = collection.reading()
    orders = {tuple(sample(reading, Scope(), 100).numbers.tolist()) for _ in range(20)}
    assert all(sorted(one) == list(reading.live) for one in orders) and len(orders) > 1
    few = sample(reading, Scope(without=BitMap(list(reading.live)[1:])), 5)
    assert few.numbers.tolist() == list(reading.live)[:1]
