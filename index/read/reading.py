"""One consistent state of a collection, read by the numbers of its points.

A reading holds one view; filters are evaluated once each. Payloads and ids come from the store,
which may be ahead of the view by what was written since: points deleted meanwhile are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any, Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index.config.collection import SpaceConfig
from palimpsest.index.config.kinds import ColumnConfig
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.config.versions import space_of
from palimpsest.index.encoding.normalise import check_query
from palimpsest.index.filters.bitmaps import from_numbers
from palimpsest.index.filters.expression import Filter, Path
from palimpsest.index.filters.tokens import Tokenizer
from palimpsest.index.kinds.kind import Asked, Block, Compared
from palimpsest.index.kinds.multi.by_versions import closest_by_all
from palimpsest.index.kinds.registry import kind_of, search
from palimpsest.index.payload.indexes import OrderColumn, PayloadIndexes
from palimpsest.index.read.attaching import attached, records
from palimpsest.index.read.by_id import vectors_by_id
from palimpsest.index.read.points import PointReader
from palimpsest.index.read.selector import Selector
from palimpsest.index.read.vectors import any_vectors, dense_vectors
from palimpsest.index.search.closest import Closest
from palimpsest.index.search.leading_version import leading_version
from palimpsest.index.search.mapped_scores import exact_of_all_versions
from palimpsest.index.search.merge import Merged
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.search.query_per_version import Scene
from palimpsest.index.search.ready import ready_of
from palimpsest.index.storage.ids import check_ids
from palimpsest.index.types import (
    BridgeMode,
    MatchedParts,
    Numbers,
    PointId,
    PointVector,
    Record,
    SearchResult,
    SearchStats,
    Vectors,
    VersionedQuery,
)
from palimpsest.index.view.dense import dense_of
from palimpsest.index.view.view import AnyVectors, View

EVERYTHING = Filter()


class Sampler(Protocol):
    """What takes a few of the searches, to learn what they find."""

    def is_due(self) -> bool:
        """Tell whether the search that was just answered is one of them; asked of every search."""

    def take(self, view: View, asked: Asked, found: Merged) -> None:
        """Take what was asked of a view, by a vector of its own version, and what was found."""


class Reading:
    """Made by ``Collection.reading``; used by one thread, for one request."""

    __slots__ = (
        "_indexes",
        "_noted",
        "_points",
        "_sampler",
        "_selected",
        "_selector",
        "_stats",
        "bridge",
        "view",
    )

    def __init__(
        self,
        view: View,
        points: PointReader,
        indexes: PayloadIndexes,
        noted: Callable[[int, Numbers], None],
        bridge: BridgeMode = "on",
        sampler: Sampler | None = None,
    ) -> None:
        """Take one view, and what reads the store beside it.

        ``noted`` takes the points that searches of a column find by adapters; ``bridge`` says
        whether levels of trees go over them, plain searches say so themselves. ``sampler`` takes
        a share of the searches.
        """
        self.view = view
        self.bridge = bridge
        self._sampler = sampler
        self._points = points
        self._indexes = indexes
        self._noted = noted
        self._stats: SearchStats | None = None
        self._selector: Selector | None = None
        self._selected: dict[int, tuple[Filter, BitMap]] = {}

    @property
    def stats(self) -> SearchStats:
        """What the levels of a tree did."""
        stats = self._stats = self._stats or SearchStats()
        return stats

    @property
    def live(self) -> BitMap:
        """The numbers of all points; not to be changed."""
        return self.view.live

    @property
    def vector_names(self) -> Mapping[str, ColumnConfig]:
        """The declared vectors by name, and by what else they are called."""
        return self.view.config.every_name

    @property
    def tokenizers(self) -> Mapping[Path, Tokenizer]:
        """How text fields cut their texts, by path."""
        return self._indexes.tokenizers

    @property
    def selector(self) -> Selector:
        """What filters are evaluated over."""
        if self._selector is None:
            self._selector = Selector(self.view, self._indexes, self._points)
        return self._selector

    def allowed(self, filter: Filter | None) -> BitMap | None:
        """Return the points that pass a filter, None for all."""
        if filter is None or filter == EVERYTHING:
            return None
        # By identity: the levels of a tree share a filter's very object, and hashing a filter of
        # ten thousand ids would cost as much as its look-up. The filter is kept beside it, so that
        # its id is not reused.
        known = self._selected.get(id(filter))
        if known is None:
            started = perf_counter()
            known = self._selected[id(filter)] = filter, self.selector.select(filter)
            self.stats.automatic += self._indexes.automatic.answers(filter)
            self.stats.took("filter", perf_counter() - started)
        return known[1]

    # Searches.

    def search(self, request: SearchRequest, ahead: Any = None) -> SearchResult:
        """Return the points closest to the request's query, with what it wants of them.

        ``ahead`` is what was done of it with others (``kinds.registry.ahead``).

        Raises:
            InvalidInput: one of its subclasses: the vector or a parameter is wrong.
            PointNotFound: the query is the id of no point.
            NotYetApplied: a point it needs was replaced since; a newer reading has it.
            DamagedPoint: what the store holds of a hit is not what was found.
        """
        allowed, filtering = None, 0.0
        if request.filter is not None:
            started = perf_counter()
            allowed = self.selector.select(request.filter)
            filtering = perf_counter() - started
        found = self._found(request, allowed, ahead=ahead)
        if request.filter is not None:
            found.stats.seconds["filter"] = filtering
            found.stats.automatic += self._indexes.automatic.answers(request.filter)
        if request.with_payload or request.with_vectors:
            return attached(self.view, self._points, found, request)
        (ids, distances, numbers, _), stats = found
        return SearchResult(ids, self.view.seqs.of(numbers), distances, None, None, stats)

    def nearest(
        self, request: SearchRequest, allowed: BitMap | None, corpus: BitMap | None = None
    ) -> Merged:
        """Return the points closest to a query, for a level of a tree.

        Args:
            request: what is asked; filters and what hits hold are not looked at.
            allowed: the points that may be found, None for all.
            corpus: the points that idf is counted over, None for all.

        Raises:
            InvalidInput: one of its subclasses: the name, the query or a parameter is wrong.
        """
        if self.bridge != "on":
            request = request._replace(bridge=self.bridge)
        found = self._found(request, allowed, corpus)
        self.stats.add(found.stats)
        return found.merged

    def _found(
        self,
        request: SearchRequest,
        allowed: BitMap | None,
        corpus: BitMap | None = None,
        ahead: Any = None,
    ) -> Closest:
        """Search for a query of any kind: the one way to rows."""
        query, without = request.query, None
        if isinstance(query, VersionedQuery):
            scene = Scene(self.view, self._points.numbers_of)
            found = closest_by_all(scene, request, query, allowed)
        else:
            if isinstance(query, (int, UUID)):
                config = self._view_of(request.vector_name).config
                (without,), vectors = vectors_by_id(self, request.vector_name, config, [query])
                request = request._replace(query=vectors[query])
            quick = None
            if allowed is None and ahead is None and query.__class__ is np.ndarray:
                ready = ready_of(self.view, request)
                quick = None if ready is None else ready.closest(query)
            found = quick or search(self.view, Asked(request, allowed, without, corpus, ahead))
            if self._sampler is not None and self._sampler.is_due():
                asked = Asked(request, allowed, without, corpus)
                self._sampler.take(self.view, asked, found.merged)
        # What answers use of points by adapters is what a backfill is ordered by.
        for column, numbers in found.stats.bridged:
            self._noted(column, numbers)
        return found

    @property
    def estimates(self) -> int:
        """How often points were found so far whose scores are estimates, made over a bridge."""
        return len(self.stats.estimated)

    def forget_estimates(self, since: int) -> None:
        """Take back what was told of estimates: scores of prefetches that do not count."""
        del self.stats.estimated[since:]

    def took(self, stage: str, seconds: float) -> None:
        """Note what a part of the query took."""
        self.stats.took(stage, seconds)

    def leading(self, name: str, query: VersionedQuery) -> SpaceConfig:
        """Return the space that a query in several versions is answered in."""
        config = self.view.config
        return space_of(config, leading_version(config, name, query))

    def score(
        self,
        name: str,
        targets: Sequence[PointVector],
        allowed: BitMap | None,
        *,
        corpus: BitMap | None = None,
    ) -> Iterator[Block]:
        """Return blocks of the points with a vector, distances (E, m), and whether they are exact.

        Weights of a query are counted over the corpus, None for all points.
        """
        column = self.view.config.number(name)
        vectors, asked = self.view.vectors[column], Compared(allowed, self.bridge, corpus)
        kind = kind_of(vectors.config)
        blocks, stats = kind.score(self.view, column, vectors, targets, asked)
        self.stats.add(stats)
        return blocks

    def rescore(
        self, name: str, targets: Vectors | Sequence[PointVector], numbers: Numbers
    ) -> NDArray[np.float32]:
        """Return exact distances (E, m) of some points, which have a vector.

        Targets of a dense name may be one array (E, d).
        """
        column = self.view.config.number(name)
        if not isinstance(self.view.vectors[column].config, VectorConfig):
            return self._exactly(column, targets, numbers)
        column, targets = self._dense(name), np.asarray(targets)
        queries = self._checked(column, targets)
        return exact_of_all_versions(self.view, column, queries, numbers, self.bridge)

    def _exactly(
        self, column: int, targets: Vectors | Sequence[PointVector], numbers: Numbers
    ) -> NDArray[np.float32]:
        vectors = self.view.vectors[column]
        found = np.full((len(targets), len(numbers)), np.inf, dtype=np.float32)
        order = np.argsort(numbers)
        asked = Compared(from_numbers(numbers), self.bridge, exact=True)
        blocks, _ = kind_of(vectors.config).score(self.view, column, vectors, [*targets], asked)
        for some, distances, _ in blocks:
            found[:, order[np.searchsorted(numbers[order], some)]] = distances
        return found

    def matched(
        self, name: str, query: PointVector | PointId | VersionedQuery, ids: Sequence[PointId]
    ) -> Sequence[MatchedParts | None]:
        """Return which parts of the vectors of points match a query, for the points of an answer.

        None for a point that is gone, has no vector of the name, or one without parts.

        Raises:
            InvalidInput: one of its subclasses: the name or the query is wrong.
        """
        column = self.view.config.number(name)
        if isinstance(query, VersionedQuery):
            leading = leading_version(self.view.config, name, query)
            column, query = self.view.config.column_of(leading), query.vectors[leading.version]
        vectors = self.view.vectors[column]
        if isinstance(query, (int, UUID)):
            query = vectors_by_id(self, name, vectors.config, [query])[1][query]
        found = self.numbers_of(ids)
        numbers = np.array([0 if one is None else one for one in found], dtype=np.uint32)
        slots = self._points.slots_of(numbers, column)
        slots[[one is None for one in found]] = 0  # which no row has
        return kind_of(vectors.config).matched(vectors, slots, query)

    # Points.

    def vectors(self, name: str, numbers: Numbers) -> tuple[Vectors, NDArray[np.bool_]]:
        """Return dense vectors (m, d) as they are searched, and which points have one.

        That of a point which holds another version only is mapped from it.

        Raises:
            NotYetApplied: a point was replaced since; a newer reading has it.
            DamagedPoint: what the store holds of a point is in no segment.
        """
        return dense_vectors(self.view, self._dense(name), numbers, self._points, self.bridge)

    def examples(self, name: str, numbers: Numbers) -> Sequence[PointVector | None]:
        """Return vectors that queries are made of, None for points without one.

        Raises as ``vectors`` does.
        """
        column = self.view.config.number(name)
        found = any_vectors(self.view, column, numbers, self._points, self.bridge)
        config = self.view.config.spaces[column]
        kind = kind_of(config)
        return [None if one is None else kind.as_query(one, config) for one in found]

    def numbers_of(self, ids: Sequence[PointId]) -> list[int | None]:
        """Return the number of each id, None where there is no such point. Raises InvalidId."""
        check_ids(ids)
        return self._points.numbers_of(ids)

    def ids_of(self, numbers: Numbers) -> dict[int, PointId]:
        """Return the ids of the points that exist."""
        return self._points.ids_of(numbers.tolist())

    def payloads(self, numbers: Numbers) -> list[bytes | None]:
        """Return the payload of each number, None where there is none."""
        found = self._points.stored(numbers.tolist(), with_payload=True)
        return [found[n][1][2] if n in found else None for n in numbers.tolist()]

    def records(
        self, numbers: Numbers, *, with_payload: bool, with_vectors: bool | tuple[str, ...]
    ) -> list[Record | None]:
        """Return each point as the user sees it, None for one that is gone or damaged."""
        started = perf_counter()
        found = records(self.view, self._points, numbers, self.stats, with_payload, with_vectors)
        self.stats.took("payload", perf_counter() - started)
        return found

    def first(self, points: BitMap, limit: int) -> Numbers:
        """Return the first ``limit`` of some points in the order of their ids."""
        return np.array(self._points.first_among(points, limit), dtype=np.uint32)

    def order_column(self, path: Path, allowed: BitMap) -> OrderColumn | None:
        """Return the values that some points are ordered by, None without a range index."""
        return self._indexes.order_column(path, allowed)

    def _view_of(self, name: str) -> AnyVectors:
        """Return the parts of a vector name. Raises UnknownVectorName."""
        return self.view.vectors[self.view.config.number(name)]

    def _dense(self, name: str) -> int:
        """Return the column of a dense vector name. Raises UnknownVectorName or InvalidVector."""
        column = self.view.config.number(name)
        dense_of(self.view.vectors[column], name)
        return column

    def _checked(self, column: int, targets: Vectors) -> Vectors:
        config = dense_of(self.view.vectors[column]).config
        return np.stack([check_query(target, config) for target in targets])
