"""Ready searches: plain ones of a dense name, of which all is decided but the vector.

What a search without a filter decides depends on its view and its parameters alone, and programs
ask with the same parameters over and over. It is decided once for a view; each vector then takes
one native call (``index/native/ready.h``) where what stands around a walk took half as long as the
walk. What is not usual (rows equally far away, growing rows, a bridge) is answered the long way,
by ``closest``, whose answers are the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index import _native
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.encoding.normalise import check_query
from palimpsest.index.encoding.text import parse_vector
from palimpsest.index.errors import InvalidInput
from palimpsest.index.search.closest import Closest
from palimpsest.index.search.dense import is_most, is_walked, rescoring_of_walk
from palimpsest.index.search.merge import Merged
from palimpsest.index.search.plan import SearchPlan, SearchRequest, resolve
from palimpsest.index.segments.sealed import Sealed
from palimpsest.index.segments.searcher import SearchThreads, Walk
from palimpsest.index.storage.ids import unpack_id
from palimpsest.index.types import Distance, SearchStats, Vector
from palimpsest.index.view.dense import DenseView, dense_of
from palimpsest.index.view.view import SealedPart, View

_MOST_KNOWN = 256  # sets of parameters of a view
_TRIED, _WASTED = 32, 2  # searches, and of how many of them one may be left to the long way
_UNKNOWN: Any = object()
_Told: TypeAlias = tuple[int, int, int, int, int, int, int, int]  # counts, nanoseconds by stage


class VectorText(NamedTuple):
    """A vector as a JSON array of numbers, from one place to another of a text."""

    text: bytes
    start: int
    stop: int


class HitsText(NamedTuple):
    """The hits of one search as JSON, an array of id, version and score, and what it did."""

    text: bytes
    found: int
    stats: SearchStats


class Ready:
    """The searches of one view with the same parameters. Used by any thread."""

    __slots__ = (
        "_answer_texts",
        "_decisions",
        "_ef",
        "_find",
        "_found",
        "_has_wide_ids",
        "_k",
        "_segments",
        "_tried",
        "_unheeded",
        "_vectors",
        "_wasted",
        "is_similarity",
        "noted",
    )

    def __init__(self, vectors: DenseView, plan: SearchPlan, tried: Sequence[SearchPlan]) -> None:
        """Take the parts of a name, of which every one is walked, and the plan for each."""
        config, stats = vectors.config, SearchStats()
        is_cosine, is_dot = config.distance is Distance.COSINE, config.distance is Distance.DOT
        farthest = math.inf if plan.max_distance is None else plan.max_distance
        native = _native.ReadySearch(
            config.size, plan.fetch, plan.offset, plan.k, farthest, is_cosine, is_dot
        )
        for part, to in zip(vectors.sealed, tried, strict=True):
            _add(native, part, to)
            stats.note(part.segment.decision)
            stats.unheeded += plan.falls_short(part.segment.effort)
        self._find, self._answer_texts = native.find, native.answer_texts
        self._vectors, self._k, self.noted = vectors, plan.k, plan.noted
        self._ef = max(to.ef for to in tried)
        self._found = [part.segment.found for part in vectors.sealed]
        self._has_wide_ids = any(part.segment.ids.ndim == 2 for part in vectors.sealed)
        self._segments, self._decisions = len(vectors.sealed), stats.decisions
        self._unheeded = stats.unheeded
        # Threads may lose counts to each other: they only have to tell few from many.
        self._tried = self._wasted = 0
        self.is_similarity = is_cosine or is_dot

    def is_current(self) -> bool:
        """Tell whether no segment was probed since, and few searches were left to the long way."""
        if self._wasted > _TRIED and not self.helps:
            return False
        for part, found in zip(self._vectors.sealed, self._found, strict=True):
            if part.segment.found is not found:
                return False
        return True

    @property
    def helps(self) -> bool:
        """Whether most searches are answered: among copies of rows most are made twice."""
        return self._wasted * _WASTED <= max(self._tried, _TRIED)

    @property
    def warns(self) -> bool:
        """Whether answers say more than hits: that a caller's effort is less than is needed."""
        return self._unheeded > 0

    def closest(self, query: Vector) -> Closest | None:
        """Return the points closest to a vector, None where the long way has to find them."""
        self._tried += 1
        distances, numbers = np.empty(self._k, np.float32), np.empty(self._k, np.uint32)
        try:
            found = self._find(query, distances, numbers)
        except (ValueError, BufferError):
            return None  # of another length or type: the long way says so, or converts it
        if found is None:
            self._wasted += 1
            return None
        ids, slots, told = found
        if self._has_wide_ids:
            ids = [unpack_id(one) if one.__class__ is bytes else one for one in ids]
        if len(ids) < self._k:
            distances, numbers = distances[: len(ids)], numbers[: len(ids)]
        self._note(query)
        return Closest(Merged(ids, distances, numbers, slots), self._stats(told))

    def texts(
        self, given: Sequence[VectorText], seqs: NDArray[np.uint64], threads: SearchThreads
    ) -> list[HitsText | None]:
        """Return the hits of vectors that are JSON texts; None where the long way finds them.

        Args:
            given: vectors.
            seqs: of points by number (n,) uint64, which are told as their versions.
            threads: that share the searches.
        """
        self._tried += len(given)
        found: list[HitsText | None] = []
        every = self._answer_texts([*given], seqs, self.is_similarity, threads)
        for one, answer in zip(given, every, strict=True):
            if answer is None:
                self._wasted += 1
                found.append(None)
                continue
            text, count, told = answer
            found.append(HitsText(text, count, self._stats(told)))
            if self.noted and (turn := self._vectors.recent.turn()) is not None:
                vector = parse_vector(one.text[one.start : one.stop])
                self._vectors.recent.keep(turn, check_query(vector, self._vectors.config))
        return found

    def _note(self, query: Vector) -> None:
        """Keep a query among those of late, where it is its turn."""
        if self.noted and (turn := self._vectors.recent.turn()) is not None:
            self._vectors.recent.keep(turn, check_query(query, self._vectors.config))

    def _stats(self, told: _Told) -> SearchStats:
        visited, scored, rescored, extended, scanned, plan, traverse, merge = told
        return SearchStats(
            visited,
            scored,
            rescored,
            extended,
            scanned,
            self._segments,
            0,
            self._decisions.copy(),
            self._unheeded,
            {"plan": plan * 1e-9, "traverse": traverse * 1e-9, "merge": merge * 1e-9},
            ef=self._ef,
        )


