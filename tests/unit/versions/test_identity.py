"""An upgrade that has not begun, or is done, changes no answer: not an id, not a bit of a distance.

Beside each collection with two versions stands a plain one that has always known one only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Distance,
    Filter,
    FitRequest,
    HasId,
    MaintenanceConfig,
    NamedVectors,
    PointBatch,
    SearchRequest,
    SearchResult,
    VectorConfig,
)
from palimpsest.index.adapters.pairs import Pairs
from palimpsest.index.types import Vectors
from tests.conftest import OpenCollection

N = 1_400  # enough for a segment to have a graph
OLD_SIZE, NEW_SIZE = 12, 16
SMALL = Filter(must=(HasId(frozenset(range(0, N, 3))),))
ENCODINGS = ("float32", "4", "1")
KINDS = ("ridge", "procrustes")


@dataclass(frozen=True)
class Rows:
    """The same points in two versions, and queries that come in both."""

    old: Vectors
    new: Vectors
    old_queries: Vectors
    new_queries: Vectors


@pytest.fixture
def rows(rng: np.random.Generator) -> Rows:
    new = rng.standard_normal((N + 20, NEW_SIZE), dtype=np.float32)
    turned = np.linalg.qr(rng.standard_normal((NEW_SIZE, NEW_SIZE)))[0][:, :OLD_SIZE]
    noise = rng.standard_normal((N + 20, OLD_SIZE), dtype=np.float32)
    old = (new @ turned.astype(np.float32) + np.float32(0.3) * noise).astype(np.float32)
    return Rows(old[:N], new[:N], old[N:], new[N:])


def config_of(size: int, encoding: str) -> CollectionConfig:
    vector = VectorConfig(size, Distance.COSINE, encoding)  # type: ignore[arg-type]
    maintenance = MaintenanceConfig(quiet_rows=1, quiet_seconds=0)
    return CollectionConfig({"": vector}, maintenance)


def put(collection: Collection, name: str, vectors: Vectors, points: Sequence[int]) -> None:
    """Write points that are new, or vectors of points that are there."""
    named = {name: NamedVectors(np.arange(len(points)), vectors[list(points)])}
    batch = PointBatch(points, named, [None] * len(points))
    if collection.retrieve(points[:1]):
        collection.update_vectors(batch).result()
    else:
        collection.upsert(batch).result()


def plain_of(
    collection_of: OpenCollection, vectors: Vectors, encoding: str, *, sealed: bool
) -> Collection:
    collection = collection_of(config_of(vectors.shape[1], encoding))
    put(collection, "", vectors, range(len(vectors)))
    if sealed:
        collection.upkeep.seal()
    return collection


def upgrading(
    collection_of: OpenCollection, rows: Rows, encoding: str, kind: str, *, sealed: bool
) -> Collection:
    """Return a collection of old rows to which new queries have an adapter."""
    collection = plain_of(collection_of, rows.old, encoding, sealed=sealed)
    space = VectorConfig(NEW_SIZE, Distance.COSINE, encoding)  # type: ignore[arg-type]
    collection.versions.declare("", "v2", space, model="new", declared={})
    pairs = Pairs(unit(rows.old), unit(rows.new))
    collection.versions.fit(FitRequest("v1", "v2", kind=kind, pairs=pairs))
    return collection


def unit(vectors: Vectors) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def requests_of(queries: Vectors, name: str) -> Iterable[SearchRequest]:
    for query in queries:
        for exact in (True, False):
            yield SearchRequest(query, name, k=10, exact=exact)
            yield SearchRequest(query, name, k=25, exact=exact, filter=SMALL)
            yield SearchRequest(query, name, k=7, offset=3, exact=exact, max_distance=-0.1)
    yield SearchRequest(7, name, k=9)


def answer_of(found: SearchResult) -> tuple[list[object], bytes]:
    return list(found.ids), found.distances.tobytes()


def require_same(
    one: Collection, name: str, other: Collection, queries: Vectors, *, bridge: str = "on"
) -> None:
    """Compare all answers of a vector name with the plain collection's."""
    for asked, plain in zip(requests_of(queries, name), requests_of(queries, ""), strict=True):
        found = one.search(asked._replace(bridge=bridge))
        assert answer_of(found) == answer_of(other.search(plain))
        assert not found.stats.versions


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "growing"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_old_queries_notice_nothing_of_an_upgrade(
    collection_of: OpenCollection, rows: Rows, encoding: str, sealed: bool
) -> None:
    plain = plain_of(collection_of, rows.old, encoding, sealed=sealed)
    collection = upgrading(collection_of, rows, encoding, "ridge", sealed=sealed)
    require_same(collection, "", plain, rows.old_queries)
    require_same(collection, "@v1", plain, rows.old_queries)
    put(collection, "@v2", rows.new, range(0, N, 2))  # every point still has its old vector
    require_same(collection, "", plain, rows.old_queries)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_migrated_is_the_old_rows_searched_by_mapped_queries(
    collection_of: OpenCollection, rows: Rows, kind: str
) -> None:
    collection = upgrading(collection_of, rows, "4", kind, sealed=True)
    (ends,) = collection.writer.fitted
    adapter = collection.writer.fitted[ends].adapter
    mapped = unit(rows.old) if kind == "procrustes" else adapter.map_rows(unit(rows.old))
    for query in unit(rows.new_queries):
        scores = mapped @ (adapter.map_query(query).vector if kind == "procrustes" else query)
        expected = np.argsort(-scores, kind="stable")[:10]
        found = collection.search(SearchRequest(query, "@v2", k=10, exact=True))
        assert list(found.ids) == expected.tolist()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "growing"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_all_migrated_is_the_new_version_alone(
    collection_of: OpenCollection, rows: Rows, encoding: str, sealed: bool, kind: str
) -> None:
    plain = plain_of(collection_of, rows.new, encoding, sealed=sealed)
    collection = upgrading(collection_of, rows, encoding, kind, sealed=sealed)
    put(collection, "@v2", rows.new, range(N))
    if sealed:
        collection.upkeep.seal()
    require_same(collection, "@v2", plain, rows.new_queries)
    require_same(collection, "@v2", plain, rows.new_queries, bridge="require")
    require_same(collection.showing("v2"), "", plain, rows.new_queries)
    collection.versions.activate("", "v2")
    require_same(collection, "", plain, rows.new_queries)
    collection.versions.retire("", "v1")
    require_same(collection, "", plain, rows.new_queries)
    collection.versions.drop("", "v1")
    require_same(collection, "", plain, rows.new_queries)


