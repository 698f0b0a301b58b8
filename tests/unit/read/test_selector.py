"""What filters are evaluated over: the points of one view, whatever is written meanwhile."""

from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest
from pyroaring import BitMap

from palimpsest.index import Collection, CollectionConfig, Distance, NamedVectors, PointBatch
from palimpsest.index import VectorConfig as Space
from palimpsest.index.filters.expression import Filter, HasId, HasVector, Match
from tests.conftest import OpenCollection

IDS = [2**53 + 1, UUID(int=5), 7]
KEY = "色"


@pytest.fixture
def collection(collection_of: OpenCollection) -> Collection:
    made = collection_of(CollectionConfig({"текст": Space(1, Distance.DOT)}))
    vectors = {"текст": NamedVectors(np.array([1]), np.ones((1, 1), np.float32))}
    payloads = ['{"色": "é"}'.encode(), '{"色": "e\u0301"}'.encode(), None]
    made.upsert(PointBatch(IDS, vectors, payloads)).result()
    return made


def test_ids_numbers_payloads_and_vectors_of_the_view(collection: Collection) -> None:
    selector = collection.selector()
    numbers = selector.numbers_of([IDS[1], 2**60, IDS[0]])
    assert dict(selector.ids(numbers)) == {0: IDS[0], 1: IDS[1]}
    assert dict(selector.payloads(BitMap([0, 2])))[2] is None
    assert selector.having("текст") == selector.having(0) == BitMap([1])
    assert selector.having("нет") == selector.having(9) == BitMap()


def test_filters_select_by_all_of_it(collection: Collection) -> None:
    selector = collection.selector()
    assert selector.select(Filter((Match((KEY,), ("é",)),))) == BitMap([0])
    assert selector.select(Filter((HasVector("текст"), HasId(frozenset(IDS))))) == BitMap([1])
    assert selector.select(Filter()) == BitMap([0, 1, 2]) == selector.live


def test_points_written_since_are_not_in_the_view(collection: Collection) -> None:
    selector = collection.selector()
    collection.upsert(PointBatch([99], {}, ['{"色": "é"}'.encode()])).result()
    assert 3 not in selector.live and selector.select(Filter()) == BitMap([0, 1, 2])
    assert collection.selector().select(Filter((Match((KEY,), ("é",)),))) == BitMap([0, 3])
