"""What a hit shows beside its score: read for the final hits, and never another point's."""

from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest

from palimpsest.index import Collection, SearchRequest
from palimpsest.index.read.attaching import attached, records
from palimpsest.index.search.closest import Closest
from palimpsest.index.types import SearchStats
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of

IDS = [2**53 + 1, UUID(int=2**53 + 1), 7]
PAYLOADS = ['{"ж": %d}'.encode() % n for n in range(3)]
QUERY = np.ones(2, dtype=np.float32)


@pytest.fixture
def collection(collection_of: OpenCollection) -> Collection:
    made = collection_of(config_of(2))
    rows = np.array([[1, 1], [1, 0.9], [1, -1]], dtype=np.float32)
    made.upsert(batch_of(IDS, rows, PAYLOADS)).result()
    return made


def found(collection: Collection) -> Closest:
    reading = collection.reading()
    return Closest(reading.nearest(SearchRequest(QUERY, k=3), None), SearchStats())


@pytest.mark.parametrize("with_vectors", [False, True, ("",)])
def test_payloads_and_vectors_are_those_of_the_hits(
    collection: Collection, with_vectors: bool | tuple[str, ...]
) -> None:
    request = SearchRequest(QUERY, k=3, with_payload=True, with_vectors=with_vectors)
    shown = attached(collection.view, collection._points, found(collection), request)
    assert list(shown.ids) == IDS and shown.payloads == PAYLOADS and shown.whole
    if with_vectors:
        assert shown.vectors is not None and all(set(one) == {""} for one in shown.vectors)
    else:
        assert shown.vectors is None
    assert shown.stats.seconds["payload"] > 0


def test_hits_that_were_written_since_drop_out(collection: Collection) -> None:
    view, hits = collection.view, found(collection)
    collection.upsert(batch_of([IDS[0]], -QUERY[None], [b"{}"])).result()
    collection.delete([IDS[2]]).result()
    request = SearchRequest(QUERY, k=3, with_payload=True)
    shown = attached(view, collection._points, hits, request)
    assert list(shown.ids) == [IDS[1]] and shown.payloads == [PAYLOADS[1]] and not shown.whole


def test_records_stand_at_the_places_of_their_numbers(collection: Collection) -> None:
    stats = SearchStats()
    numbers = np.array([2, 2**31, 0], dtype=np.uint32)
    shown = records(collection.view, collection._points, numbers, stats, True, ())
    assert [None if one is None else one.id for one in shown] == [IDS[2], None, IDS[0]]
    assert stats.damaged == []
