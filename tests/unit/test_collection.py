from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Distance,
    MaintenanceConfig,
    MultiConfig,
    NamedMultiVectors,
    NamedVectors,
    PointBatch,
    SearchRequest,
    SparseConfig,
    VectorConfig,
)
from palimpsest.index.errors import (
    CollectionNotFound,
    DimensionMismatch,
    InvalidConfig,
    InvalidId,
    InvalidVector,
    PointNotFound,
    UnknownVectorName,
)
from palimpsest.index.types import Vectors
from tests.conftest import OpenCollection
from tests.oracle import exact, normalise
from tests.points import batch_of, config_of

SIZE = 16


def rows(n: int, seed: int = 0) -> Vectors:
    return np.random.default_rng(seed).standard_normal((n, SIZE), dtype=np.float32)


@pytest.fixture
def collection(collection_of: OpenCollection) -> Collection:
    """3,000 points, sealed, with payloads."""
    collection = collection_of(config_of(SIZE))
    payloads = [b'{"n":%d}' % n for n in range(3_000)]
    collection.upsert(batch_of(list(range(3_000)), rows(3_000), payloads)).result()
    collection.upkeep.seal()
    return collection


def test_a_batch_with_one_bad_point_writes_nothing(collection: Collection) -> None:
    bad = rows(3)
    bad[2, 5] = np.nan
    with pytest.raises(InvalidVector, match="point 9002"):
        collection.upsert(batch_of([9_000, 9_001, 9_002], bad))
    with pytest.raises(DimensionMismatch):
        collection.upsert(batch_of([9_000], np.ones((1, SIZE + 1), dtype=np.float32)))
    with pytest.raises(InvalidId):
        collection.delete([0, -1])
    assert collection.count() == 3_000
    assert collection.retrieve([9_000, 9_001, 9_002]) == []


def test_an_upsert_replaces_the_whole_point(collection_of: OpenCollection) -> None:
    spaces = {name: VectorConfig(SIZE, Distance.EUCLID) for name in ("a", "b")}
    collection = collection_of(CollectionConfig(spaces))
    values = rows(2)
    both = {"a": NamedVectors(np.arange(2), values), "b": NamedVectors(np.arange(2), values)}
    first = collection.upsert(PointBatch([1, 2], both, [b"{}", b"{}"])).result()
    only_b = {"b": NamedVectors(np.array([0]), values[1:])}
    second = collection.upsert(PointBatch([1], only_b, [None])).result()
    assert second == first + 1
    one, two = collection.retrieve([1, 2], with_vectors=True)
    assert (one.seq, one.payload, two.seq, two.payload) == (second, None, first, b"{}")
    assert one.vectors is not None and list(one.vectors) == ["b"]
    np.testing.assert_array_equal(one.vectors["b"], values[1])
    assert list(collection.search(SearchRequest(values[0], "a")).ids) == [2]
    assert list(collection.search(SearchRequest(values[1], "b")).ids) == [1, 2]


def test_points_without_vectors_are_points(collection_of: OpenCollection) -> None:
    for config in (config_of(SIZE), CollectionConfig({})):
        collection = collection_of(config)
        collection.upsert(PointBatch([5, UUID(int=5)], {}, [b"{}", None])).result()
        assert collection.count() == 2
        assert [record.id for record in collection.scroll(None, 5)[0]] == [5, UUID(int=5)]
        collection.delete([5]).result()
        assert collection.count() == 1


def test_reads_return_what_was_asked_for(collection: Collection) -> None:
    plain = collection.retrieve([7, 99_999, 3], with_payload=False)
    assert [(record.id, record.payload, record.vectors) for record in plain] == [
        (7, None, None),
        (3, None, None),
    ]
    (record,) = collection.retrieve([7], with_vectors=("",))
    assert record.payload == b'{"n":7}'
    assert record.vectors is not None
    np.testing.assert_allclose(record.vectors[""], normalise(rows(3_000))[7], rtol=1e-6)
    with pytest.raises(UnknownVectorName):
        collection.retrieve([7], with_vectors=("text",))


def test_scroll_pages_through_everything(collection: Collection) -> None:
    seen, start = [], None
    while True:
        records, start = collection.scroll(start, 999, with_payload=False)
        seen += [record.id for record in records]
        if start is None:
            break
    assert seen == list(range(3_000))
    assert collection.scroll(2_999, 1)[1] is None
    with pytest.raises(InvalidConfig, match="limit"):
        collection.scroll(None, 0)


