"""Our side: a collection in a temporary folder, filled and sealed, searched through its own API."""

from __future__ import annotations

import contextlib
import math
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Database,
    MaintenanceConfig,
    NamedVectors,
    PointBatch,
    SearchRequest,
    VectorConfig,
)
from palimpsest.index.config.vectors import MAX_SEAL_ROWS, Encoding
from palimpsest.index.search.plan import resolve
from palimpsest.index.segments.searcher import Rescoring, SearchThreads, Walk
from palimpsest.index.view.dense import dense_of
from tests.bench import EF_CONSTRUCTION, M
from tests.bench.corpora import Corpus, K
from tests.bench.curves import SearchAll
from tests.bench.reference import THREADS

NAME = "bench"
SEAL_SECONDS = 3_600.0
_BATCH = 4_096

_SEALED_NOW = MaintenanceConfig(seal_rows=MAX_SEAL_ROWS, quiet_rows=1, quiet_seconds=0.0)
_NEVER_SEALED = MaintenanceConfig(seal_rows=MAX_SEAL_ROWS, quiet_rows=MAX_SEAL_ROWS)


@contextlib.contextmanager
def filled(corpus: Corpus, encoding: Encoding, *, sealed: bool = True) -> Iterator[Collection]:
    """Hold `corpus` as points 0, 1, ... of a collection, in one segment or all growing."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database.open(Path(folder), threads=THREADS)
        try:
            collection = database.create(NAME, _config(corpus, encoding, _NEVER_SEALED))
            fill(collection, corpus.base)
            if sealed:
                collection.reconfigure(_config(corpus, encoding, _SEALED_NOW))
                wait_sealed(collection)
            yield collection
        finally:
            database.close()


def sealing_seconds(corpus: Corpus, encoding: Encoding) -> float:
    """Return the seconds from the last growing row to one segment that holds them all."""
    with filled(corpus, encoding, sealed=False) as collection:
        begun = time.perf_counter()
        collection.reconfigure(_config(corpus, encoding, _SEALED_NOW))
        wait_sealed(collection)
        return time.perf_counter() - begun


def fill(collection: Collection, vectors: NDArray[np.float32], first: int = 0) -> None:
    """Upsert rows as points first, first + 1, ..."""
    for start in range(0, len(vectors), _BATCH):
        values = vectors[start : start + _BATCH]
        ids = range(first + start, first + start + len(values))
        named = {"": NamedVectors(np.arange(len(values)), values)}
        collection.upsert(PointBatch(ids, named, [None] * len(values))).result()


def wait_sealed(collection: Collection) -> None:
    """Wait until every row is in a segment and no background work runs."""
    deadline = time.perf_counter() + SEAL_SECONDS
    while time.perf_counter() < deadline:
        state = collection.state()
        if state.last_error is not None:
            raise RuntimeError(state.last_error)
        if not state.pending and not state.running and not state.vectors[""].growing:
            return
        time.sleep(0.05)
    raise TimeoutError(f"rows were not sealed within {SEAL_SECONDS:.0f} s")


def walk_all(collection: Collection, corpus: Corpus) -> SearchAll:
    """Search the one segment's graph, one native call a query: library against library."""
    view = dense_of(collection.view.vectors[0])
    (part,) = view.sealed
    ids, searcher = part.segment.ids.astype(np.int64), part.segment.searcher

    def search(ef: int) -> NDArray[np.int64]:
        plan = resolve(SearchRequest(query=corpus.queries[0], k=K, ef=ef), view.config)
        walk, rescoring = Walk(plan.ef), Rescoring(plan.rescored)
        every = searcher.first(part.segment.n)
        rows = np.empty((len(corpus.queries), K), dtype=np.uint32)
        for i, query in enumerate(corpus.queries):
            rows[i] = searcher.walk(query, K, walk, rescoring, every).rows
        return np.asarray(ids[rows])

    return search


def walk_at_once(collection: Collection, corpus: Corpus) -> SearchAll:
    """Search the one segment's graph for all queries in one native call, on one thread."""
    view = dense_of(collection.view.vectors[0])
    (part,) = view.sealed
    ids, searcher = part.segment.ids.astype(np.int64), part.segment.searcher
    threads = SearchThreads(1)

    def search(ef: int) -> NDArray[np.int64]:
        plan = resolve(SearchRequest(query=corpus.queries[0], k=K, ef=ef), view.config)
        walk, rescoring = Walk(plan.ef), Rescoring(plan.rescored)
        every = searcher.first(part.segment.n)
        hits = searcher.walk_each(corpus.queries, K, walk, rescoring, every, -math.inf, threads)
        return np.asarray(ids[np.stack([found.rows for found in hits])])

    return search


def search_all(collection: Collection, corpus: Corpus) -> SearchAll:
    """Search queries one by one, each a whole `Collection.search`, as a program would."""
    return lambda ef: searched(collection, corpus.queries, ef)


def searched(
    collection: Collection, queries: NDArray[np.float32], ef: int | None
) -> NDArray[np.int64]:
    """Ids of the K best per query (q, K), -1 where there were fewer."""
    found = np.full((len(queries), K), -1, dtype=np.int64)
    for i, query in enumerate(queries):
        ids = collection.search(SearchRequest(query=query, k=K, ef=ef)).ids
        found[i, : len(ids)] = ids
    return found


def _config(corpus: Corpus, encoding: Encoding, maintenance: MaintenanceConfig) -> CollectionConfig:
    vector = VectorConfig(
        size=corpus.base.shape[1],
        distance=corpus.distance,
        encoding=encoding,
        M=M,
        ef_construction=EF_CONSTRUCTION,
    )
    return CollectionConfig({"": vector}, maintenance)
