"""How many points a filter means, about, without reading payloads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from palimpsest.index.filters.expression import Condition, Filter, MinShould, Slice
from palimpsest.index.payload.known import FilterSource, known_of


class CountEstimate(NamedTuple):
    """Numbers of points: at least, probably, at most."""

    low: int
    expected: int
    high: int


class _Share(NamedTuple):
    """The same as shares of all points."""

    low: float
    expected: float
    high: float


_NOTHING, _ALL = _Share(0.0, 0.0, 0.0), _Share(1.0, 1.0, 1.0)
_UNKNOWN = _Share(0.0, 0.5, 1.0)


def estimate(filter: Filter, source: FilterSource) -> CountEstimate:
    """Return bounds and a guess; conditions are taken for independent, unknown ones for even."""
    points = len(source.live)
    low, expected, high = _of_filter(filter, source)
    return CountEstimate(round(low * points), round(expected * points), round(high * points))


def _of_filter(filter: Filter, source: FilterSource) -> _Share:
    shares = [_of(each, source) for each in filter.must or ()]
    shares.extend(_not(_of(each, source)) for each in filter.must_not or ())
    if filter.should:
        shares.append(_not(reduce(_and, [_not(_of(each, source)) for each in filter.should])))
    if filter.min_should is not None:
        shares.append(_enough(filter.min_should, source))
    return reduce(_and, shares, _ALL)


def _of(condition: Condition, source: FilterSource) -> _Share:
    if isinstance(condition, Filter):
        return _of_filter(condition, source)
    if isinstance(condition, Slice):
        return _Share(0.0, 1 / condition.total, 1.0)
    known, points = known_of(condition, source), len(source.live)
    if known is None or not points:
        return _UNKNOWN if points else _NOTHING
    sure = known.sure.intersection_cardinality(source.live) / points
    maybe = known.maybe.intersection_cardinality(source.live) / points
    return _Share(sure, sure + maybe / 2, sure + maybe)


def _not(share: _Share) -> _Share:
    return _Share(1 - share.high, 1 - share.expected, 1 - share.low)


def _and(one: _Share, other: _Share) -> _Share:
    # The bounds hold whatever the two have to do with each other; only the guess takes them for
    # independent.
    low = max(0.0, one.low + other.low - 1)
    return _Share(low, one.expected * other.expected, min(one.high, other.high))


def _enough(clause: MinShould, source: FilterSource) -> _Share:
    """Return the share of points with at least ``min_count`` of the conditions."""
    shares = [_of(each, source) for each in clause.conditions]
    least = clause.min_count
    if least > len(shares):
        return _NOTHING
    expected = _at_least(least, [share.expected for share in shares])
    high = min(1.0, sum(share.high for share in shares) / least) if least > 0 else 1.0
    low = max(0.0, sum(share.low for share in shares) - len(shares) + 1) if shares else 0.0
    return _Share(min(low, expected), expected, max(high, expected))


def _at_least(least: int, chances: Sequence[float]) -> float:
    """Return the chance that ``least`` of independent events happen."""
    exactly = np.zeros(len(chances) + 1)  # the chance of each number of events so far
    exactly[0] = 1.0
    for seen, chance in enumerate(chances):
        happened = exactly[: seen + 1] * chance
        exactly[: seen + 1] *= 1 - chance
        exactly[1 : seen + 2] += happened
    return float(exactly[max(0, least) :].sum())
