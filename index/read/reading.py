"""One consistent state of a collection, read by the numbers of its points.

A reading holds one view; filters are evaluated once each. Payloads and ids come from the store,
which may be ahead of the view by what was written since: points deleted meanwhile are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index.config.collection import CollectionConfig
from palimpsest.index.config.vectors import SparseConfig, VectorConfig
from palimpsest.index.config.versions import space_of
from palimpsest.index.encoding.normalise import as_examples, check_query
from palimpsest.index.errors import InvalidVector, UnknownVectorName
from palimpsest.index.filters.bitmaps import from_numbers, to_numbers
from palimpsest.index.filters.expression import Filter, Path
from palimpsest.index.filters.tokens import Tokenizer
from palimpsest.index.payload.evaluate import evaluate
from palimpsest.index.payload.indexes import OrderColumn, PayloadIndexes
from palimpsest.index.read.mapped_vectors import mapped_vectors
from palimpsest.index.read.points import PointReader
from palimpsest.index.search.leading_version import leading_version
from palimpsest.index.search.mapped_query import closest_of_all
from palimpsest.index.search.mapped_scores import exact_of_all_versions, score_all_versions
from palimpsest.index.search.merge import Merged
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.search.query_per_version import Scene, closest_by_versions
from palimpsest.index.search.sparse import score_sparse
from palimpsest.index.segments.sparse.rows import check_sparse
from palimpsest.index.storage.checked import Spared
from palimpsest.index.storage.ids import check_ids
from palimpsest.index.types import (
    BridgeMode,
    Numbers,
    PointId,
    Record,
    SearchStats,
    Slots,
    SparseVector,
    Vector,
    Vectors,
    VersionedQuery,
)
from palimpsest.index.view.view import VectorView, View
from palimpsest.index.waiting import NotYetApplied

EVERYTHING = Filter()


class Params(Protocol):
    """How a search is carried out, as in ``SearchRequest``; None means the default."""

    @property
    def ef(self) -> int | None:
        """Candidates a graph walk keeps."""

    @property
    def exact(self) -> bool:
        """Whether all vectors are compared."""

    @property
    def rescore(self) -> bool | None:
        """Whether candidates are compared again by their originals."""

    @property
    def oversampling(self) -> float | None:
        """Candidates rescored per result."""

    @property
    def ignore_codes(self) -> bool:
        """Whether originals alone are compared."""


class Selector:
    """What filters are evaluated over: the points of one view."""

    def __init__(self, view: View, indexes: PayloadIndexes, points: PointReader) -> None:
        self.view = view
        self.live = view.live
        self.indexes = indexes
        self._points = points

    def select(self, filter: Filter) -> BitMap:
        """Return the points that pass."""
        return evaluate(filter, self)

    def payloads(self, numbers: BitMap) -> Iterator[tuple[int, bytes | None]]:
        """Yield numbers and payloads, ascending."""
        for some in self._points.payloads(to_numbers(numbers)):
            yield from some

    def numbers_of(self, ids: Iterable[PointId]) -> BitMap:
        """Return the numbers of the ids that exist."""
        return BitMap([n for n in self._points.numbers_of(list(ids)) if n is not None])

    def having(self, name: str) -> BitMap:
        """Return the points with a vector of the name."""
        vectors = self.view.find(name)
        if vectors is None:
            return BitMap()
        return from_numbers(np.concatenate([*vectors.numbers()]))

    def ids(self, numbers: BitMap) -> Iterator[tuple[int, PointId]]:
        """Yield numbers and ids."""
        yield from self._points.ids_of(list(numbers)).items()


class Reading:
    """Made by ``Collection.reading``; used by one thread, for one request."""

    def __init__(
        self,
        view: View,
        config: CollectionConfig,
        points: PointReader,
        indexes: PayloadIndexes,
        bridge: BridgeMode = "on",
        noted: Callable[[int, Numbers], None] | None = None,
    ) -> None:
        self.view = view
        self.bridge = bridge
        self._noted = noted
        self.live = view.live
        self.config = config
        self.indexes = indexes
        self.stats = SearchStats()
        self._points = points
        self._selector = Selector(view, indexes, points)
        self._selected: dict[int, tuple[Filter, BitMap]] = {}

    @property
    def vector_names(self) -> Mapping[str, VectorConfig | SparseConfig]:
        """The declared vectors by name, and by what else they are called."""
        return self.config.every_name

    @property
    def tokenizers(self) -> Mapping[Path, Tokenizer]:
        """How text fields cut their texts, by path."""
        return self.indexes.tokenizers

    @property
    def selector(self) -> Selector:
        """What filters are evaluated over."""
        return self._selector

    def allowed(self, filter: Filter | None) -> BitMap | None:
        """Return the points that pass a filter, None for all."""
        if filter is None or filter == EVERYTHING:
            return None
        known = self._selected.get(id(filter))
        if known is None:
            known = self._selected[id(filter)] = filter, self._selector.select(filter)
        return known[1]

    # Searches.

    def nearest(
        self,
        name: str,
        query: Vector | SparseVector | VersionedQuery,
        *,
        k: int,
        request: Params,
        allowed: BitMap | None,
        max_distance: float | None = None,
        corpus: BitMap | None = None,
        paged: bool = False,
        averaged: bool = False,
    ) -> Merged:
        """Return the ``k`` points closest to a query as the user gave it.

        Args:
            name: of the vectors.
            query: dense or sparse, as the name is, or one vector for each of several versions.
            k: how many points.
            request: how to search.
            allowed: the points that may be found, None for all.
            max_distance: points farther away are left out.
            corpus: the points that idf is counted over, None for all.
            paged: whether the answer is a page of a longer one.
            averaged: whether the query was made of several vectors.

        Raises:
            InvalidInput: one of its subclasses: the name, the query or a parameter is wrong.
        """
        asked = SearchRequest(
            query,
            name,
            k,
            ef=request.ef,
            exact=request.exact,
            rescore=request.rescore,
            oversampling=request.oversampling,
            ignore_codes=request.ignore_codes,
            max_distance=max_distance,
            bridge=self.bridge,
            paged=paged,
            averaged=averaged,
        )
        stats = SearchStats()
        if isinstance(query, VersionedQuery):
            scene = Scene(self.view, self._points.numbers_of)
            found = closest_by_versions(scene, asked, query, allowed, stats)
        else:
            found = closest_of_all(self.view, asked, allowed, stats, corpus=corpus)
        if self._noted is not None:
            for column, numbers in stats.bridged:
                self._noted(column, numbers)
        self.stats.add(stats)
        return found

    def leading(self, name: str, query: VersionedQuery) -> VectorConfig:
        """Return the space that a query in several versions is answered in."""
        config = self.config
        return space_of(config, leading_version(config, name, query))

    def score_all(
        self, name: str, targets: Vectors, allowed: BitMap | None
    ) -> Iterator[tuple[Numbers, NDArray[np.float32], bool]]:
        """Return blocks of the points with a dense vector, distances (E, m), whether exact."""
        vectors = self._dense_view(name)
        queries = self._checked(vectors, targets)
        return score_all_versions(
            self.view, self._column(name), queries, allowed, self.bridge, self.stats
        )

    def score_sparse(
        self,
        name: str,
        targets: Sequence[SparseVector],
        allowed: BitMap | None,
        *,
        corpus: BitMap | None = None,
    ) -> Iterator[tuple[Numbers, NDArray[np.float32]]]:
        """Return blocks of the points with a sparse vector and their exact distances (E, m).

        They are 0 where no dimension is shared; idf is counted over the corpus, None for all.
        """
        vectors = self._view_of(name)
        if not isinstance(vectors.config, SparseConfig):
            raise InvalidVector(f"Vector {name!r} is dense, expected the name of a sparse one")
        queries = [check_sparse(target.indices, target.values) for target in targets]
        return score_sparse(vectors, queries, allowed, corpus=corpus)

    def rescore(self, name: str, targets: Vectors, numbers: Numbers) -> NDArray[np.float32]:
        """Return exact distances (E, m) of the dense vectors of some points."""
        vectors = self._dense_view(name)
        queries = self._checked(vectors, targets)
        return exact_of_all_versions(self.view, self._column(name), queries, numbers, self.bridge)

    # Points.

    def vectors(self, name: str, numbers: Numbers) -> tuple[Vectors, NDArray[np.bool_]]:
        """Return dense vectors (m, d) as they are searched, and which points have one.

        That of a point which holds another version only is mapped from it.

        Raises:
            NotYetApplied: a point was replaced since; a newer reading has it.
            DamagedPoint: what the store holds of a point is in no segment.
        """
        return self._vectors(name, numbers, VectorView.vectors_of)

    def examples(self, name: str, numbers: Numbers) -> tuple[Vectors, NDArray[np.bool_]]:
        """Return dense vectors (m, d) that queries are made of; otherwise as ``vectors`` does."""
        found, has = self._vectors(name, numbers, VectorView.given_of)
        config = self._dense_view(name).config
        assert isinstance(config, VectorConfig)
        return as_examples(found, config), has

    def _vectors(
        self,
        name: str,
        numbers: Numbers,
        read: Callable[[VectorView, Slots], tuple[Vectors, bool]],
    ) -> tuple[Vectors, NDArray[np.bool_]]:
        vectors = self._dense_view(name)
        slots = self._slots(name, numbers)
        has = slots != 0
        assert isinstance(vectors.config, VectorConfig)
        found = np.zeros((len(numbers), vectors.config.size), dtype=np.float32)
        found[has], complete = read(vectors, slots[has])
        if not complete:
            self._points.require_rows(self.view, [self._column(name)], numbers[has].tolist())
            raise NotYetApplied("points were replaced since the reading was taken, take another")
        missing = np.flatnonzero(~has)
        for places, mapped in mapped_vectors(
            self.view, self._column(name), numbers[missing], self._points, self.bridge
        ):
            found[missing[places]], has[missing[places]] = mapped, True
        return found, has

    def sparse(self, name: str, numbers: Numbers) -> list[SparseVector | None]:
        """Return sparse vectors, None for points without one. Raises as ``vectors`` does."""
        slots = self._slots(name, numbers)
        found = self._view_of(name).sparse_of(slots[slots != 0])
        if any(vector is None for vector in found):
            self._points.require_rows(self.view, [self._column(name)], numbers[slots != 0].tolist())
            raise NotYetApplied("points were replaced since the reading was taken, take another")
        own = iter(found)
        return [next(own) if slot else None for slot in slots]

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
        """Return each point as the user sees it, None for one that is gone meanwhile.

        None, too, for one that is damaged, which ``stats`` say.
        """
        wanted, spared = self._points.wanted(with_vectors), Spared()
        found = self._points.numbered(
            numbers.tolist(), wanted, with_payload=with_payload, spared=spared
        )
        self.stats.damaged += spared.findings
        return found

    def first(self, points: BitMap, limit: int) -> Numbers:
        """Return the first ``limit`` of some points in the order of their ids."""
        return np.array(self._points.first_among(points, limit), dtype=np.uint32)

    def order_column(self, path: Path, allowed: BitMap) -> OrderColumn | None:
        """Return the values that some points are ordered by, None without a range index."""
        return self.indexes.order_column(path, allowed)

    def _slots(self, name: str, numbers: Numbers) -> Slots:
        """Return the slot of each point, 0 where it has no vector of the name or is gone."""
        return self._points.slots_of(numbers, self._column(name))

    def _column(self, name: str) -> int:
        return self.config.number(name)

    def _view_of(self, name: str) -> VectorView:
        vectors = self.view.find(name)
        if vectors is None:
            raise UnknownVectorName(name, list(self.config.vectors))
        return vectors

    def _dense_view(self, name: str) -> VectorView:
        vectors = self._view_of(name)
        if isinstance(vectors.config, SparseConfig):
            raise InvalidVector(f"Vector {name!r} is sparse, expected the name of a dense one")
        return vectors

    def _checked(self, vectors: VectorView, targets: Vectors) -> Vectors:
        assert isinstance(vectors.config, VectorConfig)
        return np.stack([check_query(target, vectors.config) for target in targets])
