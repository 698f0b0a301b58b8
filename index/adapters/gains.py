"""Judged answers: what relevant points are worth at the places of lists, whole or in parts.

The plain twins are ``known_item`` and ``ndcg`` of ``index.adapters.measures``, query by query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.adapters.lists import is_in
from palimpsest.index.adapters.measures import Measured, Places

Measure: TypeAlias = Literal["known_item", "ndcg"]
Gains: TypeAlias = Mapping[int, float]  # above 0, by number of the point

_WHOLE = 1, 0  # the part that is everything


def measure_of(gains: Sequence[Gains]) -> Measure:
    """Return the measure of judgements: known item where each query has one point, else nDCG."""
    return "known_item" if all(len(one) <= 1 for one in gains) else "ndcg"


class Placed(NamedTuple):
    """Relevant points in lists, each (m,): of which query, at which place, and of which gain."""

    queries: NDArray[np.intp]
    places: NDArray[np.intp]
    gains: NDArray[np.float64]

    def among(self, kept: NDArray[np.bool_]) -> Placed:
        """Return where they stand when only some places (q, c) of the lists are kept."""
        before = np.cumsum(kept, axis=1) - 1
        there = kept[self.queries, self.places]
        queries = self.queries[there]
        return Placed(queries, before[queries, self.places[there]], self.gains[there])


class Judged:
    """Measures lists by the gains of q queries; those without any have no measure (NaN).

    Args:
        gains: of each query, all above 0.
        measure: known item or nDCG.
        k: the longest answer measured.
    """

    def __init__(self, gains: Sequence[Gains], measure: Measure, k: int) -> None:
        self._gains, self._measure, self._k = gains, measure, k
        self._discount = 1.0 / np.log2(np.arange(2, k + 2))
        self._ideals: dict[tuple[int, int], NDArray[np.float64]] = {}

    def placed(self, found: Places) -> Placed:
        """Return where relevant points stand in lists (q, c)."""
        queries: list[int] = []
        places: list[int] = []
        gains: list[float] = []
        for query, (judged, row) in enumerate(zip(self._gains, found, strict=True)):
            if not judged:
                continue
            there = np.flatnonzero(np.isin(row, np.array([*judged], dtype=np.int64)))
            queries.extend([query] * len(there))
            places.extend(there.tolist())
            gains.extend(judged[number] for number in row[there].tolist())
        ints = np.array([queries, places], dtype=np.intp).reshape(2, -1)
        return Placed(ints[0], ints[1], np.array(gains, dtype=np.float64))

    def worth(self, placed: Placed, k: int, part: tuple[int, int] = _WHOLE) -> Measured:
        """Return the measure (q,) of answers of length k.

        Args:
            placed: where relevant points of a part stand in lists of it.
            k: length of an answer, at most the longest.
            part: of how many parts of the points, and which.
        """
        ideal, q = self._ideal(part), len(self._gains)
        first = placed.places < k
        queries = placed.queries[first]
        if self._measure == "known_item":
            measured = (np.bincount(queries, minlength=q) > 0).astype(np.float64)
        else:
            gained = placed.gains[first] * self._discount[placed.places[first]]
            best = ideal[:, :k] @ self._discount[:k]
            sums = np.bincount(queries, gained, minlength=q)
            measured = np.divide(sums, best, out=np.zeros(q), where=best > 0)
        return np.where(ideal[:, 0] > 0, measured, np.nan)

    def _ideal(self, part: tuple[int, int]) -> NDArray[np.float64]:
        """Return the largest gains (q, k) of each query in a part, 0 beyond."""
        ideal = self._ideals.get(part)
        if ideal is None:
            ideal = np.zeros((len(self._gains), self._k))
            for line, gains in zip(ideal, self._gains, strict=True):
                largest = sorted(self._in(gains, part), reverse=True)[: self._k]
                line[: len(largest)] = largest
            self._ideals[part] = ideal
        return ideal

    def _in(self, gains: Gains, part: tuple[int, int]) -> list[float]:
        if part == _WHOLE or not gains:
            return list(gains.values())
        own = is_in(np.array([*gains], dtype=np.int64), *part)
        return [gain for gain, there in zip(gains.values(), own, strict=True) if there]
