"""What each way of asking finds of two versions that are compared: lists of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from pyroaring import BitMap

from palimpsest.index.adapters.measures import Places
from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.kinds.kind import Asked
from palimpsest.index.kinds.multi.bridged import native_sets
from palimpsest.index.kinds.multi.by_versions import Lead, Query, by_own, closest_by_all, found_in
from palimpsest.index.kinds.multi.search import MultiView
from palimpsest.index.kinds.registry import search
from palimpsest.index.search.across import Across, compared
from palimpsest.index.search.closest import closest
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.search.query_per_version import Leading, Scene, found_across
from palimpsest.index.types import (
    MultiVector,
    Numbers,
    PointVector,
    SearchStats,
    Vectors,
    VersionedQuery,
)
from palimpsest.index.versions.relevance import Relevant, Searched
from palimpsest.index.view.bridge import Bridge
from palimpsest.index.view.dense import dense_of
from palimpsest.index.view.view import AnyVectors

_EXACTLY = 8_192  # points that are searched exactly; more are searched as users search them
_TOGETHER = 64  # rows of each list that both queries score, as in searches


@dataclass(frozen=True, slots=True, eq=False)
class CompareRequest:
    """Which versions of a vector are compared, and on what.

    ``queries`` are, by version, the same texts (q, d), row by row, or q sets; ``relevant`` are, for
    each of them, the ids of the points that answer it, or ids with grades above 0, larger for what
    answers it better; None without judgements.
    """

    vector: str
    old: str
    new: str
    queries: Mapping[str, Vectors | Sequence[MultiVector]]
    k: int = 10
    relevant: Sequence[Relevant] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """What is searched: the rows of both versions, and the ways across, None without adapters."""

    scene: Scene
    request: CompareRequest
    old_column: int
    new_column: int
    points: Searched
    over: Bridge | None
    back: Bridge | None

    def vectors(self, column: int) -> AnyVectors:
        """Return the vectors, or sets, of one side."""
        return self.scene.view.vectors[column]

    def lead(self, column: int, query: Query) -> Lead:
        """Return a query of one side as the one whose scores are wanted."""
        return Lead(column, self.scene.view.config.embedded_spaces[column], query)

    @property
    def corpus(self) -> BitMap:
        """The points that users' searches are measured among."""
        return self.points.old - self.points.fitted

    @property
    def unseen(self) -> BitMap:
        """The points that hold both versions and were not fitted on."""
        return self.points.both - self.points.fitted

    @property
    def collection(self) -> int:
        """How many points hold either version."""
        return len(self.points.old | self.vectors(self.new_column).held)


def find_native(sides: Sides, column: int, query: Query, count: int, among: BitMap) -> Numbers:
    """Return what a query finds among rows of its own version."""
    vectors = sides.vectors(column)
    request = SearchRequest(_point(query), k=count, exact=len(among) <= _EXACTLY)
    if isinstance(vectors.config, MultiConfig):
        sets = cast(MultiView, vectors)
        return native_sets(sets, query, request, count, among, SearchStats()).numbers
    return closest(dense_of(vectors), request, among).merged.numbers


def find_old(sides: Sides, query: Query, count: int) -> Numbers:
    """Return what an old query finds, with as much effort as bridged rows are searched.

    They are scanned where a query of their own would walk the graph, and a walk misses more the
    harder the vectors are: versions are compared, not that.
    """
    request, among, vectors = sides.request, sides.corpus, sides.vectors(sides.old_column)
    if len(among) <= _EXACTLY or isinstance(vectors.config, MultiConfig):
        return find_native(sides, sides.old_column, query, count, among)
    names = request.old, request.new
    itself = Bridge(sides.old_column, request.vector, *names, needed=False, fitted=None)
    across = Across(itself, vectors, among, len(among))
    versions, asked = {sides.old_column: query}, SearchRequest(query, k=count)
    leading = Leading(sides.new_column, sides.vectors(sides.new_column).config.distance)
    depth = max(count, _TOGETHER)
    found = found_across(across, versions, leading, asked, depth, SearchStats())
    return found.numbers[:count]


def find_over(sides: Sides, bridge: Bridge, query: Query, count: int, among: BitMap) -> Numbers:
    """Return what a query finds among rows of the other version, by the adapter between them."""
    across = Across(bridge, compared(sides.scene.view, bridge), among, len(among))
    request = SearchRequest(_point(query), k=count, exact=len(among) <= _EXACTLY)
    asking = sides.new_column if bridge.column == sides.old_column else sides.old_column
    return found_in(across, {}, sides.lead(asking, query), request, count, SearchStats()).numbers


def find_together(sides: Sides, bridge: Bridge, old: Query, new: Query, count: int) -> Numbers:
    """Return what both queries find in old rows of the points that were not fitted on."""
    among = sides.unseen
    across = Across(bridge, compared(sides.scene.view, bridge), among, len(among))
    request = SearchRequest(_point(new), k=count, exact=len(among) <= _EXACTLY)
    versions = {sides.old_column: old, sides.new_column: new}
    lead, depth = sides.lead(sides.new_column, new), max(count, _TOGETHER)
    across = by_own(sides.scene.view, across, versions)
    found = found_in(across, versions, lead, request, depth, SearchStats())
    return found.numbers[:count]


def find_by_both(sides: Sides, old: Query, new: Query, k: int) -> Numbers:
    """Return what a query in both versions finds among the points as they are now."""
    request = sides.request
    query = VersionedQuery({request.old: _point(old), request.new: _point(new)})
    asked = SearchRequest(query, request.vector, k=k, exact=len(sides.corpus) <= _EXACTLY)
    found = closest_by_all(sides.scene, asked, query, sides.corpus)
    return found.merged.numbers


def find_now(sides: Sides, query: Query, k: int) -> Numbers:
    """Return what a query of the new version finds among the points as they are now."""
    view, column, among = sides.scene.view, sides.new_column, sides.corpus
    name, exact = view.config.name_of(column), len(among) <= _EXACTLY
    asked = SearchRequest(_point(query), name, k=k, exact=exact)
    return search(view, Asked(asked, among)).merged.numbers


def _point(query: Query) -> PointVector:
    """Return a checked query as a caller gives one."""
    return query if query.ndim == 1 else MultiVector(query)


def as_lists(
    found: Sequence[Numbers],
    count: int,
    places: Sequence[int] | None = None,
    queries: int | None = None,
) -> Places:
    """Return lists (q, count) of numbers, at some places of as many queries, -1 elsewhere."""
    lists = np.full((len(found) if queries is None else queries, count), -1, dtype=np.int64)
    for place, numbers in zip(range(len(found)) if places is None else places, found, strict=True):
        lists[place, : len(numbers)] = numbers[:count]
    return lists
