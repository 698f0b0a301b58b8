"""Points of every kind of vector, in the plain twin and in the client's in-memory collection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
from qdrant_client import QdrantClient, models

from palimpsest.index.config.vectors import SparseConfig, VectorConfig
from palimpsest.index.types import Distance, PointId
from tests.unit.query.plain import Plain, Point

SIZE, POINTS, TERMS = 4, 60, 12
NAME = "reference"
DENSE = {
    "cos": VectorConfig(SIZE, Distance.COSINE),
    "dot": VectorConfig(SIZE, Distance.DOT),
    "euc": VectorConfig(SIZE, Distance.EUCLID),
    "man": VectorConfig(SIZE, Distance.MANHATTAN),
}
SPARSE = {"sp": SparseConfig(), "idf": SparseConfig("idf")}
ORDERED = [("n",), ("ratio",), ("day",), ("many",)]


def points(seed: int = 7) -> list[Point]:
    """Return points under integers and UUIDs; every seventh lacks a vector of each name."""
    rng = np.random.default_rng(seed)
    drawn = []
    for place in range(POINTS):
        vectors: dict[str, Any] = {
            name: [float(x) for x in rng.standard_normal(SIZE).astype(np.float32)] for name in DENSE
        }
        for name in SPARSE:
            indices = rng.choice(TERMS, size=int(rng.integers(1, 6)), replace=False)
            values = rng.uniform(-0.2, 2, size=len(indices)).astype(np.float32)
            vectors[name] = {"indices": indices.tolist(), "values": [float(v) for v in values]}
        if place % 7 == 6:
            vectors.pop([*DENSE, *SPARSE][place // 7 % 6])
        drawn.append(Point(_id(place), vectors, _payload(rng, place)))
    return drawn


def plain(noise: float = 0.0) -> Plain:
    """Return the plain twin."""
    return Plain(points(), {**DENSE, **SPARSE}, ORDERED, noise)


def reference(name: str = NAME) -> QdrantClient:
    """Return a client whose in-memory collection of ``name`` holds the points."""
    client = QdrantClient(":memory:")
    create(client, name)
    return client


def create(client: QdrantClient, name: str) -> None:
    """Create the collection and write its points."""
    client.create_collection(
        name,
        vectors_config={
            each: models.VectorParams(
                size=SIZE, distance=models.Distance[config.distance.name.upper()]
            )
            for each, config in DENSE.items()
        },
        sparse_vectors_config={
            "sp": models.SparseVectorParams(),
            "idf": models.SparseVectorParams(modifier=models.Modifier.IDF),
        },
    )
    client.upsert(
        name,
        [
            models.PointStruct(id=text_of(p.id), vector=dict(p.vectors), payload=p.payload)
            for p in points()
        ],
        wait=True,
    )


def text_of(one: PointId) -> int | str:
    """Return an id as it is in JSON."""
    return str(one) if isinstance(one, UUID) else one


def same(ours: Sequence[tuple[Any, float]], theirs: Sequence[tuple[Any, float]]) -> None:
    """Compare (id, score) pairs; ids may stand in any order where scores are equal."""
    assert np.allclose([s for _, s in ours], [s for _, s in theirs], rtol=1e-4, atol=1e-5)
    assert len(ours) == len(theirs)
    if not theirs:
        return
    last = theirs[-1][1]  # which of several equally good points come last is free
    settled = {str(one) for one, score in theirs if not _tie(score, last)}
    assert settled == {str(one) for one, score in ours if not _tie(score, last)}
    for (one, score), (other, _) in zip(ours, theirs, strict=True):
        tied = sum(_tie(score, each) for _, each in theirs) > 1
        assert tied or str(one) == str(other) or _tie(score, last)


def _tie(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-5 * max(1.0, abs(one))


def _id(place: int) -> PointId:
    return UUID(int=place * 2**100 + 5) if place % 3 == 2 else place


def _payload(rng: np.random.Generator, place: int) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "n": int(rng.integers(0, 40)),
        "ratio": float(rng.uniform(0.1, 2)),
        "city": ["Oslo", "Rome", "Bern", "Lyon"][place % 4],
        "tags": ["a", "b", "c", "d"][: place % 4],
        "day": f"2024-01-{1 + place % 28:02d}T12:00:00Z",
        "where": {"lon": float(rng.uniform(5, 15)), "lat": float(rng.uniform(40, 60))},
        "many": [int(x) for x in rng.integers(0, 9, size=place % 3)],
    }
    if place % 5 == 4:
        for key in ("ratio", "where", "day"):
            del payload[key]
    if place % 10 == 9:
        payload["city"] = [None, 1.5, True, "Oslo"][place // 10 % 4]
    return payload


def grouped(
    local: QdrantClient, name: str, given: models.QueryGroupsRequest
) -> list[models.PointGroup]:
    """Return the reference's groups; over prefetches, whose limits it forgets, made by hand."""
    limit, size = given.limit or 10, given.group_size or 3
    if given.prefetch is None:
        return local.query_points_groups(
            name,
            group_by=given.group_by,
            query=given.query,
            using=given.using,
            query_filter=given.filter,
            limit=limit,
            group_size=size,
        ).groups
    found = local.query_points(
        name, query=given.query, prefetch=given.prefetch, limit=POINTS, query_filter=given.filter
    ).points
    groups: dict[Any, models.PointGroup] = {}
    for point in found:
        value = (point.payload or {}).get(given.group_by)
        for key in value if isinstance(value, list) else [value]:
            if not isinstance(key, int | str):
                continue
            if key in groups or len(groups) < limit:
                hits = groups.setdefault(key, models.PointGroup(id=key, hits=[])).hits
                if len(hits) < size:
                    hits.append(point)
    return list(groups.values())
