"""What a search is expected to take counts every part that is searched, bridges included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    Distance,
    FitRequest,
    NamedVectors,
    Pairs,
    PointBatch,
    SearchRequest,
    VectorConfig,
)
from tests.conftest import open_collection
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
