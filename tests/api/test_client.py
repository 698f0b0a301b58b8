"""qdrant-client, unmodified, against a real server; its local mode says what is right."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
import pytest
from qdrant_client import AsyncQdrantClient, QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from tests.api.served import Server

SIZE, POINTS = 16, 200
DISTANCES = list(models.Distance)
_numbers = count()


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[QdrantClient]:
    connected = QdrantClient(url=server.url, timeout=30)
    yield connected
    connected.close()


@pytest.fixture
def name(client: QdrantClient) -> Iterator[str]:
    chosen = f"client{next(_numbers)}"
    yield chosen
    client.delete_collection(chosen)


@pytest.fixture
def reference() -> Iterator[QdrantClient]:
    local = QdrantClient(":memory:")
    yield local
    local.close()


def vectors(seed: int, n: int = POINTS) -> list[list[float]]:
    drawn = np.random.default_rng(seed).standard_normal((n, SIZE)).astype(np.float32)
    return [[float(x) for x in row] for row in drawn]


def params(distance: models.Distance) -> models.VectorParams:
    return models.VectorParams(size=SIZE, distance=distance)


def structs(seed: int = 1) -> list[models.PointStruct]:
    """Points under integers and UUIDs, some without a payload."""
    ids: list[Any] = [*range(POINTS // 2)]
    ids += [str(uuid.UUID(int=i * 2**64 + 7)) for i in range(POINTS // 2)]
    return [
        models.PointStruct(
            id=each,
            vector=vector,
            payload=None if i % 7 == 0 else {"n": i, "nested": {"a": i, "b": [i]}},
        )
        for i, (each, vector) in enumerate(zip(ids, vectors(seed), strict=True))
    ]


def same_hits(ours: list[models.ScoredPoint], theirs: list[models.ScoredPoint]) -> None:
    assert [hit.id for hit in ours] == [hit.id for hit in theirs]
    expected = [hit.score for hit in theirs]
    assert [hit.score for hit in ours] == pytest.approx(expected, rel=1e-4, abs=1e-5)
    for one, other in zip(ours, theirs, strict=True):
        assert one.payload == other.payload
        if other.vector is not None:
            assert np.allclose(one.vector, other.vector, atol=1e-6)  # type: ignore[arg-type]


def same_records(ours: list[models.Record], theirs: list[models.Record]) -> None:
    assert [(row.id, row.payload) for row in ours] == [(row.id, row.payload) for row in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert np.allclose(one.vector, other.vector, atol=1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize("distance", DISTANCES)
def test_answers_equal_the_reference(
    distance: models.Distance, client: QdrantClient, reference: QdrantClient, name: str
) -> None:
    for each in (client, reference):
        assert each.create_collection(name, vectors_config=params(distance))
        each.upsert(name, structs(), wait=True)
    asked: list[dict[str, Any]] = [
        {},
        {"limit": 3},
        {"limit": 5, "offset": 4},
        {"offset": POINTS - 3},
        {"offset": POINTS + 3},
        {"limit": POINTS},
        {"with_payload": True, "with_vectors": True},
        {"with_payload": ["nested.a"]},
        {"with_payload": models.PayloadSelectorExclude(exclude=["nested.b"])},
    ]
    for query in vectors(2, 5):
        best = reference.query_points(name, query).points
        for more in asked:
            ours = client.query_points(name, query, **{"with_payload": False, **more}).points
            theirs = reference.query_points(name, query, **{"with_payload": False, **more}).points
            same_hits(ours, theirs)
        threshold = (best[4].score + best[5].score) / 2
        same_hits(
            client.query_points(name, query, score_threshold=threshold, limit=POINTS).points,
            reference.query_points(name, query, score_threshold=threshold, limit=POINTS).points,
        )


@pytest.mark.parametrize("distance", DISTANCES)
def test_a_stored_point_as_query_is_left_out(
    distance: models.Distance, client: QdrantClient, reference: QdrantClient, name: str
) -> None:
    points = structs()
    for each in (client, reference):
        each.create_collection(name, vectors_config=params(distance))
        each.upsert(name, points)
    for one in (points[3].id, points[-1].id):
        ours = client.query_points(name, one, limit=7).points
        same_hits(ours, reference.query_points(name, one, limit=7).points)
        assert one not in [hit.id for hit in ours]


def test_parameters_of_a_search(client: QdrantClient, name: str) -> None:
    client.create_collection(name, vectors_config=params(models.Distance.COSINE))
    client.upsert(name, structs())
    query = vectors(2, 1)[0]
    exact = client.query_points(name, query, search_params=models.SearchParams(exact=True)).points
    for codes in (
        None,
        models.QuantizationSearchParams(ignore=True),
        models.QuantizationSearchParams(rescore=True, oversampling=4.0),
    ):
        knobs = models.SearchParams(hnsw_ef=POINTS, exact=False, quantization=codes)
        same_hits(client.query_points(name, query, search_params=knobs).points, exact)


def test_several_queries_at_once(client: QdrantClient, reference: QdrantClient, name: str) -> None:
    requests = [
        models.QueryRequest(query=vectors(3, 1)[0], limit=4),
        models.QueryRequest(query=5, limit=2, with_payload=True),
        models.QueryRequest(query=models.NearestQuery(nearest=vectors(4, 1)[0]), offset=1),
    ]
    for each in (client, reference):
        each.create_collection(name, vectors_config=params(models.Distance.DOT))
        each.upsert(name, structs())
    ours = client.query_batch_points(name, requests)
    theirs = reference.query_batch_points(name, requests)
    for one, other in zip(ours, theirs, strict=True):
        same_hits(one.points, other.points)
    assert client.query_batch_points(name, []) == []


def test_named_vectors(client: QdrantClient, reference: QdrantClient, name: str) -> None:
    config = {"a": params(models.Distance.COSINE), "b": params(models.Distance.EUCLID)}
    columns = {"a": vectors(5), "b": vectors(6)}
    for each in (client, reference):
        each.create_collection(name, vectors_config=config)
        batch = models.Batch(ids=[*range(POINTS)], vectors=columns)  # type: ignore[arg-type]
        each.upsert(name, batch)
        each.upsert(name, [models.PointStruct(id=POINTS, vector={"b": vectors(7, 1)[0]})])
    query = vectors(8, 1)[0]
    for using in ("a", "b"):
        for target in (query, 4):
            ours, theirs = (
                each.query_points(name, target, using=using, limit=POINTS + 5).points
                for each in (client, reference)
            )
            same_hits(ours, theirs)
    (one,) = client.retrieve(name, [POINTS], with_vectors=True)
    assert isinstance(one.vector, dict)
    assert list(one.vector) == ["b"]
    assert client.get_collection(name).config.params.vectors == config


def test_reading_points(client: QdrantClient, reference: QdrantClient, name: str) -> None:
    for each in (client, reference):
        each.create_collection(name, vectors_config=params(models.Distance.EUCLID))
        each.upsert(name, structs())
    ids = [5, 10**6, structs()[-1].id, 3]
    ours, theirs = (
        sorted(each.retrieve(name, ids, with_vectors=True), key=lambda row: str(row.id))
        for each in (client, reference)
    )
    same_records(ours, theirs)
    seen: list[models.Record] = []
    offset: Any = None
    while True:
        page, offset = client.scroll(name, limit=33, offset=offset, with_vectors=True)
        seen += page
        if offset is None:
            break
    expected, _ = reference.scroll(name, limit=POINTS, with_vectors=True)
    same_records(seen, expected)
    assert client.count(name).count == reference.count(name).count == POINTS
    gone: list[Any] = [3, ids[2]]
    done = client.delete(name, gone)
    assert done.status == models.UpdateStatus.COMPLETED
    assert client.count(name).count == POINTS - 2
    assert client.retrieve(name, gone) == []
    client.delete(name, models.Filter(must=[]))
    assert client.count(name).count == 0


def test_collections(client: QdrantClient, name: str) -> None:
    assert not client.collection_exists(name)
    with pytest.raises(UnexpectedResponse, match="Not found: Collection"):
        client.get_collection(name)
    client.create_collection(
        name,
        vectors_config=params(models.Distance.DOT),
        hnsw_config=models.HnswConfigDiff(m=24),
        optimizers_config=models.OptimizersConfigDiff(indexing_threshold=0),
        quantization_config=models.BinaryQuantization(
            binary=models.BinaryQuantizationConfig(always_ram=True)
        ),
        metadata={"model": "m1"},
    )
    assert client.collection_exists(name)
    assert name in [each.name for each in client.get_collections().collections]
    with pytest.raises(UnexpectedResponse, match="already exists"):
        client.create_collection(name, vectors_config=params(models.Distance.DOT))
    changed = client.update_collection(
        name,
        optimizers_config=models.OptimizersConfigDiff(indexing_threshold=100),
        vectors_config={"": models.VectorParamsDiff(on_disk=True)},
        metadata={"owner": "us"},
    )
    assert changed
    state = client.get_collection(name)
    assert (state.status, state.optimizer_status) == ("green", "ok")
    assert state.points_count == 0
    assert state.config.hnsw_config.m == 24
    assert state.config.optimizer_config.indexing_threshold == 100
    assert state.config.metadata == {"model": "m1", "owner": "us"}
    found = state.config.params.vectors
    assert isinstance(found, models.VectorParams)
    assert (found.size, found.distance, found.on_disk) == (SIZE, models.Distance.DOT, True)
    assert client.delete_collection(name)
    assert not client.collection_exists(name)


@pytest.mark.parametrize("parallel", [1, 2])
def test_bulk_upload(parallel: int, client: QdrantClient, name: str) -> None:
    client.create_collection(name, vectors_config=params(models.Distance.EUCLID))
    n = 3_000
    rows = np.random.default_rng(9).standard_normal((n, SIZE)).astype(np.float32)
    points = (
        models.PointStruct(id=i, vector=[float(x) for x in row], payload={"i": i})
        for i, row in enumerate(rows)
    )
    client.upload_points(name, points, batch_size=250, parallel=parallel, wait=True)
    assert client.count(name).count == n
    for i in (0, n // 2, n - 1):
        (hit,) = client.query_points(name, rows[i], limit=1, with_payload=True).points
        assert (hit.id, hit.payload) == (i, {"i": i})
        assert hit.score == pytest.approx(0, abs=1e-5)
    client.upload_collection(name, rows[:500], ids=range(n, n + 500), parallel=parallel, wait=True)
    assert client.count(name).count == n + 500


async def drive(server: Server, name: str) -> None:
    client = AsyncQdrantClient(url=server.url, timeout=30)
    try:
        await client.create_collection(name, vectors_config=params(models.Distance.DOT))
        await client.upsert(name, structs())
        hits = (await client.query_points(name, vectors(1, 1)[0])).points
        assert len(hits) == 10
    finally:
        await client.close()


def test_the_asynchronous_client(server: Server, client: QdrantClient, name: str) -> None:
    import asyncio

    asyncio.run(drive(server, name))
    assert client.count(name).count == POINTS


def test_metadata_of_ours_gets_through(client: QdrantClient, name: str) -> None:
    client.create_collection(
        name,
        vectors_config=params(models.Distance.COSINE),
        metadata={"palimpsest": {"encoding": "1", "originals": "float16"}},
    )
    client.upsert(name, structs())
    query = vectors(2, 1)[0]
    found = client.query_points(name, query).points
    exact = client.query_points(name, query, search_params=models.SearchParams(exact=True)).points
    assert [hit.id for hit in found] == [hit.id for hit in exact]