def test_activating_and_rolling_back_leaves_every_answer(
    collection_of: OpenCollection, rows: Rows
) -> None:
    collection = upgrading(collection_of, rows, "4", "ridge", sealed=True)
    put(collection, "@v2", rows.new, range(0, N, 3))
    asked = [
        (SearchRequest(query, name, k=12), SearchRequest(query, name, k=12, bridge="off"))
        for name, queries in (("@v1", rows.old_queries), ("@v2", rows.new_queries))
        for query in queries
    ]
    before = [[answer_of(collection.search(one)) for one in both] for both in asked]
    for version in ("v2", "v1", "v2"):
        collection.versions.activate("", version, force=True)
        if version == "v1":
            after = [[answer_of(collection.search(one)) for one in both] for both in asked]
            assert after == before


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_writes_and_segments_is_irrelevant(
    collection_of: OpenCollection, rows: Rows, kind: str, rng: np.random.Generator
) -> None:
    """Exact answers agree, whichever parts the rows of either version are in.

    Distances agree to rounding: sums over parts of other lengths are added in another order.
    """
    migrated = rng.permutation(N)[: N // 2].tolist()
    one = upgrading(collection_of, rows, "4", kind, sealed=True)
    put(one, "@v2", rows.new, migrated)
    one.upkeep.seal()
    other = collection_of(config_of(OLD_SIZE, "4"))
    space = VectorConfig(NEW_SIZE, Distance.COSINE, "4")
    other.versions.declare("", "v2", space, model="new", declared={})
    order = rng.permutation(N).tolist()
    for start in range(0, N, 500):
        put(other, "", rows.old, order[start : start + 500])
        here = [point for point in migrated if point in order[start : start + 500]]
        put(other, "@v2", rows.new, here[::-1])
        if start < 1_000:
            other.upkeep.seal()
    pairs = Pairs(unit(rows.old), unit(rows.new))
    other.versions.fit(FitRequest("v1", "v2", kind=kind, pairs=pairs))
    assert len(other.view.vectors[1].sealed) > len(one.view.vectors[1].sealed)
    for query in rows.new_queries:
        for filter in (None, SMALL):
            request = SearchRequest(query, "@v2", k=30, exact=True, filter=filter)
            found, same = one.search(request), other.search(request)
            assert list(found.ids) == list(same.ids)
            np.testing.assert_allclose(found.distances, same.distances, rtol=0, atol=1e-6)
            assert len(set(found.ids)) == 30
            assert {each.version for each in found.stats.versions} == {"v1", "v2"}
