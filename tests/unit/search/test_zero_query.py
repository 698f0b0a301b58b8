"""Zero vectors under cosine: kept, read back as zero, score 0 on every path, harm no others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palimpsest.index import Distance, Range, SearchRequest, parse_path
from palimpsest.index.filters.expression import Filter
from palimpsest.index.types import Vectors
from tests.conftest import OpenCollection
from tests.oracle import distances, recall
from tests.points import batch_of, config_of

SIZE = 24
QUERIES = 40


def rows_with_zeros(n: int, zeros: int, seed: int = 0) -> tuple[Vectors, list[int]]:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, SIZE)).astype(np.float32)
    at = sorted(rng.choice(n, zeros, replace=False).tolist())
    rows[at] = 0
    return rows, at


@pytest.mark.parametrize("encoding", ["8", "4", "1", "float32"])
@pytest.mark.parametrize("zeros", [1, 200, 1_800, 2_000])
def test_they_score_0_and_cost_the_others_no_recall(
    zeros: int, encoding: Any, collection_of: OpenCollection
) -> None:
    n = 2_000
    rows, at = rows_with_zeros(n, zeros)
    collection = collection_of(config_of(SIZE, encoding=encoding))
    collection.upsert(batch_of(list(range(n)), rows)).result()
    queries = np.random.default_rng(1).standard_normal((QUERIES, SIZE)).astype(np.float32)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    truth = distances(queries, unit, Distance.DOT)
    for _ in ("growing", "sealed"):
        found = [list(collection.search(SearchRequest(q, k=10, ef=200)).ids) for q in queries]
        assert recall(found, truth, 10) > (0.98 if zeros <= 200 else 0.93)  # type: ignore[arg-type]
        every = collection.search(SearchRequest(queries[0], k=n, exact=True))
        scores = dict(zip(every.ids, every.distances.tolist(), strict=True))
        assert {scores[one] for one in at} == {0.0}
        records = collection.retrieve([at[0]], with_vectors=True)
        np.testing.assert_array_equal((records[0].vectors or {})[""], np.zeros(SIZE))
        collection.upkeep.seal()


def test_a_zero_query_returns_what_passes_in_the_order_of_ids(
    collection_of: OpenCollection,
) -> None:
    n = 1_500
    rows, _ = rows_with_zeros(n, 3)
    collection = collection_of(config_of(SIZE))
    ids = list(np.random.default_rng(2).permutation(n))
    payloads = [b'{"n": %d}' % one for one in ids]
    half = n // 2
    collection.upsert(batch_of([int(i) for i in ids[:half]], rows[:half], payloads[:half])).result()
    collection.upkeep.seal()
    collection.upsert(batch_of([int(i) for i in ids[half:]], rows[half:], payloads[half:])).result()
    zero = np.zeros(SIZE, dtype=np.float32)
    pages = [collection.search(SearchRequest(zero, k=100, offset=at)) for at in range(0, n, 100)]
    assert [one for page in pages for one in page.ids] == list(range(n))
    assert {one for page in pages for one in page.distances.tolist()} == {0.0}
    few = Filter(must=(Range(parse_path("n"), gte=700),))
    passing = collection.search(SearchRequest(zero, k=5, filter=few))
    assert list(passing.ids) == [700, 701, 702, 703, 704]
    by_id = collection.search(SearchRequest(0, k=5))
    assert 0 not in by_id.ids and len(by_id.ids) == 5


def test_segments_of_nothing_else_are_compacted(collection_of: OpenCollection) -> None:
    collection = collection_of(config_of(SIZE, seal_rows=2_000))
    for start in range(0, 5_000, 1_000):
        zeros = np.zeros((1_000, SIZE), dtype=np.float32)
        collection.upsert(batch_of(list(range(start, start + 1_000)), zeros)).result()
        collection.upkeep.seal()
    collection.upkeep.compact()
    query = np.ones(SIZE, dtype=np.float32)
    found = collection.search(SearchRequest(query, k=20))
    assert len(set(found.ids)) == 20
    assert set(found.distances.tolist()) == {0.0}
