"""Compares a chain of versions of a vector by searches of a live collection.

Every version's queries search the rows of every version that an adapter leads to, among the points
that hold all of them. Queries are the caller's, judged or not, or points of the collection, whose
neighbours should have the same label. What is made of the lists stands in
``index.adapters.compare_chain``. All searches read one view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from pyroaring import BitMap

from palimpsest.index.adapters.agreement import agreement, chance
from palimpsest.index.adapters.compare_chain import Cell, ChainMeasures, chained
from palimpsest.index.adapters.gains import Gains, Judged, measure_of
from palimpsest.index.adapters.growth import CASCADE_FROM_OLD
from palimpsest.index.adapters.lists import cascaded
from palimpsest.index.adapters.measures import Measured, Places, overlap
from palimpsest.index.config.versions import version_of
from palimpsest.index.errors import InvalidPairs
from palimpsest.index.filters.expression import Path
from palimpsest.index.filters.paths import format_path
from palimpsest.index.kinds.multi.by_versions import Query
from palimpsest.index.read.points import PointReader
from palimpsest.index.search.query_per_version import Scene
from palimpsest.index.types import PointVector, Vectors
from palimpsest.index.versions.chain_request import ChainRequest, check_chain, listed
from palimpsest.index.versions.compared_lists import (
    CompareRequest,
    Sides,
    as_lists,
    find_native,
    find_over,
)
from palimpsest.index.versions.comparing import (
    RANKED,
    checked_queries,
    fitted_on,
)
from palimpsest.index.versions.labels import Asking, draw_asking, read_labels
from palimpsest.index.versions.relevance import Searched, judgements_of
from palimpsest.index.view.bridge import Bridge, FittedByColumns
from palimpsest.index.view.view import View


def compare_chain(
    view: View, fitted: FittedByColumns, points: PointReader, request: ChainRequest
) -> dict[str, Any]:
    """Return the cross-version matrix, AC, AM and a verdict per step, as JSON.

    Every number has its 95 % interval. It takes a search per query and pair of versions: run it in
    a thread.

    Args:
        view: what is searched.
        fitted: all adapters of the collection.
        points: reads payloads and vectors of points.
        request: what is compared.

    Raises:
        UnknownVectorName, VersionNotFound: a name is not declared.
        InvalidConfig: k, the versions, the queries or the judgements do not fit together.
        InvalidVector, DimensionMismatch: a query is wrong.
        InvalidPairs: too few points hold all versions, or labels or judgements tell nothing.
    """
    check_chain(request)
    chain = _Chain(view, fitted, points, request)
    if request.relevant_by is not None:
        return chain.by_labels(request.relevant_by)
    return chain.by_queries()


class _Chain:
    """The versions of one request, and what is searched of them."""

    def __init__(
        self, view: View, fitted: FittedByColumns, points: PointReader, request: ChainRequest
    ) -> None:
        config = view.config
        self._view, self._fitted, self._points, self._request = view, fitted, points, request
        self._columns = [
            config.column_of(version_of(config, request.vector, one)) for one in request.versions
        ]
        held = BitMap.intersection(*(view.vectors[one].held for one in self._columns))
        known = [one for ends in self._pairs() if (one := fitted.get(ends)) is not None]
        self._seen = BitMap.union(BitMap(), *(fitted_on(one, held) for one in known)) & held
        self._corpus = held - self._seen
        if len(self._corpus) <= request.k:
            raise InvalidPairs(
                f"{len(held)} points hold all of the versions {listed(request.versions)}, "
                f"{len(self._corpus)} of which no adapter was fitted on: more than k = "
                f"{request.k} are needed to compare them; give more points vectors of all"
            )

    def by_labels(self, path: Path) -> dict[str, Any]:
        """Return what points tell that ask by their own vectors."""
        request = self._request
        wanted = dict(zip(request.versions, self._columns, strict=True))
        asking = draw_asking(self._points, self._corpus, wanted, path, request.sample)
        queries = [self._checked(place, asking.vectors[v]) for place, v in enumerate(wanted)]
        lists = self._lists(queries, asking)
        measured = [own[:, : request.k] for own in lists.values()]
        ranked = self._ranked(lists)
        numbers = np.unique(np.concatenate([one.ravel() for one in (*measured, *ranked.values())]))
        labels = read_labels(self._points, numbers[numbers >= 0].astype(np.uint32), path)

        def worth(found: Places) -> Measured:
            return agreement(found, asking.labels, labels)

        field = format_path(path)
        described = (
            f"share of a point's {request.k} closest that have its value of {field!r}, "
            f"{self._among()}; a label is a proxy of relevance, and judged queries tell more"
        )
        found = self._measured(lists, ranked, worth, described, absolute=True)
        told = {"field": field, "chance": chance(asking.labels)}
        return self._reply("agreement", found, labels=told)

    def by_queries(self) -> dict[str, Any]:
        """Return what the caller's queries tell."""
        request = self._request
        assert request.queries is not None  # which the check has seen to
        queries = [self._checked(at, request.queries[v]) for at, v in enumerate(request.versions)]
        lists = self._lists(queries, None)
        ranked, last = self._ranked(lists), len(request.versions) - 1
        if request.relevant is None:

            def shared(found: Places) -> Measured:
                return overlap(found, lists[last, last][:, : request.k])

            described = f"share of {request.versions[last]!r}'s top {request.k}, {self._among()}"
            found = self._measured(lists, ranked, shared, described, absolute=False)
            return self._reply("overlap", found)
        corpus = Searched(self._corpus, self._corpus, BitMap())
        judged = judgements_of(
            request.relevant, corpus, self._points.numbers_of, " and ".join(request.versions)
        )
        gains: list[Gains] = judged.served
        measure = measure_of(gains)
        judge = Judged(gains, measure, request.k)
        what = "known item in the top" if measure == "known_item" else "nDCG at"
        described = f"{what} {request.k}, {self._among()}"
        found = self._measured(
            lists,
            ranked,
            lambda found: judge.worth(judge.placed(found), request.k),
            described,
            absolute=True,
        )
        return self._reply(measure, found, counted=judged.to_json())

    def _checked(self, place: int, vectors: Vectors | Sequence[PointVector]) -> list[Query]:
        return checked_queries(vectors, self._view.config.embedded_spaces[self._columns[place]])

    def _lists(self, queries: Sequence[list[Query]], asking: Asking | None) -> dict[Cell, Places]:
        """Return the lists (q, c) of each cell that can be searched, without who asks."""
        found: dict[Cell, Places] = {}
        for t, own in enumerate(queries):
            for k in range(len(queries)):
                search = self._search(t, k)
                if search is not None:
                    length = RANKED if t == k else self._request.k
                    count = min(length, len(self._corpus))
                    found[t, k] = self._listed(search, own, count, asking)
        return found

    def _listed(
        self,
        search: Callable[[Query, int, BitMap], Any],
        queries: list[Query],
        count: int,
        asking: Asking | None,
    ) -> Places:
        if asking is None:
            return as_lists([search(one, count, self._corpus) for one in queries], count)
        lists = []
        for number, one in zip(asking.numbers, queries, strict=True):
            found = search(one, count + 1, self._corpus)
            lists.append(found[found != number][:count])
        return as_lists(lists, count)

    def _search(self, t: int, k: int) -> Callable[[Query, int, BitMap], Any] | None:
        """Return how queries of version t find rows of version k; None without an adapter."""
        request, queries, rows = self._request, self._columns[t], self._columns[k]
        names = request.versions[k], request.versions[t]
        over = None
        if t != k:
            if (known := self._fitted.get((rows, queries))) is None:
                return None
            over = Bridge(rows, request.vector, *names, needed=False, fitted=known)
        scene = Scene(self._view, self._points.numbers_of)
        asked = CompareRequest(request.vector, *names, {}, request.k)
        searched = Searched(self._corpus, self._corpus, BitMap())
        sides = Sides(scene, asked, rows, queries, searched, over, None)
        if over is None:
            return lambda query, count, among: find_native(sides, queries, query, count, among)
        return lambda query, count, among: find_over(sides, over, query, count, among)

    def _ranked(self, lists: Mapping[Cell, Places]) -> dict[Cell, Places]:
        """Return, for each step, the old version's best as the new version ranks them."""
        k = self._request.k
        return {
            (old + 1, old): cascaded(
                lists[old, old][:, :CASCADE_FROM_OLD], lists[old + 1, old + 1], k
            )
            for old in range(len(self._columns) - 1)
        }

    def _measured(
        self,
        lists: Mapping[Cell, Places],
        ranked: Mapping[Cell, Places],
        worth: Callable[[Places], Measured],
        described: str,
        *,
        absolute: bool,
    ) -> ChainMeasures:
        k = self._request.k
        return ChainMeasures(
            self._request.versions,
            {cell: worth(found[:, :k]) for cell, found in lists.items()},
            {cell: worth(found) for cell, found in ranked.items()},
            absolute,
            described,
        )

    def _pairs(self) -> Iterator[tuple[int, int]]:
        """Yield the columns of rows and queries of all adapters that may have a part."""
        for rows in self._columns:
            yield from ((rows, queries) for queries in self._columns if queries != rows)

    def _among(self) -> str:
        return f"among the {len(self._corpus)} points that hold all versions and were not fitted on"

    def _reply(self, measure: str, found: ChainMeasures, **more: Any) -> dict[str, Any]:
        return {
            "vector": self._request.vector,
            "versions": list(self._request.versions),
            "k": self._request.k,
            "points": len(self._corpus),
            "fitted_points": len(self._seen),
            "measure": measure,
            "labels": None,
            "counted": None,
            **more,
            **chained(found),
        }
