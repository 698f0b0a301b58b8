"""A named set of points: what can be written to it and asked of it.

Writes are checked here, in the caller's thread, then queued (``index.writer``). Reads take the
published view and, for payloads, a connection of the calling thread; they take no lock and wait
for nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import replace
from itertools import compress
from pathlib import Path
from time import perf_counter

import numpy as np

from index.batch import check_deletion, check_query, check_upsert
from index.config import CollectionConfig
from index.errors import InvalidConfig, InvalidVector, PointNotFound, UnknownVectorName
from index.points import PointReader, wait_for_write
from index.recover import recover
from index.search.dense import search_parts
from index.search.merge import Merged, merge
from index.search.plan import resolve
from index.state import estimate_seconds, vector_state
from index.storage.ids import check_ids, key_of, keys_of
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
from index.view import View
from index.writer import Writer

STORE = "store.sqlite3"
SEGMENTS = "segments"
_REPEATS = (4, 0.0005)  # searches repeated since a hit was written meanwhile, and seconds between


class Collection:
    """One open collection. Made by ``Database``."""

    def __init__(
        self, name: str, folder: Path, *, threads: int, changed: Callable[[], None]
    ) -> None:
        """Open the files. Raises Damaged or UnknownFormat.

        Args:
            name: the collection's name.
            folder: where its files are.
            threads: how many build a graph.
            changed: called by the writer after each change.
        """
        self.name = name
        self.folder = folder
        store, config, view = recover(folder / STORE, folder / SEGMENTS)
        self._config = config
        self._names = list(config.vectors)
        self.writer = Writer(name, store, view, self._names, changed)
        self._points = PointReader(name, folder / STORE, self._names, lambda: self.writer.view)
        self.upkeep = Upkeep(folder / SEGMENTS, self.writer, lambda: self._config, threads)

    def close(self) -> None:
        """Stop upkeep, finish queued writes and reads under way, and close the files.

        From then on writes and reads of the files raise CollectionNotFound.
        """
        with ExitStack() as last_first:  # goes on when one of them fails
            last_first.callback(self.writer.store.close)
            last_first.callback(self._points.close)
            last_first.callback(self.writer.close)
            last_first.callback(self.upkeep.stop)

    @property
    def config(self) -> CollectionConfig:
        """The current settings."""
        return self._config

    @property
    def view(self) -> View:
        """What a search that starts now reads."""
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
        vectors = {
            name: replace(old, config=config.vectors[name])
            for name, old in self.view.vectors.items()
        }
        view = replace(self.view, vectors=vectors)
        with self.writer.store.transaction():
            self.writer.store.put_config(config.to_json())
        self._config = config  # nothing from the commit on can fail
        self.writer.publish(view)

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
        """Return the number of points."""
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
        wanted = self._points.wanted(with_vectors)
        return self._points.records(keys_of(ids), wanted, with_payload=with_payload)

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
        wanted = self._points.wanted(with_vectors)
        records = self._points.page(first, limit + 1, wanted, with_payload=with_payload)
        return records[:limit], records[limit].id if len(records) > limit else None

    def search(self, request: SearchRequest) -> SearchResult:
        """Return the points closest to a vector, or to a stored point.

        Raises:
            InvalidInput: one of its subclasses: the vector or a parameter is wrong.
            PointNotFound: the query is the id of no point.
        """
        return self._search(self.view, request)

    def _search(self, view: View, request: SearchRequest) -> SearchResult:
        if not (request.with_payload or request.with_vectors):
            merged, stats = self._closest(view, request)
            return SearchResult(*merged, None, None, stats)
        repeats, pause = _REPEATS
        for _ in range(repeats):
            merged, stats = self._closest(view, request)
            result = self._attach(merged, request, stats)
            if len(result.ids) == len(merged.ids):
                break
            if view is self.view:
                wait_for_write(self.folder / STORE, pause)  # the store is ahead of the view
            view = self.view
        return result

    def _closest(self, view: View, request: SearchRequest) -> tuple[Merged, SearchStats]:
        started = perf_counter()
        vectors = view.vectors.get(request.vector_name)
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
        return merged, stats

    def search_batch(self, requests: Sequence[SearchRequest]) -> list[SearchResult]:
        """Return the answer to each request, all from one view."""
        view = self.view
        return [self._search(view, request) for request in requests]

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
            with suppress(FileNotFoundError):
                stored += (self.folder / file).stat().st_size
        return CollectionInfo(
            points=view.points,
            seq=view.seq,
            pending=self.upkeep.pending(),
            running=self.upkeep.running(),
            last_error=self.upkeep.last_error,
            vectors={name: vector_state(one) for name, one in view.vectors.items()},
            disk_bytes=stored,
        )

    def _vector_of(self, one: PointId, name: str) -> Vector:
        check_ids([one])
        records = self._points.records(keys_of([one]), [name], with_payload=False)
        if not records:
            raise PointNotFound(one)
        vector = (records[0].vectors or {}).get(name)
        if vector is None:
            raise InvalidVector(f"Point {one} has no vector {name!r} to search with")
        return vector

    def _attach(self, merged: Merged, request: SearchRequest, stats: SearchStats) -> SearchResult:
        """Add payloads and vectors; points written or deleted since the search drop out."""
        started = perf_counter()
        keys = keys_of(merged.ids)
        payloads = vectors = None
        if request.with_vectors:
            wanted = self._points.wanted(request.with_vectors)
            records = self._points.records(keys, wanted, with_payload=request.with_payload)
            found = {key_of(record.id): record for record in records}
            same = [
                (one := found.get(key)) is not None and one.seq == seq
                for key, seq in zip(keys, merged.seqs, strict=True)
            ]
            merged, keys = merged.only(same), list(compress(keys, same))
            vectors = [found[key].vectors or {} for key in keys]
            if request.with_payload:
                payloads = [found[key].payload for key in keys]
        else:
            stored = self._points.payloads(keys)
            same = [
                (row := stored.get(key)) is not None and row[0] == seq
                for key, seq in zip(keys, merged.seqs, strict=True)
            ]
            merged = merged.only(same)
            payloads = [stored[key][1] for key in compress(keys, same)]
        stats.seconds["payload"] = perf_counter() - started
        return SearchResult(*merged, payloads, vectors, stats)


def _without(merged: Merged, one: PointId) -> Merged:
    if one not in merged.ids:
        return merged
    place = merged.ids.index(one)
    return Merged(
        [*merged.ids[:place], *merged.ids[place + 1 :]],
        [*merged.seqs[:place], *merged.seqs[place + 1 :]],
        np.delete(merged.distances, place),
    )
