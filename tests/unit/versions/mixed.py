"""A collection with versions, and beside it a plain account of what it should hold and answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Distance,
    Filter,
    FitRequest,
    MaintenanceConfig,
    Match,
    NamedVectors,
    PointBatch,
    SearchResult,
    VectorConfig,
)
from palimpsest.index.adapters.comparable import Merge
from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.adapters.pairs import Pairs
from palimpsest.index.storage.local import Local
from palimpsest.index.types import Vector, Vectors
from palimpsest.index.upkeep.recover import ADAPTERS
from palimpsest.index.versions.lifecycle import ends_of, put_fitted

SIZES = {"v1": 12, "v2": 16, "v3": 10}
QUERIES = 6
NOISE = 0.2
EVEN = Filter(must=(Match(("even",), (True,)),))


@dataclass(frozen=True)
class Texts:
    """The same texts in each version: rows (n, d) to store, and queries (QUERIES, d)."""

    rows: Mapping[str, Vectors]
    queries: Mapping[str, Vectors]


def texts_of(n: int, rng: np.random.Generator, sizes: Mapping[str, int] = SIZES) -> Texts:
    """Return vectors of versions that mean nearly the same."""
    latent = rng.standard_normal((n + QUERIES, max(sizes.values())))
    both = {}
    for version, size in sizes.items():
        turned = np.linalg.qr(rng.standard_normal((latent.shape[1],) * 2))[0][:, :size]
        noise = NOISE * rng.standard_normal((n + QUERIES, size))
        both[version] = (latent @ turned + noise).astype(np.float32)
    return Texts({v: x[:n] for v, x in both.items()}, {v: x[n:] for v, x in both.items()})


def config_of(
    vectors: Mapping[str, VectorConfig] | VectorConfig, **upkeep: Any
) -> CollectionConfig:
    named = {"": vectors} if isinstance(vectors, VectorConfig) else dict(vectors)
    chosen: dict[str, Any] = {"quiet_rows": 1, "quiet_seconds": 0, **upkeep}
    return CollectionConfig(named, MaintenanceConfig(**chosen))


def payload_of(point: int) -> bytes:
    return b'{"even": %s, "third": %d}' % (b"true" if point % 2 == 0 else b"false", point % 3)


@dataclass
class Account:
    """Points of one vector name of a collection; each write goes to both.

    ``rows`` are, by version, the vectors as they are stored, by point.
    """

    collection: Collection
    texts: Texts
    spaces: dict[str, VectorConfig]
    vector: str = ""
    points: set[int] = field(default_factory=set)
    rows: dict[str, dict[int, Vector]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rows = self.rows or {version: {} for version in self.spaces}

    def name(self, version: str) -> str:
        return f"{self.vector}@{version}"

    def declare(self, *versions: str) -> None:
        for version in versions:
            space = self.spaces[version]
            declared = {"size": space.size, "distance": str(space.distance)}
            self.collection.versions.declare(self.vector, version, space, declared=declared)

    def create(self, points: Iterable[int]) -> None:
        """Write points without a vector."""
        ids = list(points)
        batch = PointBatch(ids, {}, [payload_of(point) for point in ids])
        self.collection.upsert(batch).result()
        self.points.update(ids)

    def put(self, version: str, points: Iterable[int]) -> None:
        """Write the vectors of some points, which may be new, in one version."""
        ids = list(points)
        if fresh := [point for point in ids if point not in self.points]:
            self.create(fresh)
        values = self.texts.rows[version][ids]
        named = {self.name(version): NamedVectors(np.arange(len(ids)), values)}
        self.collection.update_vectors(PointBatch(ids, named, [None] * len(ids))).result()
        stored = as_stored(values, self.spaces[version].distance)
        self.rows[version].update(zip(ids, stored, strict=True))

    def delete(self, points: Iterable[int]) -> None:
        ids = list(points)
        self.collection.delete(ids).result()
        self.points.difference_update(ids)
        for rows in self.rows.values():
            for point in ids:
                rows.pop(point, None)

    def fit(self, rows: str, queries: str, kind: Any = "ridge") -> Fitted:
        """Fit an adapter on all texts; its scores are then compared as they are."""
        pairs = Pairs(self.texts.rows[rows], self.texts.rows[queries])
        self.collection.versions.fit(FitRequest(rows, queries, self.vector, kind, pairs))
        writer = self.collection.writer
        ends = ends_of(writer.config, self.vector, rows, queries)
        fitted = replace(writer.fitted[ends], merge=Merge("raw"))
        put_fitted(writer, Local(self.collection.folder) / ADAPTERS, ends, fitted)
        return fitted

    def adapter(self, rows: str, queries: str) -> Fitted:
        writer = self.collection.writer
        return writer.fitted[ends_of(writer.config, self.vector, rows, queries)]

    def query(self, version: str, place: int) -> Vector:
        query: Vector = self.texts.queries[version][place]
        return query

    def native(self, version: str, query: Vector) -> dict[int, float]:
        """Return the distances of the points that hold a version."""
        rows = self.rows[version]
        if not rows:
            return {}
        distance = self.spaces[version].distance
        asked = as_stored(query[None, :], distance)[0]
        found = distances(np.stack(list(rows.values())), asked, distance)
        return dict(zip(rows, found.tolist(), strict=True))

    def over(self, rows: str, queries: str, query: Vector) -> dict[int, float]:
        """Return the distances, by the adapter, of the points that hold a version."""
        own = self.rows[rows]
        if not own:
            return {}
        adapter = self.adapter(rows, queries).adapter
        asked = as_stored(query[None, :], self.spaces[queries].distance)[0]
        mapped, shift = adapter.map_query(asked)
        held = np.stack(list(own.values()))
        found = distances(held, mapped, self.spaces[rows].distance) - np.float32(shift)
        if adapter.scales_rows:
            found = found * adapter.row_factors(held)
        fitted = self.adapter(rows, queries)
        found = -fitted.estimated(-found, self.spaces[rows].distance, asked, mapped)
        return dict(zip(own, found.tolist(), strict=True))

    def expected(
        self, version: str, query: Vector, others: Sequence[str] = ()
    ) -> list[tuple[int, float]]:
        """Return points and distances, closest first: each point by the first that holds it."""
        found = self.native(version, query)
        for other in others:
            found = {**self.over(other, version, query), **found}
        return sorted(found.items(), key=lambda one: (one[1], one[0]))


def as_stored(vectors: Vectors, distance: Distance) -> Vectors:
    if distance is not Distance.COSINE:
        return vectors
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return (vectors / lengths).astype(np.float32)


def distances(rows: Vectors, query: Vector, distance: Distance) -> NDArray[np.float32]:
    if distance is Distance.EUCLID:
        found = np.linalg.norm(rows - query, axis=1)
    elif distance is Distance.MANHATTAN:
        found = np.abs(rows - query).sum(axis=1)
    else:
        found = -(rows @ query)
    return np.asarray(found, dtype=np.float32)


def require_agrees(found: SearchResult, expected: Sequence[tuple[int, float]]) -> None:
    """Compare an answer with the points it should hold, which may swap where they tie."""
    assert len(found.ids) == len(expected)
    assert len(set(found.ids)) == len(found.ids)
    own = dict(expected)
    np.testing.assert_allclose(found.distances, [d for _, d in expected], atol=1e-4, rtol=1e-5)
    for point, distance in zip(found.ids, found.distances.tolist(), strict=True):
        assert point in own or abs(distance - expected[-1][1]) < 1e-4
        assert abs(own.get(point, distance) - distance) < 1e-4 + 1e-5 * abs(distance)


def recall(found: SearchResult, expected: Sequence[tuple[int, float]]) -> float:
    return len({*found.ids} & {point for point, _ in expected}) / len(expected)
