"""The pairs an adapter is fitted on and measured on: points that hold both versions, or given ones.

Which points are held out is told by a hash of their numbers, so that a later fit, on more points,
still never sees them. Used by any thread; takes no lock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.fit_kinds import UNFITTED
from palimpsest.index.adapters.fit_request import FitRequest
from palimpsest.index.adapters.kinds import Pairs, directed, make_pairs, needed_pairs
from palimpsest.index.adapters.set_scores import NO_SETS, SetScores
from palimpsest.index.config.collection import SpaceConfig
from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.errors import InvalidPairs, VersionConflict
from palimpsest.index.filters.bitmaps import to_numbers
from palimpsest.index.read.points import PointReader
from palimpsest.index.remedies import Act, PairPoints
from palimpsest.index.types import Numbers
from palimpsest.index.versions.drawn_sets import (
    HeldSets,
    first_held,
    held_sets,
    over_of,
    sets_at,
    token_pairs,
)
from palimpsest.index.view.means import points_vectors
from palimpsest.index.view.view import AnyVectors, View
from palimpsest.index.waiting import StoreAhead, consistent
from palimpsest.index.write.writer import Writer

Ends: TypeAlias = tuple[int, int]  # columns of the rows and of the queries

_SHARES = 1_000_000  # of the hash, that the held-out share is cut at


class Drawn(NamedTuple):
    """Pairs to fit on and to measure on; ``points`` are the numbers (n,) of the former's points.

    ``points`` is None where the caller gave the pairs. ``sets`` are the exact scores of the points
    to measure on, where a version has sets.
    """

    fit_part: Pairs
    held: Pairs
    points: Numbers | None
    sets: SetScores = NO_SETS


class Pairing:
    """Draws the pairs of one collection."""

    def __init__(self, writer: Writer, points: PointReader) -> None:
        self._writer = writer
        self._points = points

    def count(self, ends: Ends) -> int:
        """Return how many points hold both versions. Raises VersionConflict."""
        rows, queries = (vectors.held for vectors in _ends(self._writer.view, ends))
        return rows.intersection_cardinality(queries)

    def draw(
        self, request: FitRequest, ends: Ends, rows: SpaceConfig, queries: SpaceConfig
    ) -> Drawn:
        """Return what is fitted on and what is held out.

        Args:
            request: says which pairs.
            ends: the columns of the rows and of the queries.
            rows: how the vectors of the rows' version are kept.
            queries: how those of the queries' version are.

        Raises:
            InvalidPairs: there are too few, or the given ones do not fit the versions.
            VersionConflict: one of the versions was dropped meanwhile.
        """
        if request.pairs is not None:
            _require_vectors(request, rows, queries)
            pairs = checked_pairs(request.pairs, rows, queries, "pairs")
            assert pairs is not None
            out = is_held_out(np.arange(len(pairs.rows), dtype=np.uint32), request.holdout)
            return Drawn(pairs.take(np.flatnonzero(~out)), pairs.take(np.flatnonzero(out)), None)
        both = [vectors.held for vectors in _ends(self._writer.view, ends)]
        numbers = to_numbers(both[0] & both[1])
        if request.kind not in (*UNFITTED, "relative"):
            needed = needed_points(rows, queries, request.holdout)
            _require_pairs(request, [len(one) for one in both], len(numbers), needed)
        order = np.argsort(_hash(numbers, 1), kind="stable")
        numbers = numbers[order]
        out = is_held_out(numbers, request.holdout)
        most = int(request.max_pairs * request.holdout)
        measured, fitted = numbers[out][:most], numbers[~out][: request.max_pairs - most]
        over = over_of(rows, queries)
        if over == "vectors":
            points, fit_part = self._pairs_of(fitted, ends)
            return Drawn(fit_part, self._pairs_of(measured, ends)[1], points)
        _require_vectors(request, rows, queries)
        points, fit_part = self._pairs_of(fitted, ends, tokens=over == "tokens")
        held = self._held(measured, ends)
        return Drawn(fit_part, held.pairs, points, held.scores)

    def _held(self, numbers: Numbers, ends: Ends) -> HeldSets:
        """Return what is measured on of points of which a version has sets."""

        def read() -> HeldSets:
            kept, _ = self._pairs_of(numbers, ends)  # those that have both, and a direction
            view = self._writer.view
            vectors = _ends(view, ends)
            slots = [self._points.slots_of(kept, number) for number in ends]
            there = (slots[0] != 0) & (slots[1] != 0)
            slots = [own[there] for own in slots]
            most = first_held(vectors, slots)
            found = [
                sets_at(one, own[:most])
                if isinstance(one.config, MultiConfig)
                else points_vectors(one, own[:most])
                for one, own in zip(vectors, slots, strict=True)
            ]
            self._require(view, ends, kept[there], [complete for _, complete in found])
            spaces = [view.config.embedded_spaces[number] for number in ends]
            return held_sets(found[0][0], found[1][0], spaces)

        return consistent(read, self._points.catch_up)

    def _require(self, view: View, ends: Ends, numbers: Numbers, complete: Sequence[bool]) -> None:
        if not all(complete):
            self._points.require_rows(view, ends, numbers.tolist())
            raise StoreAhead(self._points.catch_up)

    def _pairs_of(
        self, numbers: Numbers, ends: Ends, *, tokens: bool = False
    ) -> tuple[Numbers, Pairs]:
        """Return points and their vectors in both versions, of sets the means.

        Points that lost one drop out, and those with a vector that has no direction. With
        ``tokens`` pairs are those of tokens, where both versions cut texts alike.
        """

        def read() -> tuple[Numbers, Pairs]:
            view = self._writer.view
            vectors = _ends(view, ends)
            slots = [self._points.slots_of(numbers, number) for number in ends]
            both = (slots[0] != 0) & (slots[1] != 0)
            slots = [own[both] for own in slots]
            found = [points_vectors(one, own) for one, own in zip(vectors, slots, strict=True)]
            self._require(view, ends, numbers[both], [complete for _, complete in found])
            pairs = Pairs(found[0][0], found[1][0])
            distances = [one.config.distance for one in vectors]
            kept = np.flatnonzero(directed(pairs, *distances))
            points, cut = numbers[both][kept], None
            if tokens:
                cut = token_pairs(vectors, [own[kept] for own in slots])
            if cut is None:
                return points, pairs.take(kept)
            return points, cut.take(np.flatnonzero(directed(cut, *distances)))

        return consistent(read, self._points.catch_up)


def _require_pairs(request: FitRequest, held: Sequence[int], there: int, needed: int) -> None:
    """Raise InvalidPairs where too few points hold both versions to fit anything on.

    Args:
        request: says which versions.
        held: how many points hold that of the rows, and that of the queries.
        there: how many hold both.
        needed: how many have to.
    """
    if there >= needed:
        return
    rarer = request.rows if held[0] < held[1] else request.queries
    raise InvalidPairs(
        f"{there} points hold both versions {request.rows!r} and {request.queries!r}, at least "
        f"{needed} are needed to fit on",
        PairPoints(request.vector, rarer),
        Act.GIVE_PAIRS,
    )


def _require_vectors(request: FitRequest, rows: SpaceConfig, queries: SpaceConfig) -> None:
    """Raise InvalidPairs where vectors are given for versions of sets."""
    given = (request.pairs, request.query_pairs, request.anchors)
    if over_of(rows, queries) == "vectors" or all(one is None for one in given):
        return
    sets = request.rows if isinstance(rows, MultiConfig) else request.queries
    raise InvalidPairs(
        f"pairs, query_pairs and anchors are single vectors, and version {sets!r} has sets of "
        "them: its adapters are fitted and measured on points that hold both versions; give none"
    )


def _ends(view: View, ends: Ends) -> list[AnyVectors]:
    """Return the vectors of two versions. Raises VersionConflict when one was dropped."""
    found = [one for number in ends if (one := view.vectors.get(number)) is not None]
    if len(found) < len(ends):
        raise VersionConflict("A version was dropped while its adapter was fitted")
    return found


def needed_points(rows: SpaceConfig, queries: SpaceConfig, holdout: float) -> int:
    """Return how many points have to hold both versions for a fit, a share of them held out."""
    return math.ceil(needed_pairs(rows.size, queries.size) / (1 - holdout))


def checked_pairs(
    pairs: Pairs | None, rows: SpaceConfig, queries: SpaceConfig, what: str
) -> Pairs | None:
    """Return pairs normalised as their versions are. Raises InvalidPairs."""
    if pairs is None:
        return None
    made = make_pairs(pairs.rows, pairs.queries, rows.distance, queries.distance)
    for side, vectors, space in (
        ("rows", made.rows, rows),
        ("queries", made.queries, queries),
    ):
        if vectors.shape[1] != space.size:
            raise InvalidPairs(
                f"{what}.{side}: expected vectors of {space.size} dimensions, as the version "
                f"was declared, got {vectors.shape[1]}"
            )
    return made


def is_held_out(numbers: Numbers, share: float) -> NDArray[np.bool_]:
    """Tell which points (n,) are only ever measured on, where so large a share is."""
    return _hash(numbers, 2) % _SHARES < np.uint64(share * _SHARES)


def _hash(numbers: Numbers, salt: int) -> NDArray[np.uint64]:
    """Return a hash of each number: the mixing steps of splitmix64 (OOPSLA 2014)."""
    mixed = numbers.astype(np.uint64) + np.uint64(salt * 0x9E3779B97F4A7C15 % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
