"""Which other versions a search goes over, and which points it cannot reach.

A point without a vector of the query's version is found among the rows of another version, to which
an adapter leads (``view.bridge``), or which have a query of their own. Where there is no way,
what can be reached is served: the others are counted, or refused where all are required.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from pyroaring import BitMap

from palimpsest.index.adapters.comparable import UNFITTED, Merge
from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.errors import MissingAdapter
from palimpsest.index.types import BridgeMode, OutOfReach
from palimpsest.index.view.bridge import Bridge
from palimpsest.index.view.dense import DenseView, dense_of
from palimpsest.index.view.means import one_a_point
from palimpsest.index.view.view import AnyVectors, View

SCANNED = 131_072  # rows of a part that is scanned rather than walked by a mapped query


class Across(NamedTuple):
    """A bridge to points of ``rest``, None for all of its rows, which are ``live`` in number.

    ``vectors`` are what its queries are compared with: rows, sets, or the means of sets.
    """

    bridge: Bridge
    vectors: AnyVectors
    rest: BitMap | None
    live: int

    @property
    def dense(self) -> DenseView:
        """What its queries are compared with, where that is one vector a point."""
        return dense_of(self.vectors, self.bridge.rows)

    @property
    def points(self) -> BitMap:
        """The points it leads to; not to be changed."""
        return self.vectors.held if self.rest is None else self.rest

    @property
    def fitted(self) -> Fitted:
        """The adapter, which there is unless the rows are searched by a query of their own."""
        assert self.bridge.fitted is not None
        return self.bridge.fitted

    @property
    def merge(self) -> Merge:
        """How scores of the rows are made comparable."""
        return UNFITTED if self.bridge.fitted is None else self.bridge.fitted.merge


class Ways(NamedTuple):
    """The bridges a search goes over, and the points that it cannot reach."""

    bridges: Sequence[Across]
    missed: Sequence[OutOfReach]


_NEEDS_NONE = Ways((), ())


def out_of_reach(view: View, column: int) -> list[OutOfReach]:
    """Return the points that queries of a column do not reach."""
    # Those with an adapter first: a point that one of them leads to is not out of reach.
    bridges = sorted(view.bridges_of(column), key=lambda one: one.fitted is None)
    return [
        OutOfReach(bridge.vector, bridge.rows, bridge.queries, len(points), bridge.damage)
        for bridge, points in view.bridged(column, bridges)
        if bridge.fitted is None and points
    ]


def across(
    view: View,
    column: int,
    mode: BridgeMode,
    allowed: BitMap | None = None,
    own: Collection[int] = (),
) -> Ways:
    """Return the bridges a search of a column goes over, none where it needs none.

    What is out of reach is not told when ``mode`` is off.

    Args:
        view: what is searched.
        column: of the query.
        mode: on, off, or require, under which every point must be reachable.
        allowed: numbers of the points that may be found, None for all.
        own: columns that have queries of their own, and need no adapter.

    Raises:
        MissingAdapter: all are required, and no adapter leads to some.
    """
    bridges = view.bridges_of(column)
    if not bridges or (mode == "off" and not own):
        return _NEEDS_NONE
    if allowed is not None or own:
        return _ways(view, column, mode, allowed, own)
    known: Ways | None = view.memo.get((column, mode))
    if known is None:
        known = view.memo[column, mode] = _ways(view, column, mode, None, ())
    return known


def _ways(
    view: View, column: int, mode: BridgeMode, allowed: BitMap | None, own: Collection[int]
) -> Ways:
    bridges = view.bridges_of(column)

    def is_open(bridge: Bridge) -> bool:
        return bridge.column in own or (mode != "off" and bridge.fitted is not None)

    found: list[Across] = []
    unreached: list[OutOfReach] = []
    # a point that is found over one of the open ones is not missing over another
    for bridge, points in view.bridged(column, sorted(bridges, key=lambda one: not is_open(one))):
        vectors = compared(view, bridge)
        rest = None if len(points) == vectors.live else points
        if allowed is not None:
            rest = points & allowed
        live = vectors.live if rest is None else len(rest)
        if not live:
            continue
        if is_open(bridge):
            if rest is points and all(part.n <= SCANNED for part in vectors.sealed):
                vectors, rest = vectors.only(points), None
            found.append(Across(bridge, vectors, rest, live))
        elif mode == "require":
            raise MissingAdapter(bridge.vector, bridge.rows, bridge.queries, bridge.damage)
        elif mode == "on":
            missed = (bridge.vector, bridge.rows, bridge.queries, live, bridge.damage)
            unreached.append(OutOfReach(*missed))
    return Ways(found, unreached)


def compared(view: View, bridge: Bridge) -> AnyVectors:
    """Return what queries that go over a bridge, or queries of its own, are compared with."""
    fitted = bridge.fitted
    if fitted is not None and fitted.over == "means of rows":
        return one_a_point(view, bridge.column, fitted)
    return view.vectors[bridge.column]
