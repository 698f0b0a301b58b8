"""Which points to embed anew next: those whose better vector most answers wait for.

A point's priority is ``log(1 + demand) * residual`` (algorithms 4.5): how often it was among the
candidates of a bridge, times how little the adapter knows of its new vector. A share of the points
is drawn at random and marked so: they keep what is learned from migrated points unbiased, and find
what no query has shown yet. Demand does the work: on this project's text (v1 to v2) the residual
moves the area under the curve by less than .01.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.adapter import ESTIMATING, Adapter
from palimpsest.index.types import Numbers, Vectors

Order: TypeAlias = Literal["demand", "random"]
Hits: TypeAlias = NDArray[np.float32]  # (n,) demand of points
Residuals: TypeAlias = NDArray[np.float32]  # (n,) expected lengths of what a map leaves out

RANDOM_SHARE = 0.1
_LOOKED_AT = 4  # points per wanted one, by demand, whose residuals are looked at
_NO_DIRECTION = 1e-6  # the factor of an estimate that is no vector's
_LEAST_RESIDUAL = 0.1  # of unit vectors: where a map claims to know more, the order is by demand


class Next(NamedTuple):
    """Points to embed, the most urgent first; each array (m,). ``random`` marks drawn ones."""

    numbers: Numbers
    demand: Hits
    residual: Residuals
    random: NDArray[np.bool_]


def next_points(
    left: Numbers,
    demand: Hits,
    residuals_of: Callable[[Numbers], Residuals],
    *,
    limit: int,
    order: Order = "demand",
    random_share: float = RANDOM_SHARE,
) -> Next:
    """Return which of the points that are left come next; the same ones until some are embedded.

    Args:
        left: numbers (n,) of points without a vector of the version, each once.
        demand: their hits (n,).
        residuals_of: gives the residuals of some of them, in their order.
        limit: how many points.
        order: by demand and residual, or all at random.
        random_share: of the points by demand that are drawn at random in between, 0 to 1.
    """
    drawn = np.argsort(shuffled(left), kind="stable")  # as good as random, yet always the same
    wanted = 0 if order == "random" else limit - int(random_share * limit)
    by_demand = _most_wanted(left, demand, residuals_of, wanted)
    others = drawn[~np.isin(drawn, by_demand)][: limit - len(by_demand)]
    places, random = _interleaved(by_demand, others)
    numbers = left[places]
    return Next(numbers, demand[places], residuals_of(numbers), random)


def residuals(adapter: Adapter, rows: Vectors) -> Residuals:
    """Return how far (n, d_v) rows, mapped, are expected from their new unit vectors; (n,).

    Regression shrinks: where ``x_hat = E[x | y]`` of unit vectors, ``E|x - x_hat|^2 = 1 -
    |x_hat|^2``, and such an adapter knows ``1 / |x_hat|``. Its correlation with the true residual
    is .50 on this project's text. Other maps tell nothing: all residuals are 1.
    """
    if adapter.kind not in ESTIMATING or not adapter.scales_rows:
        return np.ones(len(rows), dtype=np.float32)
    factors = adapter.row_factors(rows).astype(np.float64)
    known = np.where(factors > _NO_DIRECTION, factors, np.inf) ** -2.0
    left_out = np.maximum(1.0 - known, _LEAST_RESIDUAL**2)
    return np.sqrt(left_out).astype(np.float32)


def priorities(demand: Hits, residual: Residuals) -> NDArray[np.float32]:
    """Return ``log(1 + demand) * residual`` (n,)."""
    return np.asarray(np.log1p(demand) * residual, dtype=np.float32)


def shuffled(numbers: Numbers) -> Numbers:
    """Return a different number for each, without a pattern: the last step of MurmurHash3."""
    mixed = numbers.astype(np.uint32)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        mixed = (mixed ^ (mixed >> np.uint32(shift))) * np.uint32(factor)
    return mixed ^ (mixed >> np.uint32(16))


def _most_wanted(
    left: Numbers,
    demand: Hits,
    residuals_of: Callable[[Numbers], Residuals],
    count: int,
) -> NDArray[np.intp]:
    """Return the places of the ``count`` points of the highest priority, of those in demand."""
    places = np.flatnonzero(demand > 0)
    looked_at = _LOOKED_AT * count
    if len(places) > looked_at:
        places = places[np.argsort(-demand[places], kind="stable")[:looked_at]]
    if not len(places) or count == 0:
        return places[:0]
    priority = priorities(demand[places], residuals_of(left[places]))
    return places[np.lexsort((shuffled(left[places]), -priority))[:count]]


def _interleaved(
    first: NDArray[np.intp], second: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return both spread evenly over one list, and which of it are the second."""
    at = np.concatenate([(np.arange(len(one)) + 0.5) / max(1, len(one)) for one in (first, second)])
    order = np.argsort(at, kind="stable")
    return np.concatenate([first, second])[order], order >= len(first)
