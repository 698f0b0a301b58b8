"""What a search is told to take grows with what it compares."""

from __future__ import annotations

import numpy as np

from palimpsest.index import CollectionConfig, MaintenanceConfig, MultiVector, SearchRequest
from tests.conftest import OpenCollection
from tests.unit.kinds.multi.corpus import SIZE, texts
from tests.unit.kinds.multi.test_finding import CONFIG
from tests.unit.kinds.multi.test_kind import seal, write_sets


def test_more_is_told_of_searches_that_compare_more(collection_of: OpenCollection) -> None:
    collection = collection_of(
        CollectionConfig({"tokens": CONFIG}, MaintenanceConfig(quiet_rows=1))
    )

    def cost(vectors: int = 4, **asked: object) -> float:
        query = MultiVector(np.ones((vectors, SIZE), np.float32))
        return collection.cost(SearchRequest(query, "tokens", **asked))  # type: ignore[arg-type]

    nothing = cost()
    write_sets(collection, texts(1_100))
    growing = cost()
    assert growing > nothing and cost(40) > 2 * growing - nothing
    seal(collection)
    assert nothing < cost(80, ef=20) < cost(80) < cost(80, exact=True)
