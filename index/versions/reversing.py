"""Adapters that a collection makes by itself: back to versions that were active before.

Once another version is active, points are written that versions before it do not hold, and their
clients, or everybody after a rollback, would not find those. So an adapter leads queries of each
version that was active to rows of the active one as soon as enough points hold both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from palimpsest.index.adapters.fit_kinds import INNER_PRODUCTS
from palimpsest.index.adapters.fit_request import AskedKind, FitRequest
from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.config.collection import SpaceConfig
from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.config.versions import space_of
from palimpsest.index.versions.drawn_pairs import Ends, needed_points
from palimpsest.index.view.view import View
from palimpsest.index.write.writer import Writer

_CHOSEN_BY = 120  # points, of which surely enough are held out to choose the best kind
_MORE = 1.25  # times the points, after which a map that they did not determine is tried again


class Reverse(NamedTuple):
    """An adapter that is not there: ``there`` points hold both versions, of ``needed``."""

    ends: Ends
    request: FitRequest
    there: int
    needed: int

    @property
    def possible(self) -> bool:
        """Whether enough points hold both."""
        return self.there >= self.needed


class Reversing:
    """What one collection's adapters lack; used by any thread."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._left: dict[Ends, float] = {}  # not to be fitted with fewer points

    def missing(self) -> list[Reverse]:
        """Return the adapters that are not there, but for those that are damaged or were dropped.

        Nor are those among them that the points there are determine no map for.
        """
        writer = self._writer
        return [
            one
            for one in reverses(writer.view, writer.fitted)
            if one.ends not in writer.damaged and one.there >= self._left.get(one.ends, 0)
        ]

    def possible(self) -> list[Reverse]:
        """Return those of them that can be fitted, and damaged ones that can be fitted again."""
        return [one for one in (*self.missing(), *self._damaged()) if one.possible]

    def _damaged(self) -> Iterator[Reverse]:
        """Yield the adapters that cannot be read, as points determine them."""
        writer = self._writer
        view = writer.view
        own = view.config.version_columns
        for ends in writer.damaged:
            if not own.keys() >= {*ends} or ends in writer.fitted:
                continue
            rows, queries = (own[number] for number in ends)
            held = [view.vectors[column].held for column in ends]
            there = held[0].intersection_cardinality(held[1])
            if there < self._left.get(ends, 0):
                continue
            spaces = [view.config.embedded_spaces[column] for column in ends]
            kind = _kind(there, *spaces)
            request = FitRequest(rows.version, queries.version, rows.vector, kind)
            needed = needed_points(spaces[0], spaces[1], request.holdout)
            yield Reverse(ends, request, there, needed)

    def failed(self, ends: Ends, there: int) -> None:
        """Try an adapter again only with more points than are there."""
        self._left[ends] = _MORE * there

    @contextmanager
    def leaving(self, ends: Ends) -> Iterator[None]:
        """Make an adapter no more by itself: it is dropped inside, or that fails."""
        before = self._left.get(ends, 0.0)
        self._left[ends] = math.inf
        try:
            yield
        except BaseException:
            self._left[ends] = before
            raise


def reverses(view: View, fitted: Mapping[Ends, Fitted]) -> Iterator[Reverse]:
    """Yield the adapters from versions that were active to the active one that are not there."""
    config = view.config
    for active in config.versions:
        if active.state != "active":
            continue
        rows = config.column_of(active)
        for other in config.versions_of(active.vector):
            if other.state != "serving" or other.mapped is not None:
                continue
            queries = config.column_of(other)
            ends = rows, queries
            if ends in fitted:
                continue
            spaces = space_of(config, active), space_of(config, other)
            held = view.vectors[rows].held, view.vectors[queries].held
            there = held[0].intersection_cardinality(held[1])
            kind = _kind(there, *spaces)
            request = FitRequest(active.version, other.version, active.vector, kind)
            yield Reverse(ends, request, there, needed_points(*spaces, request.holdout))


def _kind(there: int, *spaces: SpaceConfig) -> AskedKind:
    """Return the kind to fit: of few points too few are held out to choose one by."""
    if there >= _CHOSEN_BY:
        return "auto"
    inner = all(one.distance in INNER_PRODUCTS for one in spaces)
    # Tokens are mapped one by one, and no factor scales those they are compared with.
    tokens = all(isinstance(one, MultiConfig) for one in spaces)
    return "ridge" if inner and not tokens else "procrustes"
