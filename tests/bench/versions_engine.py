"""Our side of an upgrade: a collection whose points hold one version, and move over to another."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Database,
    Distance,
    Filter,
    FitRequest,
    MaintenanceConfig,
    NamedVectors,
    PointBatch,
    SearchRequest,
    VectorConfig,
    VersionedQuery,
)
from palimpsest.index.adapters.comparable import Merge
from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.adapters.kinds import Kind, Pairs
from palimpsest.index.config.vectors import MAX_SEAL_ROWS
from palimpsest.index.storage.local import Local
from palimpsest.index.types import BridgeMode, PointId, Vector, Vectors
from palimpsest.index.upkeep.recover import ADAPTERS
from palimpsest.index.versions.lifecycle import ends_of, put_fitted
from tests.bench import EF_CONSTRUCTION, M
from tests.bench.corpora import K
from tests.bench.engine import SEAL_SECONDS
from tests.bench.reference import THREADS
from tests.bench.versions_corpora import Found

OLD = "v1"  # what a vector name's own vectors are called
PAIRS = 5_000
_BATCH = 4_096
_SEALED_NOW = MaintenanceConfig(seal_rows=MAX_SEAL_ROWS, quiet_rows=1, quiet_seconds=0.0)
_NEVER_SEALED = MaintenanceConfig(seal_rows=MAX_SEAL_ROWS, quiet_rows=MAX_SEAL_ROWS)


@contextlib.contextmanager
def holding(rows: Vectors) -> Iterator[Collection]:
    """Hold rows as the unnamed vectors, of version ``OLD``, of points 0, 1, ... in one segment."""
    with tempfile.TemporaryDirectory() as folder, Database.open(Path(folder), threads=THREADS) as d:
        collection = d.create("versions", CollectionConfig({"": space(rows)}, _NEVER_SEALED))
        for start in range(0, len(rows), _BATCH):
            values = rows[start : start + _BATCH]
            named = {"": NamedVectors(np.arange(len(values)), values)}
            ids = range(start, start + len(values))
            collection.upsert(PointBatch(ids, named, [None] * len(ids))).result()
        seal(collection)
        yield collection


def space(rows: Vectors) -> VectorConfig:
    """Return a version's space: cosine, 4-bit codes, the graph everyone compares at."""
    return VectorConfig(rows.shape[1], Distance.COSINE, "4", M=M, ef_construction=EF_CONSTRUCTION)


def declare(collection: Collection, version: str, rows: Vectors) -> None:
    """Declare another version, of which no point has a vector yet."""
    collection.versions.declare("", version, space(rows), model=None, declared={})


def migrate(
    collection: Collection, version: str, rows: Vectors, points: NDArray[np.integer[Any]]
) -> None:
    """Give points their vectors of another version as well."""
    for start in range(0, len(points), _BATCH):
        some = points[start : start + _BATCH]
        named = {f"@{version}": NamedVectors(np.arange(len(some)), rows[some])}
        batch = PointBatch(some.tolist(), named, [None] * len(some))
        collection.update_vectors(batch).result()


def move_back(collection: Collection, version: str) -> None:
    """Take the vectors of a version from all points again."""
    collection.delete_vectors(Filter(), [f"@{version}"]).result()


def fit(
    collection: Collection,
    rows: str,
    queries: str,
    kind: Kind | Literal["auto"] = "auto",
    pairs: Pairs | None = None,
) -> None:
    """Fit an adapter, on points that hold both versions unless pairs are given."""
    request = FitRequest(rows, queries, kind=kind, pairs=pairs, max_pairs=PAIRS)
    collection.versions.fit(request)


def fit_on_held(
    collection: Collection,
    versions: tuple[str, str],
    rows: Vectors,
    points: NDArray[np.integer[Any]],
    kind: Kind | Literal["auto"] = "auto",
) -> None:
    """Fit on some points that hold both versions for as long as that takes."""
    migrate(collection, versions[1], rows, points)
    fit(collection, *versions, kind)
    move_back(collection, versions[1])


def fitted(collection: Collection, rows: str, queries: str) -> Fitted:
    """Return the adapter that searches go over."""
    return collection.writer.fitted[ends_of(collection.config, "", rows, queries)]


def put_merge(collection: Collection, rows: str, queries: str, merge: Merge) -> None:
    """Let searches merge in another way than the one that was chosen for the adapter."""
    ends = ends_of(collection.config, "", rows, queries)
    one = replace(fitted(collection, rows, queries), merge=merge)
    put_fitted(collection.writer, Local(collection.folder) / ADAPTERS, ends, one)


def seal(collection: Collection) -> None:
    """Bring all rows into segments, and let rows that come later grow."""
    _maintain(collection, _SEALED_NOW)
    deadline = time.perf_counter() + SEAL_SECONDS
    while time.perf_counter() < deadline:
        state = collection.state()
        if state.last_error is not None:
            raise RuntimeError(state.last_error)
        growing = any(one.growing for one in state.vectors.values())
        if not (state.pending or state.running or growing):
            _maintain(collection, _NEVER_SEALED)
            return
        time.sleep(0.02)
    raise TimeoutError(f"rows were not sealed within {SEAL_SECONDS:.0f} s")


def _maintain(collection: Collection, maintenance: MaintenanceConfig) -> None:
    config = collection.config
    vectors = {name: config.vectors[name] for name in config.names}
    collection.reconfigure(replace(config, vectors=vectors, maintenance=maintenance))


def searched(
    collection: Collection,
    version: str,
    queries: Vectors | Sequence[VersionedQuery],
    k: int = K,
    bridge: BridgeMode = "on",
) -> Found:
    """Return the ids of the k best per query (q, k), -1 where there were fewer."""
    found = np.full((len(queries), k), -1, dtype=np.int64)
    for i, query in enumerate(queries):
        request = SearchRequest(query, f"@{version}", k=k, bridge=bridge)
        ids = collection.search(request).ids
        found[i, : len(ids)] = ids
    return found


def reranked(collection: Collection, version: str, queries: Vectors, rows: Vectors) -> Found:
    """Return the K best of 200 candidates found by adapters, scored by their own vectors.

    As a program would that embeds the candidates when it gets them: it supplies those vectors.
    """
    found = np.empty((len(queries), K), dtype=np.int64)
    for i, candidates in enumerate(searched(collection, version, queries, 200)):
        supplied: dict[PointId, Vector] = {one: rows[one] for one in candidates.tolist()}
        query = VersionedQuery({version: queries[i]}, version, len(candidates), supplied)
        found[i] = collection.search(SearchRequest(query, f"@{version}", k=K)).ids
    return found
