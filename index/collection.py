"""A named set of points: what can be written to it and asked of it.

Writes are checked here, in the caller's thread, then queued (``index.writer``). Reads take the
published view and, for payloads, a connection of the calling thread; they take no lock and wait
for nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np

from index.batch import check_deletion, check_query, check_upsert
from index.config import CollectionConfig
from index.errors import InvalidConfig, InvalidVector, PointNotFound, StoreFailed, UnknownVectorName
from index.recover import recover
from index.search.dense import search_parts
from index.search.merge import Merged, merge
from index.search.plan import resolve
from index.state import estimate_seconds, vector_state
from index.storage.ids import Key, check_ids, id_of_key, key_of, keys_of
from index.storage.reader import Reader, StoredPoint
from index.types import (
    CollectionInfo,
    PointBatch,
    PointId,
    Record,
    SearchRequest,
    SearchResult,
    SearchStats,
    Vector,
)
from index.upkeep import Upkeep
from index.view import VectorView, View
from index.writer import Writer

STORE = "store.sqlite3"
SEGMENTS = "segments"
_LAG = (0.0005, 2_000)  # seconds between looks, and looks, while a committed write is being applied


class Collection:
    """One open collection. Made by ``Database``."""

    def __init__(
        self, name: str, folder: Path, *, threads: int, committed: Callable[[], None]
    ) -> None:
        """Open the files. Raises Damaged or UnknownFormat.

        Args:
            name: the collection's name.
            folder: where its files are.
            threads: how many build a graph.
            committed: called by the writer after each transaction.
        """
        self.name = name
        self.folder = folder
        store, config, view = recover(folder / STORE, folder / SEGMENTS)
        self._config = config
        self._names = list(config.vectors)
        self._reader = Reader(folder / STORE)
        self.writer = Writer(store, view, self._names, committed)
        self.upkeep = Upkeep(folder / SEGMENTS, self.writer, lambda: self._config, threads)

    def close(self) -> None:
        """Stop upkeep, finish queued writes and close the files."""
        self.upkeep.stop()
        self.writer.close()
        self._reader.close()
        self.writer.store.close()

    @property
    def config(self) -> CollectionConfig:
        return self._config

    @property
    def view(self) -> View:
        return self.writer.view

    def reconfigure(self, config: CollectionConfig) -> None:
        """Change encodings, graph parameters, upkeep or the declared description.

        Segments written under other settings are rewritten in the background.

        Raises:
            InvalidConfig: vector names, sizes or distances differ.
        """
        before = {name: (v.size, v.distance) for name, v in self._config.vectors.items()}
        after = {name: (v.size, v.distance) for name, v in config.vectors.items()}
        if before != after:
            raise InvalidConfig(f"vectors: expected the same sizes and distances, got {after}")
        # A vector's number is its place in the stored config.
        vectors = {name: config.vectors[name] for name in self._names}
        config = replace(config, vectors=vectors)
        self.writer.call(lambda: self._reconfigure(config)).result()

    def _reconfigure(self, config: CollectionConfig) -> None:
        with self.writer.store.transaction():
            self.writer.store.put_config(config.to_json())
        vectors = {
            name: replace(old, config=config.vectors[name])
            for name, old in self.view.vectors.items()
        }
        self._config = config
        self.writer.publish(replace(self.view, vectors=vectors))

    # Writes.

    def upsert(self, batch: PointBatch) -> Future[int]:
        """Insert or replace whole points.

        Returns:
            A future of the write's seq, done once the points are synced and searchable.

        Raises:
            InvalidInput: one of its subclasses, at once; nothing of the batch is written.
        """
        return self.writer.write(check_upsert(batch, self._config))

    def delete(self, ids: Sequence[PointId]) -> Future[int]:
        """Delete points; ids without a point are fine. Raises InvalidId at once."""
        return self.writer.write(check_deletion(ids))

    # Reads.

    def count(self) -> int:
        return self.view.points

    def retrieve(
        self,
        ids: Sequence[PointId],
        *,
        with_payload: bool = True,
        with_vectors: bool | tuple[str, ...] = False,
    ) -> list[Record]:
        """Return the points that exist, in the order asked for."""
        check_ids(ids)
        wanted = self._wanted(with_vectors)
        return self._records(keys_of(ids), wanted, with_payload=with_payload)

    def scroll(
        self,
        start: PointId | None,
        limit: int,
        *,
        with_payload: bool = True,
        with_vectors: bool | tuple[str, ...] = False,
    ) -> tuple[list[Record], PointId | None]:
        """Return up to ``limit`` points from id ``start`` on, and the id to go on from."""
        if limit < 1:
            raise InvalidConfig(f"limit: expected at least 1, got {limit}")
        first = None
        if start is not None:
            check_ids([start])
            first = key_of(start)
        wanted = self._wanted(with_vectors)

        def read() -> list[tuple[Key, StoredPoint]]:
            return self._reader.page(first, limit + 1, with_payload=with_payload)

        records = self._with_vectors(read, wanted)
        return records[:limit], records[limit].id if len(records) > limit else None

    def search(self, request: SearchRequest) -> SearchResult:
        """Return the points closest to a vector, or to a stored point.

        Raises:
            InvalidInput: one of its subclasses: the vector or a parameter is wrong.
            PointNotFound: the query is the id of no point.
        """
        started = perf_counter()
        vectors = self.view.vectors.get(request.vector_name)
        if vectors is None:
            raise UnknownVectorName(request.vector_name, self._names)
        query, itself = request.query, None
        if not isinstance(query, np.ndarray):
            itself = query
            query = self._vector_of(itself, request.vector_name)
        plan = resolve(request, vectors.config, without=0 if itself is None else 1)
        query = check_query(query, vectors.config)
        stats = SearchStats(seconds={"plan": perf_counter() - started})
        found = search_parts(vectors, query, plan, stats)
        merging = perf_counter()
        merged = merge(found, plan.fetch)
        if itself is not None:
            merged = _without(merged, itself)
        stop = plan.offset + plan.k
        if plan.max_distance is not None:
            limit = np.float32(plan.max_distance)
            stop = min(stop, int(np.searchsorted(merged.distances, limit, side="right")))
        merged = merged.cut(plan.offset, max(stop, plan.offset))
        stats.seconds["merge"] = perf_counter() - merging
        if not (request.with_payload or request.with_vectors):
            return SearchResult(*merged, None, None, stats)
        return self._attach(merged, request, stats)

    def search_batch(self, requests: Sequence[SearchRequest]) -> list[SearchResult]:
        """Return the answer to each request."""
        return [self.search(request) for request in requests]

    def cost(self, request: SearchRequest) -> float:
        """Return roughly how many seconds the search will take."""
        vectors = self.view.vectors.get(request.vector_name)
        return 0.0 if vectors is None else estimate_seconds(vectors, request)

    def state(self) -> CollectionInfo:
        """Return counts, sizes and the state of background work."""
        view = self.view
        segments = [part.segment for one in view.vectors.values() for part in one.sealed]
        stored = sum(segment.disk_bytes for segment in segments)
        for file in (STORE, f"{STORE}-wal"):
            if (path := self.folder / file).exists():
                stored += path.stat().st_size
        return CollectionInfo(
            points=view.points,
            seq=view.seq,
            pending=self.upkeep.pending(),
            running=self.upkeep.running(),
            last_error=self.upkeep.last_error,
            vectors={name: vector_state(one) for name, one in view.vectors.items()},
            disk_bytes=stored,
        )

    # Points with what is asked for of them.

    def _wanted(self, with_vectors: bool | tuple[str, ...]) -> list[str]:
        if isinstance(with_vectors, bool):
            return self._names if with_vectors else []
        for name in with_vectors:
            if name not in self._config.vectors:
                raise UnknownVectorName(name, self._names)
        return list(with_vectors)

    def _vector_of(self, one: PointId, name: str) -> Vector:
        check_ids([one])
        records = self._records(keys_of([one]), [name], with_payload=False)
        if not records:
            raise PointNotFound(one)
        vector = (records[0].vectors or {}).get(name)
        if vector is None:
            raise InvalidVector(f"Point {one} has no vector {name!r} to search with")
        return vector

    def _attach(self, merged: Merged, request: SearchRequest, stats: SearchStats) -> SearchResult:
        """Add payloads and vectors; points deleted since the view was taken drop out."""
        started = perf_counter()
        wanted = self._wanted(request.with_vectors)
        records = self._records(keys_of(merged.ids), wanted, with_payload=request.with_payload)
        if len(records) < len(merged.ids):
            still = {record.id for record in records}
            places = [place for place, one in enumerate(merged.ids) if one in still]
            merged = Merged(
                [merged.ids[i] for i in places],
                [merged.seqs[i] for i in places],
                merged.distances[places],
            )
        payloads = [record.payload for record in records] if request.with_payload else None
        vectors = [record.vectors or {} for record in records] if request.with_vectors else None
        stats.seconds["payload"] = perf_counter() - started
        return SearchResult(*merged, payloads, vectors, stats)

    def _records(
        self, keys: Sequence[Key], wanted: Sequence[str], *, with_payload: bool
    ) -> list[Record]:
        def read() -> list[tuple[Key, StoredPoint]]:
            found = self._reader.points(keys, with_payload=with_payload)
            return [(key, found[key]) for key in keys if key in found]

        return self._with_vectors(read, wanted)

    def _with_vectors(
        self, read: Callable[[], list[tuple[Key, StoredPoint]]], wanted: Sequence[str]
    ) -> list[Record]:
        """Read points, then their vectors from a view that holds all of them.

        The store may be ahead of the view by writes being applied, and behind it by segments whose rows
        have moved on since; reading both again settles either.
        """
        pause, looks = _LAG
        for _ in range(looks):
            points = read()
            vectors = _vectors_of(points, self.view.vectors, self._names, wanted)
            if vectors is not None:
                return [
                    Record(id_of_key(key), seq, payload, vectors[place] if wanted else None)
                    for place, (key, (seq, _, payload)) in enumerate(points)
                ]
            time.sleep(pause)
        raise StoreFailed(f"{self.folder}: the vectors of stored points are in no segment")


def _vectors_of(
    points: Sequence[tuple[Key, StoredPoint]],
    views: Mapping[str, VectorView],
    names: Sequence[str],
    wanted: Sequence[str],
) -> list[dict[str, Vector]] | None:
    """Return each point's vectors by name; None when a row is not in the view."""
    vectors: list[dict[str, Vector]] = [{} for _ in points]
    if not points or not wanted:
        return vectors
    slots = np.stack([stored[1] for _, stored in points])
    for name in wanted:
        column = slots[:, names.index(name)]
        having = np.flatnonzero(column)
        rows, complete = views[name].vectors_of(column[having])
        if not complete:
            return None
        for place, row in zip(having.tolist(), rows, strict=True):
            vectors[place][name] = row
    return vectors


def _without(merged: Merged, one: PointId) -> Merged:
    if one not in merged.ids:
        return merged
    place = merged.ids.index(one)
    return Merged(
        [*merged.ids[:place], *merged.ids[place + 1 :]],
        [*merged.seqs[:place], *merged.seqs[place + 1 :]],
        np.delete(merged.distances, place),
    )