def test_exact_search_equals_the_oracle(collection: Collection) -> None:
    collection.upsert(batch_of(list(range(3_000, 3_400)), rows(400, seed=1))).result()
    collection.delete(list(range(0, 3_400, 7))).result()
    stored = np.concatenate([rows(3_000), rows(400, seed=1)])
    live = [n for n in range(3_400) if n % 7]
    for query in rows(5, seed=2):
        places, distances = exact(query, stored[live], Distance.COSINE, 12)
        answer = collection.search(SearchRequest(query, k=12, exact=True))
        assert list(answer.ids) == [live[place] for place in places]
        np.testing.assert_allclose(answer.distances, distances, rtol=1e-5, atol=1e-6)
        assert answer.stats.scored == len(live)


def test_offset_threshold_and_large_k_cut_the_answer(collection: Collection) -> None:
    query = rows(1, seed=3)[0]
    whole = collection.search(SearchRequest(query, k=50, exact=True))
    page = collection.search(SearchRequest(query, k=10, offset=20, exact=True))
    assert list(page.ids) == list(whole.ids)[20:30]
    limit = float(whole.distances[6])
    near = collection.search(SearchRequest(query, k=50, exact=True, max_distance=limit))
    assert list(near.ids) == list(whole.ids)[:7]
    assert len(collection.search(SearchRequest(query, k=50, max_distance=-2.0)).ids) == 0
    assert len(collection.search(SearchRequest(query, k=100_000)).ids) == 3_000
    assert len(collection.search(SearchRequest(query, k=10, offset=2**62)).ids) == 0


def test_searching_by_id_leaves_the_point_out(collection: Collection) -> None:
    by_vector = collection.search(SearchRequest(rows(3_000)[11], k=6, exact=True))
    by_id = collection.search(SearchRequest(11, k=5, exact=True))
    assert by_vector.ids[0] == 11
    assert list(by_id.ids) == list(by_vector.ids)[1:]
    with pytest.raises(PointNotFound):
        collection.search(SearchRequest(99_999))
    collection.upsert(PointBatch([99_999], {}, [None])).result()
    with pytest.raises(InvalidVector, match="99999 has no vector"):
        collection.search(SearchRequest(99_999))


def test_search_brings_payloads_and_vectors(collection: Collection) -> None:
    query = rows(1, seed=4)[0]
    bare = collection.search(SearchRequest(query, k=5))
    assert (bare.payloads, bare.vectors) == (None, None)
    full = collection.search(SearchRequest(query, k=5, with_payload=True, with_vectors=True))
    assert list(full.payloads or []) == [b'{"n":%d}' % one for one in full.ids]
    assert full.vectors is not None
    products = [-float(vectors[""] @ normalise(query)) for vectors in full.vectors]
    np.testing.assert_allclose(products, full.distances, rtol=1e-5)
    only = collection.search(SearchRequest(query, k=5, with_payload=True))
    assert only.payloads == full.payloads
    assert {"plan", "traverse", "scan", "merge", "payload"} <= only.stats.seconds.keys()


def test_a_batch_of_searches_is_each_of_them(collection: Collection) -> None:
    requests = [SearchRequest(query, k=3) for query in rows(4, seed=5)]
    answers = collection.search_batch(requests)
    assert [list(a.ids) for a in answers] == [list(collection.search(r).ids) for r in requests]


def test_answers_are_the_same_after_a_seal(collection_of: OpenCollection) -> None:
    collection = collection_of(config_of(SIZE, originals="float32"))
    collection.upsert(batch_of(list(range(2_000)), rows(2_000))).result()
    requests = [SearchRequest(query, k=10, exact=True) for query in rows(20, seed=6)]
    before = collection.search_batch(requests)
    collection.upkeep.seal()
    for old, new in zip(before, collection.search_batch(requests), strict=True):
        assert (list(old.ids), list(old.seqs)) == (list(new.ids), list(new.seqs))
        np.testing.assert_array_equal(old.distances, new.distances)


@pytest.mark.parametrize("query", [np.ones(SIZE - 1, dtype=np.float32), np.ones((2, SIZE))])
def test_queries_of_another_shape_are_refused(collection: Collection, query: Vectors) -> None:
    with pytest.raises(DimensionMismatch):
        collection.search(SearchRequest(query))


