"""What each way of asking finds of two versions that are compared: lists of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pyroaring import BitMap

from palimpsest.index.adapters.measures import Places
from palimpsest.index.search.across import Across
from palimpsest.index.search.closest import closest
from palimpsest.index.search.mapped_query import by_bridge, closest_of_all
from palimpsest.index.search.plan import SearchRequest
from palimpsest.index.search.query_per_version import (
    Leading,
    Scene,
    closest_by_versions,
    found_across,
)
from palimpsest.index.types import Numbers, SearchStats, Vector, Vectors, VersionedQuery
from palimpsest.index.versions.relevance import Relevant, Searched
from palimpsest.index.view.bridge import Bridge
from palimpsest.index.view.dense import DenseView, dense_of

_EXACTLY = 8_192  # points that are searched exactly; more are searched as users search them
_TOGETHER = 64  # rows of each list that both queries score, as in searches


@dataclass(frozen=True, slots=True, eq=False)
class CompareRequest:
    """Which versions of a vector are compared, and on what.

    ``queries`` are, by version, the same texts (q, d), row by row; ``relevant`` are, for each of
    them, the ids of the points that answer it, or ids with grades above 0, larger for what answers
    it better; None without judgements.
    """

    vector: str
    old: str
    new: str
    queries: Mapping[str, Vectors]
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

    def vectors(self, column: int) -> DenseView:
        """Return the vectors of one side."""
        return dense_of(self.scene.view.vectors[column])

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


def find_native(sides: Sides, column: int, query: Vector, count: int, among: BitMap) -> Numbers:
    """Return what a query finds among rows of its own version."""
    request = SearchRequest(query, k=count, exact=len(among) <= _EXACTLY)
    return closest(sides.vectors(column), request, among).merged.numbers


def find_old(sides: Sides, query: Vector, count: int) -> Numbers:
    """Return what an old query finds, with as much effort as bridged rows are searched.

    They are scanned where a query of their own would walk the graph, and a walk misses more the
    harder the vectors are: versions are compared, not that.
    """
    request, among = sides.request, sides.corpus
    if len(among) <= _EXACTLY:
        return find_native(sides, sides.old_column, query, count, among)
    names = request.old, request.new
    itself = Bridge(sides.old_column, request.vector, *names, needed=False, fitted=None)
    across = Across(itself, sides.vectors(sides.old_column), among, len(among))
    versions, asked = {sides.old_column: query}, SearchRequest(query, k=count)
    depth = max(count, _TOGETHER)
    found = found_across(across, versions, _leading(sides), asked, depth, SearchStats())
    return found.numbers[:count]


def find_over(sides: Sides, bridge: Bridge, query: Vector, count: int, among: BitMap) -> Numbers:
    """Return what a query finds among rows of the other version, by the adapter between them."""
    across = Across(bridge, sides.vectors(bridge.column), among, len(among))
    request = SearchRequest(query, k=count, exact=len(among) <= _EXACTLY)
    return by_bridge(across, query, request, count, SearchStats()).numbers


def find_together(sides: Sides, bridge: Bridge, old: Vector, new: Vector, count: int) -> Numbers:
    """Return what both queries find in old rows of the points that were not fitted on."""
    among = sides.unseen
    across = Across(bridge, sides.vectors(bridge.column), among, len(among))
    request = SearchRequest(new, k=count, exact=len(among) <= _EXACTLY)
    versions = {sides.old_column: old, sides.new_column: new}
    depth = max(count, _TOGETHER)
    found = found_across(across, versions, _leading(sides), request, depth, SearchStats())
    return found.numbers[:count]


def find_by_both(sides: Sides, old: Vector, new: Vector, k: int) -> Numbers:
    """Return what a query in both versions finds among the points as they are now."""
    request = sides.request
    query = VersionedQuery({request.old: old, request.new: new})
    asked = SearchRequest(query, request.vector, k=k, exact=len(sides.corpus) <= _EXACTLY)
    found = closest_by_versions(sides.scene, asked, query, sides.corpus)
    return found.merged.numbers


def find_now(sides: Sides, query: Vector, k: int) -> Numbers:
    """Return what a query of the new version finds among the points as they are now."""
    view, column, among = sides.scene.view, sides.new_column, sides.corpus
    asked = SearchRequest(query, view.config.name_of(column), k=k, exact=len(among) <= _EXACTLY)
    return closest_of_all(view, column, sides.vectors(column), asked, among).merged.numbers


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


def _leading(sides: Sides) -> Leading:
    """Return the new version, whose scores are wanted."""
    return Leading(sides.new_column, sides.vectors(sides.new_column).config.distance)
