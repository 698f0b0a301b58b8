"""What a search is expected to take counts every part that is searched, bridges included."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    DatetimeRange,
    Distance,
    FieldIndex,
    Filter,
    FitRequest,
    Match,
    NamedVectors,
    Pairs,
    PointBatch,
    Range,
    SearchRequest,
    VectorConfig,
)
from palimpsest.index.filters.expression import Condition
from tests.conftest import OpenCollection, open_collection
from tests.points import batch_of
from tests.points import config_of as plain_config
from tests.unit.versions.mixed import config_of

OLD, NEW, ROWS = 16, 12, 20_000


@pytest.fixture
def upgraded(tmp_path: Path, rng: np.random.Generator) -> Iterator[Collection]:
    """A large v1, a few points of v2, and a way from one to the other."""
    space = VectorConfig(OLD, Distance.COSINE)
    collection = open_collection(tmp_path / "c", config_of(space))
    rows = rng.standard_normal((ROWS, OLD), dtype=np.float32)
    turned = np.ascontiguousarray(rows[:, :NEW])
    for start in range(0, ROWS, 4_000):
        ids = list(range(start, start + 4_000))
        vectors = {"": NamedVectors(np.arange(4_000), rows[ids])}
        collection.upsert(PointBatch(ids, vectors, [None] * 4_000)).result()
    collection.versions.declare("", "v2", VectorConfig(NEW, Distance.COSINE), declared={})
    few = PointBatch([1, 2], {"@v2": NamedVectors(np.arange(2), turned[1:3])}, [None] * 2)
    collection.update_vectors(few).result()
    pairs = Pairs(rows[:500], turned[:500])
    collection.versions.fit(FitRequest("v1", "v2", kind="ridge", pairs=pairs))
    yield collection
    collection.close()


def test_rows_found_over_bridges_cost_as_much_as_others(upgraded: Collection) -> None:
    own = upgraded.cost(SearchRequest(np.ones(OLD, dtype=np.float32)))
    asked = SearchRequest(np.ones(NEW, dtype=np.float32))
    bridged = upgraded.showing("v2").cost(asked)
    assert bridged > own
    assert upgraded.showing("v2").cost(asked._replace(bridge="off")) < own
    assert upgraded.cost(asked._replace(vector_name="@v2")) == bridged


def test_a_deep_page_and_an_exact_search_cost_more(upgraded: Collection) -> None:
    asked = SearchRequest(np.ones(OLD, dtype=np.float32))
    assert upgraded.cost(asked._replace(exact=True)) > upgraded.cost(asked)
    assert upgraded.cost(asked._replace(offset=5_000)) > upgraded.cost(asked)
    assert upgraded.cost(asked._replace(k=2**64 - 1)) > ROWS * 1e-6
    zero = asked._replace(query=np.zeros(OLD, dtype=np.float32))
    assert upgraded.cost(zero) > ROWS * 50e-9


def test_payloads_that_an_index_leaves_to_be_read_count(collection_of: OpenCollection) -> None:
    """An index of another kind of value answers nothing, and its own may leave some points open."""
    rows = np.ones((ROWS, 2), dtype=np.float32)
    collection = collection_of(plain_config(2))
    collection.upsert(batch_of([*range(ROWS)], rows, [b'{"a": "x", "b": 1}'] * ROWS)).result()
    for key, kind in {"a": "keyword", "b": "float", "when": "datetime"}.items():
        collection.create_index(key, FieldIndex.from_declared(kind)).result()

    def cost(condition: Condition) -> float:
        asked = SearchRequest(np.ones(2, np.float32), filter=Filter(must=(condition,)))
        return collection.cost(asked)

    usual = cost(Match(("a",), ("x",)))
    assert usual == cost(Range(("b",), gte=1)) < math.inf
    for condition in (
        Range(("a",), gte=1),
        DatetimeRange(("a",), gte=0),
        DatetimeRange(("b",), gte=0),
        Match(("b",), (1,)),
        Match(("when",), (1,)),
        Range(("when",), gte=1),
        Match(("nope",), ("x",)),
    ):
        assert cost(condition) == math.inf, condition
    assert cost(Match(("a",), (1,))) == usual  # nobody holds anything else
    large = [f'{{"a": {i}, "b": {2**53 + 1}}}'.encode() for i in range(ROWS)]
    collection.upsert(batch_of([*range(ROWS)], rows, large)).result()
    usual = cost(Match(("a",), ("x",)))
    assert cost(Match(("a",), (1,))) > usual + ROWS * 1e-6
    assert cost(Range(("b",), gte=1)) > usual + ROWS * 1e-6