def test_unknown_vector_names_are_refused(collection: Collection) -> None:
    with pytest.raises(UnknownVectorName, match="text"):
        collection.search(SearchRequest(rows(1)[0], "text"))


def test_reconfiguring_rewrites_segments(collection: Collection) -> None:
    one_bit = CollectionConfig({"": VectorConfig(SIZE, Distance.COSINE, encoding="1")})
    collection.reconfigure(one_bit)
    assert collection.config.vectors[""].encoding == "1"
    assert collection.state().pending == 3_000
    collection.upkeep.compact()
    assert collection.state().pending == 0
    (part,) = collection.view.vectors[0].sealed
    assert part.segment.encoder is not None and part.segment.encoder.bits == 1
    for size, distance in ((SIZE + 1, Distance.COSINE), (SIZE, Distance.DOT)):
        with pytest.raises(InvalidConfig, match="same sizes"):
            collection.reconfigure(CollectionConfig({"": VectorConfig(size, distance)}))


def test_reconfiguring_keeps_the_numbers_of_vectors(collection_of: OpenCollection) -> None:
    spaces = {name: VectorConfig(SIZE, Distance.EUCLID) for name in ("b", "a")}
    collection = collection_of(CollectionConfig(spaces))
    values = rows(2)
    named = {
        name: NamedVectors(np.arange(1), values[i : i + 1]) for i, name in enumerate(("a", "b"))
    }
    collection.upsert(PointBatch([1], named, [None])).result()
    collection.reconfigure(CollectionConfig(dict(sorted(spaces.items())), MaintenanceConfig()))
    (record,) = collection.retrieve([1], with_vectors=True)
    assert record.vectors is not None
    np.testing.assert_array_equal(record.vectors["a"], values[0])
    np.testing.assert_array_equal(record.vectors["b"], values[1])


def test_state_tells_counts_and_sizes(collection: Collection) -> None:
    collection.upsert(batch_of([1, 9_000], rows(2, seed=8))).result()
    state = collection.state()
    vectors = state.vectors[""]
    assert (state.points, state.seq, state.last_error) == (3_001, 2, None)
    assert (vectors.points, vectors.indexed, vectors.growing, vectors.dead) == (3_001, 2_999, 2, 1)
    assert vectors.segments == 1
    assert vectors.bytes_by_component["originals_mapped"] == 3_000 * SIZE * 4
    assert collection.sizes().disk["vectors"] > 3_000 * SIZE * 4
    assert collection.cost(SearchRequest(rows(1)[0])) > 0


def test_a_closed_collection_refuses_writes(collection: Collection) -> None:
    collection.close()
    with pytest.raises(CollectionNotFound, match="test"):
        collection.upsert(batch_of([1], rows(1)))


def test_vectors_of_every_kind_are_weighed(collection_of: OpenCollection) -> None:
    config = CollectionConfig(
        {
            "dense": VectorConfig(SIZE, Distance.DOT, originals="float16"),
            "codes": VectorConfig(SIZE, Distance.DOT, encoding="2", originals="none"),
            "bytes": VectorConfig(SIZE, Distance.DOT, datatype="uint8", originals="float16"),
            "sparse": SparseConfig(),
            "late": MultiConfig(SIZE, Distance.DOT),
        }
    )
    made = collection_of(config)
    assert made.vector_bytes() == 0
    assert [made.numbers_in(name) for name in ("dense", "sparse", "late", "none")] == [
        SIZE,
        0,
        0,
        0,
    ]
    places, starts = np.arange(3), np.array([0, 1, 3, 30])
    dense = NamedVectors(places, rows(3))
    late = NamedMultiVectors(places, starts, rows(30))
    vectors = {"dense": dense, "codes": dense, "bytes": dense}
    made.upsert(PointBatch([1, 2, 3], vectors, [None] * 3)).result()
    assert made.vector_bytes() == 3 * SIZE * (2 + 2 / 8 + 1)
    made.update_vectors(PointBatch([1, 2, 3], {"late": late}, [None] * 3)).result()
    assert made.vector_bytes() == 3 * SIZE * (2 + 2 / 8 + 1) + 30 * SIZE * 4
    assert made.numbers_in("late") == 10 * SIZE