def ready_of(view: View, request: SearchRequest) -> Ready | None:
    """Return what answers a search of a view, whatever its vector is; None for one that is not so.

    Filters, and what is to be read of hits, are not looked at.
    """
    # The fields that decide, by their places: twice as quick as by their names.
    key = request[1:10] + request[14:]
    memo = view.ready
    known: Ready | None = memo.get(key, _UNKNOWN)
    if known is _UNKNOWN:
        known = _made(view, request)
        if len(memo) < _MOST_KNOWN:
            memo[key] = known
    elif known is not None and not known.is_current():
        known = memo[key] = _made(view, request) if known.helps else None
    return known


def _made(view: View, request: SearchRequest) -> Ready | None:
    vectors = view.find(request.vector_name)
    if vectors is None or view.bridges or not isinstance(vectors.config, VectorConfig):
        return None
    dense = dense_of(vectors)
    config = dense.config
    if config.datatype != "float32" or any(part.live for part in dense.growing):
        return None
    try:
        plan = resolve(request, config)
    except InvalidInput:
        return None  # raised again where it is searched
    parts = [part for part in dense.sealed if part.live]
    tried = [plan.at(part.segment.effort, part.segment.n) for part in parts]
    if not parts or len(parts) < len(dense.sealed):
        return None
    if all(_is_plain(part, plan, to) for part, to in zip(parts, tried, strict=True)):
        return Ready(dense, plan, tried)
    return None


def _is_plain(part: SealedPart[Sealed], plan: SearchPlan, tried: SearchPlan) -> bool:
    """Tell whether a part is walked, and can hold one row more than is wanted."""
    segment = part.segment
    if segment.lacking or plan.fetch + 1 > min(tried.ef, part.live):
        return False
    if is_most(segment.searcher, plan.fetch, part.live, tried):
        return False
    return is_walked(segment.searcher, segment.n, tried)


def _add(native: _native.ReadySearch, part: SealedPart[Sealed], plan: SearchPlan) -> None:
    segment = part.segment
    searcher = segment.searcher
    native.add(
        searcher.native,
        Walk(min(plan.ef, segment.n)),
        rescoring_of_walk(plan),
        searcher.first(segment.n, part.dead.allowed),
        segment.usual,
        segment.ids,
        segment.numbers,
        segment.slots,
        segment,
    )
