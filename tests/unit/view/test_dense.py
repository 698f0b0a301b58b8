"""Parts seen as dense ones: vectors of slots in any part, and those that are nowhere told."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index import CollectionConfig, Distance, SparseConfig
from palimpsest.index.errors import InvalidVector
from palimpsest.index.view.dense import dense_of, given_of, vectors_of
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of

ROWS = np.array([[3, 4], [0, 2], [5, 12], [1, 0]], dtype=np.float32)


def test_vectors_are_found_in_sealed_and_growing_parts(collection_of: OpenCollection) -> None:
    collection = collection_of(config_of(2, Distance.DOT))
    collection.upsert(batch_of([1, 2], ROWS[:2])).result()
    collection.upkeep.seal()
    collection.upsert(batch_of([3, 4], ROWS[2:])).result()
    dense = dense_of(collection.view.vectors[0])
    assert (len(dense.sealed), len(dense.growing)) == (1, 1)
    slots = np.concatenate([part.columns.slots[: part.n] for part in dense.parts])
    found, complete = vectors_of(dense, slots[::-1].copy())
    assert complete and found.tolist() == ROWS[::-1].tolist()
    some, whole = vectors_of(dense, np.array([slots[0], 2**63], dtype=np.uint64))
    assert not whole and some[0].tolist() == [3, 4]
    assert vectors_of(dense, np.empty(0, dtype=np.uint64))[1]


def test_lengths_come_back_where_they_are_kept(collection_of: OpenCollection) -> None:
    collection = collection_of(config_of(2, Distance.COSINE, datatype="uint8"))
    collection.upsert(batch_of([1, 2], ROWS[:2])).result()
    for _ in range(2):
        dense = dense_of(collection.view.vectors[0])
        slots = np.concatenate([part.columns.slots[: part.n] for part in dense.parts])
        searched, given = vectors_of(dense, slots)[0], given_of(dense, slots)[0]
        assert np.linalg.norm(searched, axis=1).tolist() == pytest.approx([1, 1])
        assert sorted(given.tolist()) == [[0, 2], [3, 4]]
        collection.upkeep.seal()


def test_parts_of_another_kind_are_refused_by_name(collection_of: OpenCollection) -> None:
    view = collection_of(CollectionConfig({"sp": SparseConfig()})).view
    with pytest.raises(InvalidVector, match="Vector 'sp' is sparse"):
        dense_of(view.vectors[0], "sp")
