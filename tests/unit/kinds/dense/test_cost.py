"""What a dense search is expected to take: by its rows, by how they are searched, never nothing."""

from __future__ import annotations

import numpy as np

from palimpsest.index import Collection, Distance, SearchRequest
from palimpsest.index.kinds.dense.cost import seconds
from palimpsest.index.view.dense import dense_of
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of

SIZE, N = 8, 3_000


def cost(collection: Collection, request: SearchRequest) -> float:
    view = collection.view
    return seconds(view, dense_of(view.vectors[0]), request)


def test_rows_walked_cost_less_than_rows_scanned(
    collection_of: OpenCollection, rng: np.random.Generator
) -> None:
    made = collection_of(config_of(SIZE, Distance.EUCLID))
    asked = SearchRequest(np.ones(SIZE, dtype=np.float32))
    empty = cost(made, asked)
    rows = rng.standard_normal((N, SIZE)).astype(np.float32)
    made.upsert(batch_of(list(range(N)), rows)).result()
    growing = cost(made, asked)
    made.upkeep.seal()
    sealed, exact = cost(made, asked), cost(made, asked._replace(exact=True))
    assert 0 < empty < sealed <= exact and empty < growing <= exact
    assert cost(made, asked._replace(ef=2 * N)) >= cost(made, asked._replace(ef=16))
    assert cost(made, asked._replace(k=2**63)) <= 100 * exact


def test_a_zero_query_is_a_matter_of_ids(collection_of: OpenCollection) -> None:
    made = collection_of(config_of(SIZE, Distance.DOT))
    zero = SearchRequest(np.zeros(SIZE, dtype=np.float32))
    before = cost(made, zero)
    made.upsert(batch_of([1, 2], np.ones((2, SIZE), dtype=np.float32))).result()
    assert before < cost(made, zero) < 2 * before
