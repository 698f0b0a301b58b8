"""Points of one vector name in versions of single vectors and of sets, and a plain account of them.

A text has a topic, and tokens near it; single vectors are the topic, turned by each model.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from palimpsest.index import (
    AdapterInfo,
    CollectionConfig,
    Distance,
    FdeConfig,
    FitRequest,
    MaintenanceConfig,
    MultiConfig,
    MultiVector,
    NamedMultiVectors,
    NamedVectors,
    PointBatch,
    SearchRequest,
    SearchResult,
    VectorConfig,
)
from palimpsest.index.adapters.comparable import Merge, Method
from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.storage.local import Local
from palimpsest.index.types import Vectors
from palimpsest.index.upkeep.recover import ADAPTERS
from palimpsest.index.versions.lifecycle import ends_of, put_fitted
from tests.conftest import open_collection

SIZES = {"v1": 8, "v2": 12, "v3": 10, "v4": 12, "v5": 9}
FDE = FdeConfig(k_sim=1, projected=8, repetitions=4)
OTHER_FDE = FdeConfig(k_sim=2, projected=4, repetitions=4)
SINGLE = ("v1", "v5")
TEXTS, TOPIC = 240, 6
Made = Vectors | list[Vectors]


def config_of(version: str, distance: Distance = Distance.COSINE) -> VectorConfig | MultiConfig:
    if version in SINGLE:
        return VectorConfig(SIZES[version], distance, "8")
    fde = OTHER_FDE if version == "v4" else FDE
    return MultiConfig(SIZES[version], distance, fde=fde)


class SetUpgrade:
    """A collection of the unnamed vector; ``v2`` to ``v4`` have sets, of v2's model v4 as well."""

    def __init__(self, folder: Path, *versions: str, first: str = "v1", n: int = TEXTS) -> None:
        rng = np.random.default_rng(11)
        self.folder, self.n = folder, n
        topics = rng.standard_normal((n, TOPIC))
        counts = rng.integers(2, 6, n)
        tokens = [
            topic + 0.5 * rng.standard_normal((count, TOPIC))
            for topic, count in zip(topics, counts, strict=True)
        ]
        self.made: dict[str, Made] = {}
        for version, size in SIZES.items():
            turned = np.linalg.qr(rng.standard_normal((size, size)))[0][:TOPIC]
            if version in SINGLE:
                self.made[version] = (topics @ turned).astype(np.float32)
            else:
                self.made[version] = [(one @ turned).astype(np.float32) for one in tokens]
        self.made["v4"] = self.made["v2"]
        upkeep = MaintenanceConfig(quiet_rows=1, quiet_seconds=0)
        self.collection = open_collection(folder, CollectionConfig({"": config_of(first)}, upkeep))
        for version in versions:
            self.collection.versions.declare("", version, config_of(version), declared={})

    def batch(self, name: str, version: str, points: Iterable[int]) -> PointBatch:
        ids, made = list(points), self.made[version]
        named: Any
        if isinstance(made, list):
            starts = np.cumsum([0, *(len(made[one]) for one in ids)])
            values = np.concatenate([made[one] for one in ids])
            named = NamedMultiVectors(np.arange(len(ids)), starts, values)
        else:
            named = NamedVectors(np.arange(len(ids)), made[ids])
        return PointBatch(ids, {name: named}, [None] * len(ids))

    def put(self, version: str, points: Iterable[int]) -> None:
        """Write points that may be new, with their vectors of one version."""
        ids = list(points)
        known = self.collection.reading().numbers_of(ids)
        fresh = [one for one, number in zip(ids, known, strict=True) if number is None]
        if fresh:
            self.collection.upsert(PointBatch(fresh, {}, [None] * len(fresh))).result()
        self.collection.update_vectors(self.batch(f"@{version}", version, ids)).result()

    def seal(self) -> None:
        self.collection.upkeep.seal()

    def reopen(self) -> None:
        self.collection.close()
        self.collection = open_collection(self.folder)

    def fit(self, rows: str, queries: str, kind: Any = "auto") -> AdapterInfo:
        return self.collection.versions.fit(FitRequest(rows, queries, kind=kind))

    def fitted(self, rows: str, queries: str) -> Fitted:
        writer = self.collection.writer
        return writer.fitted[ends_of(writer.config, "", rows, queries)]

    def merged_by(self, rows: str, queries: str, method: Method) -> Fitted:
        """Have an adapter's scores compared in one way, whatever was found to be best."""
        writer = self.collection.writer
        ends = ends_of(writer.config, "", rows, queries)
        fitted = replace(writer.fitted[ends], merge=Merge(method))
        put_fitted(writer, Local(self.folder) / ADAPTERS, ends, fitted)
        return fitted

    def asked(self, version: str, place: int) -> Any:
        """Return a text as a query of a version: what a point was written with."""
        made = self.made[version]
        return MultiVector(made[place]) if isinstance(made, list) else made[place]

    def search(self, version: str, query: Any, k: int = 10, **how: Any) -> SearchResult:
        request = SearchRequest(query, f"@{version}", k=k, **how)
        return self.collection.search(request)
