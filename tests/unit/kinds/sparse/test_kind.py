"""A sparse name beside a dense one in a collection: written, sealed, compacted, reopened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Distance,
    MaintenanceConfig,
    NamedSparse,
    NamedVectors,
    PointBatch,
    SearchRequest,
    SparseConfig,
    SparseVector,
    VectorConfig,
)
from palimpsest.index.errors import InvalidVector
from palimpsest.index.filters.expression import Filter, HasId
from palimpsest.index.kinds.sparse.rows import SparseRows
from tests.conftest import OpenCollection, open_collection
from tests.unit.kinds.sparse import twin
from tests.unit.kinds.sparse.twin import Row, as_dict, rows_of, vector

CONFIG = CollectionConfig(
    {"dense": VectorConfig(2, Distance.DOT), "sparse": SparseConfig("idf")},
    MaintenanceConfig(quiet_rows=1, quiet_seconds=0.0),
)


def write(collection: Collection, rows: Mapping[int, Row | None]) -> None:
    """Write points that have a dense vector, and a sparse one where it is given."""
    places = np.array([p for p, row in enumerate(rows.values()) if row is not None], dtype=np.int64)
    sparse = rows_of(row for row in rows.values() if row is not None)
    dense = NamedVectors(np.arange(len(rows)), np.ones((len(rows), 2), np.float32))
    named: dict[str, NamedVectors | NamedSparse] = {"dense": dense}
    if len(places):
        named["sparse"] = NamedSparse(places, sparse)
    collection.upsert(PointBatch(list(rows), named, [None] * len(rows))).result()


def search(collection: Collection, query: Row, **asked: object) -> list[tuple[int, float]]:
    request = SearchRequest(vector(query), "sparse", **asked)  # type: ignore[arg-type]
    found = collection.search(request)
    return [(int(one), -float(d)) for one, d in zip(found.ids, found.distances, strict=True)]  # type: ignore[arg-type]


def reopen(collection: Collection) -> Collection:
    collection.close()
    return open_collection(collection.folder)


def compact(collection: Collection) -> Collection:
    collection.upkeep.seal()
    collection.upkeep.compact()
    return collection


def seal(collection: Collection) -> Collection:
    collection.upkeep.seal()
    return collection


def as_it_is(collection: Collection) -> Collection:
    return collection


CHANGES: Sequence[Callable[[Collection], Collection]] = (as_it_is, seal, compact, reopen)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("later", CHANGES)
def test_searches_are_exact_in_every_phase(
    collection_of: OpenCollection,
    rng: np.random.Generator,
    change: Callable[[Collection], Collection],
    later: Callable[[Collection], Collection],
) -> None:
    collection = collection_of(CONFIG)
    points: dict[int, Row] = {}
    for step in (change, later, as_it_is):
        rows: dict[int, Row | None] = {
            int(one): _row(rng) if rng.random() < 0.8 else None for one in rng.choice(60, 40, False)
        }
        write(collection, rows)
        points = {one: row for one, row in points.items() if one not in rows}
        points |= {one: row for one, row in rows.items() if row is not None}
        gone = rng.choice(60, 10, False).tolist()
        collection.delete(gone).result()
        points = {one: row for one, row in points.items() if one not in gone}
        collection = step(collection)
        _check(collection, points, rng)
    collection.close()


def _row(rng: np.random.Generator) -> Row:
    return {int(i): float(rng.random()) for i in rng.choice(9, rng.integers(0, 6), replace=False)}


def _check(collection: Collection, points: dict[int, Row], rng: np.random.Generator) -> None:
    for allowed in (None, rng.choice(60, 25, False).tolist()):
        chosen = {one: row for one, row in points.items() if allowed is None or one in allowed}
        query = _row(rng)
        found = search(
            collection,
            query,
            k=60,
            filter=None if allowed is None else Filter(must=(HasId(frozenset(allowed)),)),
        )
        expected = twin.best(twin.weighed(query, points.values()), {**chosen}, 60)
        assert dict(found) == pytest.approx(dict(expected), abs=1e-4)
    records = collection.retrieve(list(points), with_payload=False, with_vectors=("sparse",))
    for record in records:
        assert record.vectors is not None
        stored = record.vectors["sparse"]
        assert isinstance(stored, SparseVector)
        assert as_dict(stored) == pytest.approx(points[int(record.id)])  # type: ignore[arg-type]
    assert len(records) == len(points)


def test_a_stored_vector_is_a_query_and_left_out(collection_of: OpenCollection) -> None:
    collection = collection_of(CONFIG)
    write(collection, {1: {1: 1.0}, 2: {1: 2.0}, 3: {2: 1.0}, 4: None})
    found = collection.search(SearchRequest(1, "sparse"))
    assert found.ids == [2]


def test_bad_sparse_vectors_change_nothing(collection_of: OpenCollection) -> None:
    collection = collection_of(CONFIG)
    repeated = SparseRows(
        np.array([0, 2], np.int64), np.array([3, 3], np.uint32), np.ones(2, np.float32)
    )
    with pytest.raises(InvalidVector, match="of point 7 holds index 3 more than once"):
        collection.upsert(PointBatch([7], {"sparse": NamedSparse(np.arange(1), repeated)}, [None]))
    with pytest.raises(InvalidVector, match="expected 2 sparse rows, got 1"):
        rows = rows_of([{1: 1.0}])
        collection.upsert(
            PointBatch([1, 2], {"sparse": NamedSparse(np.arange(2), rows)}, [None, None])
        )
    with pytest.raises(InvalidVector, match="expected dense"):
        collection.upsert(
            PointBatch([1], {"dense": NamedSparse(np.arange(1), rows_of([{}]))}, [None])
        )
    with pytest.raises(InvalidVector, match="expected sparse"):
        dense = NamedVectors(np.arange(1), np.ones((1, 2), np.float32))
        collection.upsert(PointBatch([1], {"sparse": dense}, [None]))
    with pytest.raises(InvalidVector, match="sparse"):
        collection.search(SearchRequest(np.ones(2, np.float32), "sparse"))
    with pytest.raises(InvalidVector, match="sparse"):
        collection.search(SearchRequest(vector({1: 1.0}), "dense"))
    with pytest.raises(InvalidVector, match="NaN or Inf"):
        bad = SparseVector(np.array([1], np.uint32), np.array([np.nan], np.float32))
        collection.search(SearchRequest(bad, "sparse"))
    assert collection.count() == 0


def test_unsorted_queries_and_rows_are_sorted(collection_of: OpenCollection) -> None:
    collection = collection_of(CONFIG)
    falling = SparseRows(
        np.array([0, 2], np.int64), np.array([9, 3], np.uint32), np.array([1, 2], np.float32)
    )
    collection.upsert(
        PointBatch([5], {"sparse": NamedSparse(np.arange(1), falling)}, [None])
    ).result()
    query = SparseVector(np.array([9, 3], np.uint32), np.array([10, 1], np.float32))
    found = collection.search(SearchRequest(query, "sparse"))
    assert found.ids == [5]
    weights = twin.weighed({3: 1.0, 9: 10.0}, [{3: 2.0, 9: 1.0}])
    assert -found.distances[0] == pytest.approx(2 * weights[3] + weights[9], abs=1e-4)
