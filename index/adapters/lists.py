"""What is in parts of lists: the answers of a comparison among halves and quarters of the points.

A measure among all points that hold both versions, and among random parts of them, tells by
``index.adapters.growth`` what it becomes in the whole collection. Parts are told by a hash of the
points' numbers, so each list is searched once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.growth import CASCADE
from palimpsest.index.adapters.measures import Measured, Places
from palimpsest.index.adapters.priorities import shuffled
from palimpsest.index.adapters.trial import Cell, TrialShares, lengths

PARTS = (1, 2, 4)
_DEEP = 8  # times k: how far down lists of the whole corpus are looked into
_TIMES = (1, 2, 4, _DEEP)
DEPTH = _DEEP * PARTS[-1]  # times k: so that lists of a quarter of it reach as far

Worth: TypeAlias = Callable[[int, int, Cell], Measured]  # of (parts, part, cell): (q,) or NaN


def list_length(k: int) -> int:
    """Return how long lists a comparison of answers of length k needs."""
    return max(CASCADE, DEPTH * k)


def cells_of(points: int, k: int, *, deep: bool) -> Iterator[tuple[int, Cell]]:
    """Yield numbers of parts with their cells, that of the answer itself first.

    Args:
        points: that hold both versions.
        k: length of an answer.
        deep: whether to look further down lists than the answer is long.
    """
    for parts in PARTS:
        size = points // parts
        for length in lengths(k):
            for times in _TIMES if deep else _TIMES[:1]:
                if times == 1 or 2 * length * times <= size:
                    yield parts, Cell(size, length, length * times)


def shares_in(cells: Iterable[tuple[int, Cell]], worth: Worth) -> TrialShares:
    """Return what is found in each cell, a mean over the parts in which a query has an answer."""
    found: Mapping[Cell, Measured] = {
        cell: _mean([worth(parts, part, cell) for part in range(parts)]) for parts, cell in cells
    }
    return TrialShares(list(found), np.stack([*found.values()], axis=1))


def _mean(measured: list[Measured]) -> Measured:
    every = np.stack(measured)
    known = (~np.isnan(every)).sum(axis=0)
    mean: Measured = np.full(len(known), np.nan)
    np.divide(np.nansum(every, axis=0), known, out=mean, where=known > 0)
    return mean


def in_part(found: Places, parts: int, part: int, count: int) -> Places:
    """Return the first ``count`` of each list (q, c) that belong to a part of the points."""
    if parts == 1:
        return found[:, :count]
    own = is_in(found, parts, part) & (found >= 0)
    first = np.argsort(~own, axis=1, kind="stable")[:, :count]
    kept: Places = np.where(
        np.take_along_axis(own, first, 1), np.take_along_axis(found, first, 1), -1
    )
    return kept


def is_in(numbers: Places, parts: int, part: int) -> NDArray[np.bool_]:
    """Tell which points belong to a part."""
    return np.asarray(shuffled(numbers.astype(np.uint32)) % parts == part)


def cascaded(candidates: Places, new: Places, k: int) -> Places:
    """Return candidates as the new version ranks them, (q, k).

    Those below the end of its list are not told apart; they come last, as they were.
    """
    ranked = np.full((len(new), k), -1, dtype=np.int64)
    for place, (own, others) in enumerate(zip(new, candidates, strict=True)):
        known = own[np.isin(own, others[others >= 0])]
        rest = others[~np.isin(others, known)]
        best = np.concatenate([known, rest])[:k]
        ranked[place, : len(best)] = best
    return ranked
