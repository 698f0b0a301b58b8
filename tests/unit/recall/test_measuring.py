"""What is measured agrees with a plain count, and there is a report of whatever there is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Distance,
    InvalidInput,
    MultiConfig,
    MultiVector,
    NamedMultiVectors,
    PointBatch,
    RecallRequest,
    SearchRequest,
    SparseConfig,
    Stop,
    Stopped,
    VectorConfig,
    stopping,
)
from palimpsest.index.recall.interval import interval_of
from palimpsest.index.types import Vectors
from tests.conftest import Corpus, OpenCollection
from tests.points import batch_of, config_of
from tests.unit.recall.rows import ASKED, ROWS, SIZE, N, sealed
from tests.unit.versions.mixed import Account, texts_of
from tests.unit.versions.mixed import config_of as versioned


def plain_recall(collection: Collection, queries: Vectors, **how: Any) -> list[float]:
    found = []
    for query in queries:
        exact = collection.search(SearchRequest(query, exact=True))
        planned = collection.search(SearchRequest(query, **how))
        found.append(len({*exact.ids} & {*planned.ids}) / len(exact.ids))
    return found


@pytest.mark.parametrize("how", [{}, {"ef": 10}])
def test_it_is_what_a_plain_count_says(collection_of: OpenCollection, how: dict[str, Any]) -> None:
    collection = sealed(collection_of)
    measured = collection.measure_recall(RecallRequest(given=list(ASKED), **how))
    plain = plain_recall(collection, ASKED, **how)
    assert measured.every is not None and measured.origins is not None
    assert measured.every.recall == pytest.approx(np.mean(plain), abs=0.004)
    assert measured.origins == {"given": measured.every}
    assert measured.every.queries == len(ASKED) and measured.whole
    assert measured.every.interval.low <= measured.every.recall <= measured.every.interval.high
    assert measured.every.worst <= measured.every.recall
    assert measured.ef == how.get("ef")  # by default codes of so few are scanned
    assert (measured.needed is None) == (measured.ef is None)
    assert measured.dimension is not None and 8 < measured.dimension.mean < 40
    assert measured.reach is not None and measured.reach == (N, 0)


def test_estimates_hold_the_recall_of_all_queries(
    corpus: Corpus, collection_of: OpenCollection
) -> None:
    """Of 100 draws of 600 from the 200 queries there are, by default and by a low ef."""
    base = corpus.base[:6_000]
    collection = collection_of(config_of(base.shape[1]))
    collection.upsert(batch_of(range(len(base)), base)).result()
    collection.upkeep.seal()
    rng = np.random.default_rng(11)
    for how in ({}, {"ef": 12}):
        shares = np.array(plain_recall(collection, corpus.queries, **how))
        inside = 0
        for _ in range(100):
            some = rng.integers(len(shares), size=600)  # some are asked more than once
            low, high = interval_of(shares[some])
            inside += low <= shares.mean() <= high
            assert high - low <= 0.03
        assert inside >= 90
        measured = collection.measure_recall(RecallRequest(given=list(corpus.queries), **how))
        assert measured.every is not None
        assert measured.every.recall == pytest.approx(shares.mean(), abs=0.002)


def test_rows_that_no_walk_meets_are_counted(collection_of: OpenCollection) -> None:
    collection = sealed(collection_of)
    searcher = collection.view.vectors[0].sealed[0].segment.searcher  # type: ignore[attr-defined]
    searcher._unreached = 12
    reach = collection.measure_recall(RecallRequest(num=2)).reach
    assert reach is not None and reach.unreached == 12


def test_nothing_is_measured_of_nothing(collection_of: OpenCollection) -> None:
    measured = collection_of(config_of(SIZE)).measure_recall(RecallRequest())
    assert measured.every is None and not measured.exact and measured.whole
    assert measured.needed is None and measured.dimension is None and measured.reach is None


def test_growing_rows_alone(collection_of: OpenCollection) -> None:
    collection = collection_of(config_of(SIZE))
    collection.upsert(batch_of(range(200), ROWS[:200])).result()
    measured = collection.measure_recall(RecallRequest(num=30))
    assert measured.every is not None and measured.every.recall == 1
    assert measured.ef is None and measured.reach is None


def test_copies_count_as_each_other(collection_of: OpenCollection) -> None:
    rows = np.repeat(ROWS[:20], 80, axis=0)
    measured = sealed(collection_of, rows).measure_recall(RecallRequest(num=50))
    assert measured.every is not None and measured.every.recall == 1


def test_searches_that_are_exact_are_not_asked(collection_of: OpenCollection) -> None:
    config = CollectionConfig({"words": SparseConfig(), "far": VectorConfig(3, Distance.MANHATTAN)})
    collection = collection_of(config)
    for name in ("words", "far"):
        measured = collection.measure_recall(RecallRequest(vector_name=name))
        assert measured.exact and measured.every is None


def test_sets_of_vectors(collection_of: OpenCollection) -> None:
    config = CollectionConfig({"": MultiConfig(16, Distance.COSINE)})
    collection = collection_of(config)
    rng = np.random.default_rng(3)
    n, each = 400, 5
    values = rng.standard_normal((n * each, 16)).astype(np.float32)
    starts = np.arange(0, n * each + 1, each)
    batch = PointBatch(range(n), {"": NamedMultiVectors(np.arange(n), starts, values)}, [None] * n)
    collection.upsert(batch).result()
    collection.upkeep.seal()
    for _ in range(9):
        collection.search(SearchRequest(MultiVector(values[:3])))
    measured = collection.measure_recall(RecallRequest(num=20))
    assert measured.every is not None and measured.every.recall >= 0.9
    assert measured.origins is not None and set(measured.origins) == {"rows", "recent"}
    assert measured.dimension is None


def test_versions_over_a_bridge(collection_of: OpenCollection, rng: np.random.Generator) -> None:
    n = 200
    texts = texts_of(n, rng)
    spaces = {v: VectorConfig(texts.rows[v].shape[1], Distance.COSINE) for v in ("v1", "v2")}
    account = Account(collection_of(versioned({"": spaces["v1"]})), texts, spaces, "")
    account.declare("v2")
    account.put("v1", range(n))
    account.fit("v1", "v2")
    virtual = account.collection.showing("v2")
    measured = virtual.measure_recall(RecallRequest(num=20))
    assert measured.every is not None and measured.every.recall >= 0.95
    assert measured.dimension is None  # distances are estimates


def test_it_ends_with_its_time_and_when_nobody_waits(collection_of: OpenCollection) -> None:
    collection = sealed(collection_of)
    brief = collection.measure_recall(RecallRequest(num=500, seconds=0.01))
    assert brief.every is not None and 1 <= brief.every.queries < 500 and not brief.whole
    stop = Stop()
    stop.set()
    with stopping(stop), pytest.raises(Stopped):
        collection.measure_recall(RecallRequest())


def test_a_wrong_query_is_refused(collection_of: OpenCollection) -> None:
    with pytest.raises(InvalidInput):
        sealed(collection_of).measure_recall(RecallRequest(given=[np.ones(3, np.float32)]))
