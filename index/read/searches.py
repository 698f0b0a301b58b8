"""Single searches of a collection: filter, find, attach payloads and vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress
from time import perf_counter
from uuid import UUID

import numpy as np

from palimpsest.index.config.collection import CollectionConfig, describe_sizes
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.encoding.normalise import as_examples
from palimpsest.index.errors import (
    DimensionMismatch,
    InvalidVector,
    PointNotFound,
    UnknownVectorName,
)
from palimpsest.index.read.mapped_vectors import mapped_vectors
from palimpsest.index.read.points import PointReader
from palimpsest.index.read.reading import Selector
from palimpsest.index.search.mapped_query import closest_of_all
from palimpsest.index.search.merge import Merged
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.search.query_per_version import Scene, closest_by_versions
from palimpsest.index.storage.checked import Spared
from palimpsest.index.storage.ids import check_ids, keys_of
from palimpsest.index.storage.read_rows import slot_in
from palimpsest.index.types import (
    BridgeMode,
    PointId,
    SearchResult,
    SearchStats,
    SparseVector,
    Vector,
    VersionedQuery,
)
from palimpsest.index.view.view import View
from palimpsest.index.view.virtual_collection import Shown
from palimpsest.index.waiting import NotYetApplied, Patience

_REPEATS = 4  # searches, repeated since a hit was written meanwhile


class Searches:
    """Used by any thread."""

    def __init__(self, shown: Shown, points: PointReader) -> None:
        self._shown = shown
        self._points = points

    def search(self, view: View, request: SearchRequest) -> SearchResult:
        """Return the points closest to the request's query, as of a view or a later one.

        Raises:
            InvalidInput: one of its subclasses: the vector or a parameter is wrong.
            PointNotFound: the query is the id of no point.
            DamagedPoint: what the store holds of a hit is not what was found. Hits whose rows are
                damaged themselves are left out, which ``stats`` say.
        """
        if not (request.with_payload or request.with_vectors):
            merged, stats = self._closest(view, request)
            return _result(view, merged, stats)
        patience = Patience(self._points.store)
        for _ in range(_REPEATS):
            merged, stats = self._closest(view, request)
            result = self._attach(view, merged, request, stats)
            if len(result.ids) + len(stats.damaged) == len(merged.ids):
                break
            if view is self._shown.view:
                patience.wait()  # the store is ahead of the view
            view = self._shown.view
        return result

    def _closest(self, view: View, request: SearchRequest) -> tuple[Merged, SearchStats]:
        stats = SearchStats()
        allowed = without = None
        if request.filter is not None:
            started = perf_counter()
            allowed = Selector(view, self._shown.indexes, self._points).select(request.filter)
            stats.seconds["filter"] = perf_counter() - started
        if isinstance(request.query, VersionedQuery):
            scene = Scene(view, self._points.numbers_of)
            return closest_by_versions(scene, request, request.query, allowed, stats), stats
        if isinstance(request.query, (int, UUID)):
            without, query = self._vector_of(view, request.query, request)
            request = request._replace(query=query)
        if view.bridges:
            _check_size(view.config, request)
        return closest_of_all(view, request, allowed, stats, without=without), stats

    def _vector_of(
        self, view: View, one: PointId, request: SearchRequest
    ) -> tuple[int, Vector | SparseVector]:
        """Return the number of a point and its vector of a name, mapped if it has others only."""
        name = request.vector_name
        if view.find(name) is None:
            raise UnknownVectorName(name, list(view.config.vectors))
        check_ids([one])
        number = self._points.numbers_of([one])[0]
        if number is None:
            raise PointNotFound(one)
        own = view.config.with_version(name)  # what is read later may be under other names
        records = self._points.records(keys_of([one]), [own], with_payload=False)
        if not records:
            raise PointNotFound(one)
        vector = (records[0].vectors or {}).get(own)
        if vector is None:
            vector = self._mapped(view, own, number, request.bridge)
        if vector is None:
            raise InvalidVector(f"Point {one} has no vector {name!r} to search with")
        declared = view.config.find(name)
        if isinstance(declared, VectorConfig) and isinstance(vector, np.ndarray):
            vector = as_examples(vector[None, :], declared)[0]
        return number, vector

    def _mapped(self, view: View, name: str, number: int, mode: BridgeMode) -> Vector | None:
        """Return the vector of a point mapped from another version, None if it has none."""
        numbers = np.array([number], dtype=np.uint32)
        patience = Patience(self._points.store)
        while True:
            try:
                found = mapped_vectors(view, view.config.number(name), numbers, self._points, mode)
                return next((mapped[0] for _, mapped in found), None)
            except NotYetApplied:
                patience.wait()
                view = self._shown.view

    def _columns(self, request: SearchRequest) -> Sequence[int]:
        """Return the columns of the vectors that a search may have found."""
        config = self._shown.config
        own = config.number(request.vector_name)
        return (own, *config.other_versions.get(own, ()))

    def _attach(
        self, view: View, merged: Merged, request: SearchRequest, stats: SearchStats
    ) -> SearchResult:
        """Add payloads and vectors; points written or deleted since the search drop out."""
        started = perf_counter()
        numbers = merged.numbers.tolist()
        spared = Spared()
        stored = self._points.held(numbers, with_payload=request.with_payload, spared=spared)
        stats.damaged += spared.findings
        own, *others = self._columns(request)
        same = [
            (one := stored.get(number)) is not None
            and (
                slot_in(one[0], own) == slot
                or (bool(others) and any(slot_in(one[0], other) == slot for other in others))
            )
            for number, slot in zip(numbers, merged.slots, strict=True)
        ]
        if not all(same):
            other = [number for number, is_same in zip(numbers, same, strict=True) if not is_same]
            self._points.require_found(view, [n for n in other if n not in spared.errors])
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
        return _result(view, merged, stats, payloads, vectors)


def _result(
    view: View,
    merged: Merged,
    stats: SearchStats,
    payloads: Sequence[bytes | None] | None = None,
    vectors: Sequence[Mapping[str, Vector | SparseVector]] | None = None,
) -> SearchResult:
    seqs = view.seqs.of(merged.numbers)
    return SearchResult(merged.ids, seqs, merged.distances, payloads, vectors, stats)


def _check_size(config: CollectionConfig, request: SearchRequest) -> None:
    """Raise DimensionMismatch that tells of the versions, where there are several."""
    declared, query = config.find(request.vector_name), request.query
    if isinstance(declared, VectorConfig) and isinstance(query, np.ndarray):
        if query.shape != (declared.size,):
            hint = describe_sizes(request.vector_name, config.every_name)
            raise DimensionMismatch(declared.size, query.size, hint)
