"""Points grouped by a payload value: the best of each group, groups by their best point.

A group is an integer or a string. A point with several values stands in several groups; one with a
value of another kind stands in none. The limit of the request counts groups; those of prefetches
count points, as in the query itself.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence, Set
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from palimpsest.index.filters.decoding import key_decoder
from palimpsest.index.filters.expression import Filter, Match, Path
from palimpsest.index.filters.values import values_at
from palimpsest.index.query.execute import Answer, Elsewhere, attach, check, ranked
from palimpsest.index.query.request import (
    MAX_MMR_CANDIDATES,
    GroupRequest,
    Nearest,
    Prefetch,
    Query,
    Sample,
)
from palimpsest.index.query.scope import join
from palimpsest.index.query.scored import Scored
from palimpsest.index.query.source import Source
from palimpsest.index.stops import checked

GroupKey: TypeAlias = int | str
Places: TypeAlias = dict[GroupKey, list[int]]

WIDE = 10_000  # points that mmr looks at, or all there are: its limit is not one of groups
_FIRST = 4  # times as many points as the groups hold are looked at first,
_MORE = 8  # then so many times more


class Group(NamedTuple):
    """A group and its points, best first."""

    key: GroupKey
    hits: Answer


class _Members(NamedTuple):
    """A ranking, and the places in it of each group's best points."""

    found: Scored
    places: Places


def answer_groups(source: Source, request: GroupRequest, elsewhere: Elsewhere) -> list[Group]:
    """Return groups, best first.

    The best points of all tell which groups there are. Those that are not full then are filled from
    the best points of these groups alone, where that leaves scores as they are.

    Args:
        source: the collection, in the state that is searched.
        request: the tree, the path to group by, and what the answer holds.
        elsewhere: as for ``answer``.

    Raises:
        InvalidInput: one of its subclasses: the query cannot be carried out as given.
        PointNotFound: a target is the id of no point.
    """
    check(request.root)
    search = _Search(source, request, elsewhere)
    size = request.size
    # Such a tree cannot be asked for one group alone: its scores, or its choice, depend on which
    # other points there are. More and more of it is looked at instead.
    if not _keeps_scores(search.root):
        known = search.members(
            search.root, lambda places: _are_full(places, request.root.limit, size)
        )
        return [_attached(source, key, known, request) for key in known.places]
    known = search.members(search.root, lambda places: len(places) >= request.root.limit)
    lacking = {key for key, places in known.places.items() if len(places) < size}
    filled = search.filled(lacking) if lacking else known
    # by bridges a group alone may score lower than among others, and fall below the threshold
    better = lacking & filled.places.keys()
    return [
        _attached(source, key, filled if key in better else known, request) for key in known.places
    ]


class _Search:
    """Rankings of one request, looked at as far as its groups need."""

    def __init__(self, source: Source, request: GroupRequest, elsewhere: Elsewhere) -> None:
        self._source = source
        self._request = request
        self._elsewhere = elsewhere
        self._keys = _Keys(source, request.path)
        self._every = max(len(source.live), 1)
        if _is_diverse(request.root.query):
            self._every = min(self._every, MAX_MMR_CANDIDATES)
        self.root = request.root

    def members(
        self,
        level: Prefetch,
        until: Callable[[Places], bool],
        only: Container[GroupKey] | None = None,
    ) -> _Members:
        """Look at more and more points until their groups are enough, or there are no more."""
        request, count = self._request, _first_count(self._request)
        while True:
            count = min(count, self._every)
            found = ranked(self._source, replace(level, limit=count), self._elsewhere)
            places = _collect(self._keys.of(found), request, only)
            if until(places) or count >= self._every or len(found) < count:
                return _Members(found, places)
            count *= _MORE

    def filled(self, keys: Set[GroupKey]) -> _Members:
        """Look at the points of some groups alone."""
        own = Filter(must=(Match(self._request.path, tuple(keys)),))
        return self.members(
            replace(self.root, filter=join(self.root.filter, own)),
            lambda places: _are_full(places, len(keys), self._request.size),
            keys,
        )


def _are_full(places: Places, groups: int, size: int) -> bool:
    return len(places) >= groups and all(len(each) >= size for each in places.values())


def _first_count(request: GroupRequest) -> int:
    if _is_diverse(request.root.query):
        return WIDE  # its choice depends on how many there are to choose from
    return _FIRST * request.root.limit * request.size


def _keeps_scores(root: Prefetch) -> bool:
    """Tell whether a filter leaves the scores and the order of the points that pass as they are."""
    steady = not isinstance(root.query, Sample) and not _is_diverse(root.query)
    return steady and not root.prefetches


def _is_diverse(query: Query | None) -> bool:
    return isinstance(query, Nearest) and query.mmr is not None


class _Keys:
    """The groups of points, read once each."""

    def __init__(self, source: Source, path: Path) -> None:
        self._source = source
        self._path = path
        self._decode = key_decoder({str(path[0])})
        self._known: dict[int, Sequence[GroupKey]] = {}

    def of(self, found: Scored) -> list[Sequence[GroupKey]]:
        """Return the groups of each point."""
        numbers = found.numbers.tolist()
        # Each round looks at all earlier points again, whose payloads are not read twice.
        new = [number for number in dict.fromkeys(numbers) if number not in self._known]
        payloads = self._source.payloads(np.array(new, dtype=np.uint32))
        for number, payload in zip(new, payloads, strict=True):
            self._known[number] = _keys_in(self._decode(payload), self._path)
        return [self._known[number] for number in numbers]


def _keys_in(payload: dict[str, Any], path: Path) -> Sequence[GroupKey]:
    values = values_at(payload, path)
    # One value of another kind and the point is in no group; a bool is no integer here.
    if any(value.__class__ not in (int, str) for value in values):
        return ()
    return list(dict.fromkeys(values))


def _collect(
    keys: Sequence[Sequence[GroupKey]], request: GroupRequest, only: Container[GroupKey] | None
) -> Places:
    """Return the places of each group's best points, of the first groups or of ``only`` some."""
    groups: Places = {}
    for place, own in enumerate(checked(keys)):
        for key in own:
            places = groups.get(key)
            if places is not None:
                if len(places) < request.size:
                    places.append(place)
            elif len(groups) < request.root.limit and (only is None or key in only):
                groups[key] = [place]
    return groups


def _attached(source: Source, key: GroupKey, members: _Members, request: GroupRequest) -> Group:
    """Return a group with its points as the user sees them."""
    found, places = members.found, members.places[key]
    values = found.order_values
    chosen = Scored(
        found.numbers[places],
        found.scores[places],
        None if values is None else [values[place] for place in places],
    )
    return Group(key, attach(source, chosen, request.with_payload, request.with_vectors))
