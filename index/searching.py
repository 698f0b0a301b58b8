"""Single searches of a collection: filter, find, attach payloads and vectors."""

from __future__ import annotations

from itertools import compress
from time import perf_counter
from uuid import UUID

from index.errors import InvalidVector, PointNotFound, UnknownVectorName
from index.points import PointReader, wait_for_write
from index.reading import Selector
from index.search.closest import closest
from index.search.merge import Merged
from index.search.plan import SearchRequest
from index.storage.ids import check_ids, keys_of
from index.storage.reader import slot_in
from index.types import PointId, SearchResult, SearchStats, SparseVector, Vector
from index.view import View
from index.writer import Writer

_REPEATS = (4, 0.0005)  # searches repeated since a hit was written meanwhile, and seconds between


class Searches:
    """Used by any thread."""

    def __init__(self, writer: Writer, points: PointReader) -> None:
        self._writer = writer
        self._points = points

    def search(self, view: View, request: SearchRequest) -> SearchResult:
        """Return the points closest to the request's query, as of a view or a later one.

        Raises:
            InvalidInput: one of its subclasses: the vector or a parameter is wrong.
            PointNotFound: the query is the id of no point.
        """
        if not (request.with_payload or request.with_vectors):
            merged, stats = self._closest(view, request)
            return SearchResult(merged.ids, merged.seqs, merged.distances, None, None, stats)
        repeats, pause = _REPEATS
        for _ in range(repeats):
            merged, stats = self._closest(view, request)
            result = self._attach(merged, request, stats)
            if len(result.ids) == len(merged.ids):
                break
            if view is self._writer.view:
                wait_for_write(self._writer.store.path, pause)  # the store is ahead of the view
            view = self._writer.view
        return result

    def _closest(self, view: View, request: SearchRequest) -> tuple[Merged, SearchStats]:
        name = request.vector_name
        vectors = view.vectors.get(name)
        if vectors is None:
            raise UnknownVectorName(name, list(view.vectors))
        stats = SearchStats()
        allowed = without = None
        if request.filter is not None:
            started = perf_counter()
            allowed = Selector(view, self._writer.indexes, self._points).select(request.filter)
            stats.seconds["filter"] = perf_counter() - started
        if isinstance(request.query, (int, UUID)):
            without, query = self._vector_of(request.query, name)
            request = request._replace(query=query)
        return closest(vectors, request, allowed, stats, without=without), stats

    def _vector_of(self, one: PointId, name: str) -> tuple[int, Vector | SparseVector]:
        """Return the number of a point and its vector of a name."""
        check_ids([one])
        number = self._points.numbers_of([one])[0]
        records = self._points.records(keys_of([one]), [name], with_payload=False)
        if not records or number is None:
            raise PointNotFound(one)
        vector = (records[0].vectors or {}).get(name)
        if vector is None:
            raise InvalidVector(f"Point {one} has no vector {name!r} to search with")
        return number, vector

    def _attach(self, merged: Merged, request: SearchRequest, stats: SearchStats) -> SearchResult:
        """Add payloads and vectors; points written or deleted since the search drop out."""
        started = perf_counter()
        numbers = merged.numbers.tolist()
        stored = self._points.held(numbers, with_payload=request.with_payload)
        column = self._writer.config.number(request.vector_name)
        same = [
            (one := stored.get(number)) is not None and slot_in(one[0], column) == slot
            for number, slot in zip(numbers, merged.slots, strict=True)
        ]
        merged = merged.only(same)
        numbers = merged.numbers.tolist()
        payloads = [stored[number][1] for number in numbers] if request.with_payload else None
        vectors = None
        if request.with_vectors:
            wanted = self._points.wanted(request.with_vectors)
            records = self._points.numbered(numbers, wanted, with_payload=False)
            there = [record is not None for record in records]
            merged = merged.only(there)
            vectors = [record.vectors or {} for record in records if record is not None]
            if payloads is not None:
                payloads = list(compress(payloads, there))
        stats.seconds["payload"] = perf_counter() - started
        return SearchResult(merged.ids, merged.seqs, merged.distances, payloads, vectors, stats)
