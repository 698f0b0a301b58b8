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
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.errors import InvalidPairs, VersionConflict
from palimpsest.index.filters.bitmaps import to_numbers
from palimpsest.index.read.points import PointReader
from palimpsest.index.remedies import Act, PairPoints
from palimpsest.index.types import Numbers
from palimpsest.index.view.dense import DenseView, dense_of, vectors_of
from palimpsest.index.view.view import View
from palimpsest.index.waiting import StoreAhead, consistent
from palimpsest.index.write.writer import Writer

Ends: TypeAlias = tuple[int, int]  # columns of the rows and of the queries

_SHARES = 1_000_000  # of the hash, that the held-out share is cut at


class Drawn(NamedTuple):
    """Pairs to fit on and to measure on; ``points`` are the numbers (n,) of the former's points.

    ``points`` is None where the caller gave the pairs.
    """

    fit_part: Pairs
    held: Pairs
    points: Numbers | None


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
        self, request: FitRequest, ends: Ends, rows: VectorConfig, queries: VectorConfig
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
        points, fit_part = self._pairs_of(fitted, ends)
        return Drawn(fit_part, self._pairs_of(measured, ends)[1], points)

    def _pairs_of(self, numbers: Numbers, ends: Ends) -> tuple[Numbers, Pairs]:
        """Return points and their vectors in both versions.

        Points that lost one drop out, and those with a vector that has no direction.
        """

        def read() -> tuple[Numbers, Pairs]:
            view = self._writer.view
            vectors = _ends(view, ends)
            slots = [self._points.slots_of(numbers, number) for number in ends]
            both = (slots[0] != 0) & (slots[1] != 0)
            found = [vectors_of(one, own[both]) for one, own in zip(vectors, slots, strict=True)]
            if not all(complete for _, complete in found):
                self._points.require_rows(view, ends, numbers[both].tolist())
                raise StoreAhead(self._points.catch_up)
            pairs = Pairs(found[0][0], found[1][0])
            rows, queries = (one.config for one in vectors)
            kept = np.flatnonzero(directed(pairs, rows.distance, queries.distance))
            return numbers[both][kept], pairs.take(kept)

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


def _ends(view: View, ends: Ends) -> list[DenseView]:
    """Return the vectors of two versions. Raises VersionConflict when one was dropped."""
    found = [dense_of(one) for number in ends if (one := view.vectors.get(number)) is not None]
    if len(found) < len(ends):
        raise VersionConflict("A version was dropped while its adapter was fitted")
    return found


def needed_points(rows: VectorConfig, queries: VectorConfig, holdout: float) -> int:
    """Return how many points have to hold both versions for a fit, a share of them held out."""
    return math.ceil(needed_pairs(rows.size, queries.size) / (1 - holdout))


def checked_pairs(
    pairs: Pairs | None, rows: VectorConfig, queries: VectorConfig, what: str
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
