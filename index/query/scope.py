"""Which points a level of a tree may find.

A filter holds for all levels below its own, and so does the exclusion of points that are examples.
Filters of two levels are joined clause by clause, as Qdrant does: ``should`` of one level is
an alternative to ``should`` of the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pyroaring import BitMap

from palimpsest.index.filters.expression import Condition, Filter, HasVector, MinShould
from palimpsest.index.query.source import Source


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """A filter, points that are not to be found, and the only ones that are (None: all)."""

    filter: Filter | None = None
    without: BitMap = BitMap()
    within: BitMap | None = None

    def narrowed(self, filter: Filter | None, without: BitMap) -> Scope:
        """Return the scope of a level inside this one."""
        return replace(self, filter=join(self.filter, filter), without=self.without | without)

    def having(self, name: str) -> Scope:
        """Return the scope of the points with a vector of a name."""
        return replace(self, filter=join(self.filter, Filter(must=(HasVector(name),))))

    def allowed(self, source: Source) -> BitMap | None:
        """Return the points that may be found but for ``without``, None for all."""
        passing = source.allowed(self.filter)
        if self.within is None or passing is None:
            return self.within if passing is None else passing
        return passing & self.within

    def restricted(self, source: Source) -> BitMap | None:
        """Return the points that may be found, None for all."""
        allowed = self.allowed(source)
        if allowed is None and not self.without:
            return None
        return (source.live if allowed is None else allowed) - self.without

    def points(self, source: Source) -> BitMap:
        """Return the points that may be found; not to be changed."""
        restricted = self.restricted(source)
        return source.live if restricted is None else restricted


def join(outer: Filter | None, inner: Filter | None) -> Filter | None:
    """Return the filter of a level inside another, clause by clause."""
    if outer is None or inner is None:
        return inner if outer is None else outer
    return Filter(
        must=_both(outer.must, inner.must),
        should=_both(outer.should, inner.should),
        must_not=_both(outer.must_not, inner.must_not),
        min_should=_either(outer.min_should, inner.min_should),
    )


def _both(
    outer: tuple[Condition, ...] | None, inner: tuple[Condition, ...] | None
) -> tuple[Condition, ...] | None:
    if outer is None or inner is None:
        return inner if outer is None else outer
    return outer + inner


def _either(outer: MinShould | None, inner: MinShould | None) -> MinShould | None:
    if outer is None or inner is None:
        return inner if outer is None else outer
    return MinShould(outer.conditions + inner.conditions, max(outer.min_count, inner.min_count))
