"""What is read is what is searched: before a row is sealed, after, reopened and compacted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palimpsest.index import Collection, Distance, SearchRequest
from palimpsest.index.types import Vectors
from tests.conftest import OpenCollection, open_collection
from tests.points import batch_of, config_of

SIZE = 6
N = 1_500  # enough for a graph
HALVES: dict[str, Any] = {"datatype": "float16", "originals": "float16"}
BYTES: dict[str, Any] = {"datatype": "uint8", "originals": "float16"}


def wild(seed: int = 0) -> Vectors:
    """Return rows of which many change by rounding: fractions, and values beyond what there is."""
    rng = np.random.default_rng(seed)
    return (300 * rng.standard_normal((N, SIZE)) * 10 ** rng.uniform(-3, 3, (N, 1))).astype("f4")


def answers(collection: Collection, queries: Vectors) -> list[tuple[list[Any], list[float]]]:
    found = [collection.search(SearchRequest(query, k=N, exact=True)) for query in queries]
    return [(list(one.ids), one.distances.tolist()) for one in found]


def read(collection: Collection) -> Vectors:
    records = collection.retrieve(list(range(N)), with_vectors=True)
    return np.stack([(one.vectors or {})[""] for one in records])  # type: ignore[arg-type]


@pytest.mark.parametrize("encoding", ["4", "float32"])
@pytest.mark.parametrize(
    "choices",
    [HALVES, BYTES, {"datatype": "uint8"}, {"originals": "float16"}, {"originals": "float32"}],
)
@pytest.mark.parametrize("distance", Distance)
def test_no_phase_changes_a_value_or_a_score(
    distance: Distance, choices: dict[str, Any], encoding: Any, collection_of: OpenCollection
) -> None:
    rows, queries = wild(), wild(1)[:8]
    collection = collection_of(config_of(SIZE, distance, encoding=encoding, **choices))
    collection.upsert(batch_of(list(range(N)), rows)).result()
    values, found = read(collection), answers(collection, queries)
    collection.upkeep.seal()
    np.testing.assert_array_equal(read(collection), values)
    assert answers(collection, queries) == found
    collection.delete(list(range(N // 2))).result()
    collection.upsert(batch_of(list(range(N // 2)), rows[: N // 2])).result()
    collection.upkeep.compact()
    assert answers(collection, queries) == found
    collection.close()
    reopened = open_collection(collection.folder)
    np.testing.assert_array_equal(read(reopened), values)
    assert answers(reopened, queries) == found
    reopened.close()


def test_a_value_beyond_float16_does_not_win_before_it_is_sealed(
    collection_of: OpenCollection,
) -> None:
    collection = collection_of(config_of(2, Distance.DOT, **HALVES))
    rows = np.array([[1e10, 0], [65_504, 65_504]], dtype=np.float32)
    collection.upsert(batch_of([1, 2], rows)).result()
    query = SearchRequest(np.array([1, 0.5], dtype=np.float32), k=2)
    before = collection.search(query)
    assert list(before.ids) == [2, 1]
    collection.upkeep.seal()
    after = collection.search(query)
    assert list(after.ids) == [2, 1]
    assert after.distances.tolist() == before.distances.tolist()
