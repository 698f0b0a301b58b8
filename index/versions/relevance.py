"""Judgements of a comparison: which points are relevant, and which queries count by them.

A query counts where some point that is relevant to it can be found; the others are named, each with
the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple, TypeAlias

from pyroaring import BitMap

from palimpsest.index.adapters.gains import Gains
from palimpsest.index.errors import InvalidConfig, InvalidPairs
from palimpsest.index.types import PointId

NumbersOf: TypeAlias = Callable[[Sequence[PointId]], list[int | None]]
Relevant: TypeAlias = Sequence[PointId] | Mapping[PointId, float]  # points, or their grades


class Judgements(NamedTuple):
    """The gains of each query among points of three kinds, and the queries left out, by reason.

    ``served`` are of the points that users' searches are measured among, ``shared`` of those that
    hold both versions, ``unseen`` of those of them that no adapter was fitted on.
    """

    served: list[Gains]
    shared: list[Gains]
    unseen: list[Gains]
    left_out: Mapping[str, list[int]]

    def to_json(self) -> dict[str, Any]:
        """Return which queries count, by their places."""
        return {
            "given": len(self.served),
            "all_rows": sum(map(bool, self.served)),
            "shared": sum(map(bool, self.shared)),
            "left_out": dict(self.left_out),
            "not_shared": [
                place for place, gains in enumerate(self.shared) if self.served[place] and not gains
            ],
        }


class Searched(NamedTuple):
    """The points that hold the old version, those that hold both, and those fitted on."""

    old: BitMap
    both: BitMap
    fitted: BitMap


def judgements_of(
    relevant: Sequence[Relevant], searched: Searched, numbers_of: NumbersOf, old: str
) -> Judgements:
    """Return what judgements come to.

    Args:
        relevant: of each query, points that answer it, or points with grades; 0 for none.
        searched: which points there are.
        numbers_of: gives the numbers of points by id.
        old: the old version's name, for the reasons.

    Raises:
        InvalidConfig: a grade is negative, or no number.
        InvalidPairs: no query counts.
    """
    graded = [_graded(one, place) for place, one in enumerate(relevant)]
    ids = [point for gains in graded for point in gains]
    numbers = dict(zip(ids, numbers_of(ids), strict=True)) if ids else {}
    known: list[Gains] = [
        {n: gain for one, gain in gains.items() if (n := numbers[one]) is not None}
        for gains in graded
    ]
    served = [_within(gains, searched.old - searched.fitted) for gains in known]
    left_out: dict[str, list[int]] = {}
    for place, gains in enumerate(served):
        if not gains:
            why = _why(graded[place], known[place], searched, old)
            left_out.setdefault(why, []).append(place)
    if not any(served):
        why = "; ".join(f"{len(places)}: {reason}" for reason, places in left_out.items())
        raise InvalidPairs(
            f"relevant: none of the queries counts ({why}): judge points that hold version "
            f"{old!r} and that the adapter was not fitted on"
        )
    shared = [_within(gains, searched.both) for gains in known]
    unseen = [_within(gains, searched.both - searched.fitted) for gains in known]
    return Judgements(served, shared, unseen, left_out)


def _graded(one: Relevant, place: int) -> dict[PointId, float]:
    """Return the points that are relevant, with their gains."""
    gains = dict(one) if isinstance(one, Mapping) else dict.fromkeys(one, 1.0)
    for point, gain in gains.items():
        if not (isfinite(gain) and gain >= 0):
            raise InvalidConfig(
                f"relevant[{place}]: expected a grade of 0 or more for point {point}, got {gain}"
            )
    return {point: float(gain) for point, gain in gains.items() if gain > 0}


def _within(gains: Gains, points: BitMap) -> Gains:
    return {number: gain for number, gain in gains.items() if number in points}


def _why(given: Mapping[PointId, float], known: Gains, searched: Searched, old: str) -> str:
    if not given:
        return "nothing is relevant to it"
    if not known:
        return "none of its relevant points exists"
    if not _within(known, searched.old):
        return f"none of its relevant points holds version {old!r}"
    return "the adapter was fitted on all of its relevant points"
