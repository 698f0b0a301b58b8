"""What plain queries mean but for their vectors, remembered by the text around these."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from palimpsest.app.schemas.plain import ANY_VECTOR, MARK, PlainQueries, Query
from palimpsest.app.schemas.selectors import PayloadSelector
from palimpsest.index import CollectionConfig, Distance, SearchRequest, VectorConfig

CONFIG = CollectionConfig({"": VectorConfig(size=3, distance=Distance.DOT)})
SELECT = PayloadSelector(None, default=False)


class Body(msgspec.Struct):
    query: msgspec.Raw
    limit: int = 10


class Reader:
    """Reads bodies, and counts how many it had to."""

    def __init__(self) -> None:
        self.count = 0
        self.queries = PlainQueries(self)

    def __call__(self, text: bytes, config: CollectionConfig) -> Query | None:
        self.count += 1
        body = msgspec.json.decode(text, type=Body)
        if bytes(body.query) != MARK:
            return None
        return Query(SearchRequest(ANY_VECTOR, k=body.limit), SELECT, similarity=True)

    def vector(self, text: bytes, config: CollectionConfig = CONFIG) -> list[float] | None:
        found = self.queries.find(text, config)
        return None if found is None else np.asarray(found.request.query).tolist()


def test_each_vector_is_its_own_and_the_rest_is_read_once() -> None:
    reader = Reader()
    for values in ([1.0, 2.0], [], [3.0], [1.0, 2.0, -0.5]):
        for limit in (3, 7):
            text = json.dumps({"query": values, "limit": limit}).encode()
            found = reader.queries.find(text, CONFIG)
            assert found is not None
            assert np.asarray(found.request.query).tolist() == values
            assert found.request.k == limit
    assert reader.count == 2


def test_what_names_mean_is_that_of_the_config() -> None:
    reader = Reader()
    other = CollectionConfig({"": VectorConfig(size=5, distance=Distance.EUCLID)})
    for config in (CONFIG, other, CONFIG, other):
        assert reader.vector(b'{"query":[1]}', config) == [1.0]
    assert reader.count == 2


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[",
        b"]",
        b'{"query":7}',
        b'{"query":[1,]}',
        b'{"query":[1]',
        b'{"other":[1],"query":[2]}',
        b'{"query":[1],"query":[2]}',
        b'{"query":"[1]"}',
        b'{"query":[1],"note":"%s"}' % MARK,
    ],
)
def test_others_are_read_the_plain_way(text: bytes) -> None:
    reader = Reader()
    assert reader.vector(b'{"query":[1]}') == [1.0]
    for _ in range(2):
        assert reader.vector(text) is None


def test_memory_is_bounded() -> None:
    reader = Reader()
    texts = [b'{"query":[1],"limit":%d}' % limit for limit in range(2_000)]
    for text in texts:
        assert reader.vector(text) == [1.0]
    assert reader.count == 2_000
    assert reader.vector(texts[-1]) == [1.0]
    assert reader.count == 2_000
    assert reader.vector(texts[0]) == [1.0]
    assert reader.count == 2_001
    long = b'{"query":[1],"note":"%s"}' % (b"x" * 2_000)
    for _ in range(2):
        assert reader.vector(long) == [1.0]
    assert reader.count == 2_003
