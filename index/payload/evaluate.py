"""Filters to sets of points, through indexes as far as they go and by reading payloads otherwise.

Of an AND, what indexes know comes first, and payloads are read of the points that are left, each
once. Answers are those of ``index.filters.matching``, with any indexes and without.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from pyroaring import BitMap

from palimpsest.index.filters.bitmaps import from_flags, to_flags
from palimpsest.index.filters.decoding import payload_decoder
from palimpsest.index.filters.expression import Condition, Filter, MinShould, Slice
from palimpsest.index.filters.matching import Facts, compile_filter
from palimpsest.index.filters.slices import slice_of
from palimpsest.index.payload.automatic import LEAST_READ
from palimpsest.index.payload.candidates import Candidates
from palimpsest.index.payload.estimate import estimate
from palimpsest.index.payload.known import FilterSource, is_known, known_of

__all__ = ["FilterSource", "estimate", "evaluate"]


def evaluate(filter: Filter, source: FilterSource) -> BitMap:
    """Return the live points that pass a filter, a set of the caller's own.

    Raises:
        Unsupported: a condition is of an unknown kind.
    """
    return _Evaluation(source).passing(filter, source.live)


class _Evaluation:
    def __init__(self, source: FilterSource) -> None:
        self._source = source
        self._tokenizers = source.indexes.tokenizers

    def passing(self, filter: Filter, within: BitMap) -> BitMap:
        """Return which points of a set pass."""
        found = within.copy()
        must, must_not = _Sorted(filter.must, self._source), _Sorted(filter.must_not, self._source)
        for candidates in (known for _, known in must.known):
            found &= candidates.sure | candidates.maybe if candidates.maybe else candidates.sure
        for candidates in (known for _, known in must_not.known):
            found -= candidates.sure
        # Cheapest first: what indexes know for certain has left few points for what has to be read.
        self._settle(must, must_not, found)
        enough, counted = self._enough(filter.min_should, found)
        found &= enough
        unread = [*must.unread, *([Filter(min_should=counted)] if counted else [])]
        checks = Filter(must=tuple(unread), must_not=tuple(must_not.unread))
        return self._one_of(filter.should, checks, found)

    def _settle(self, must: _Sorted, must_not: _Sorted, found: BitMap) -> None:
        """Cut ``found`` by what indexes leave open, and by filters that indexes help with."""
        for slice_ in must.slices:
            found &= self._in_slice(slice_, found)
        for slice_ in must_not.slices:
            found -= self._in_slice(slice_, found)
        held, doubtful = must.doubtful(found)
        not_held, more = must_not.doubtful(found)
        doubtful |= more
        # The payloads of doubtful points are read once, for all conditions that leave them open.
        found -= doubtful - self._scan(Filter(must=held, must_not=not_held), doubtful)
        for each in must.filters:
            found &= self.passing(each, found)
        for each in must_not.filters:
            found -= self.passing(each, found)

    def _one_of(self, should: Sequence[Condition] | None, checks: Filter, found: BitMap) -> BitMap:
        """Return the points that pass the checks and hold one of the conditions, if any."""
        if not should:
            return self._scan(checks, found)
        sorted_ = _Sorted(should, self._source)
        hits = BitMap()
        for candidates in (known for _, known in sorted_.known):
            hits |= candidates.sure & found
        for slice_ in sorted_.slices:
            hits |= self._in_slice(slice_, found - hits)
        held, doubtful = sorted_.doubtful(found - hits)
        hits |= self._scan(Filter(should=held), doubtful)
        for each in sorted_.filters:
            hits |= self.passing(each, found - hits)
        # What holds one of the conditions for certain is only checked for the rest; the others need
        # both, and are read once for both.
        passing = self._scan(checks, hits)
        if sorted_.unread:
            rest = Filter(checks.must, tuple(sorted_.unread), checks.must_not)
            passing |= self._scan(rest, found - hits)
        return passing

    def _enough(self, clause: MinShould | None, within: BitMap) -> tuple[BitMap, MinShould | None]:
        """Return the points with enough conditions, or all of them and what payloads must tell."""
        if clause is None:
            return within, None
        # Without an index each condition would read all payloads: they are read once, for all of
        # them.
        if not any(is_known(each, self._source.indexes) for each in clause.conditions):
            return within, clause
        n = (within.max() + 1) if within else 0
        counts = np.zeros(n, dtype=np.uint32)
        for each in clause.conditions:
            counts += to_flags(self.passing(Filter(must=(each,)), within), n)
        return from_flags(counts >= clause.min_count), None

    def _in_slice(self, slice_: Slice, among: BitMap) -> BitMap:
        """Return which points are in a slice, by their ids."""
        ids = self._source.ids(among) if among else ()
        return BitMap([n for n, id in ids if slice_of(id, slice_.total) == slice_.index])

    def _scan(self, filter: Filter, among: BitMap) -> BitMap:
        """Return which points pass a filter on payloads, by reading them."""
        if not among or not (filter.must or filter.must_not or filter.should):
            return among
        check = compile_filter(filter, self._tokenizers)
        decode = payload_decoder(filter)
        payloads = self._source.payloads(among)
        if len(among) >= LEAST_READ:
            self._source.indexes.read(filter)
        return BitMap([n for n, payload in payloads if check(Facts(None, decode(payload)))])


class _Sorted:
    """Conditions of one clause by what it takes to answer them."""

    def __init__(self, conditions: Iterable[Condition] | None, source: FilterSource) -> None:
        self.known: list[tuple[Condition, Candidates]] = []
        self.slices: list[Slice] = []  # ids have to be read
        self.filters: list[Filter] = []  # that indexes help with
        self.unread: list[Condition] = []  # payloads have to be read
        for condition in conditions or ():
            if isinstance(condition, Slice):
                self.slices.append(condition)
                continue
            known = known_of(condition, source)
            if known is not None:
                self.known.append((condition, known))
            elif isinstance(condition, Filter) and is_known(condition, source.indexes):
                self.filters.append(condition)
            else:
                self.unread.append(condition)

    def doubtful(self, among: BitMap) -> tuple[tuple[Condition, ...], BitMap]:
        """Return the conditions that indexes leave open, and of which points, a new set."""
        conditions: list[Condition] = []
        points = BitMap()
        for condition, candidates in self.known:
            if candidates.maybe.intersect(among):
                conditions.append(condition)
                points |= candidates.maybe & among
        return tuple(conditions), points
