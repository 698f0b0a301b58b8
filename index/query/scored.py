"""Points with their scores, best first, and what is done to such a ranking."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.config.kinds import ColumnConfig
from palimpsest.index.types import Distance, Numbers

_MAX_FLOAT32 = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Columns of equal length: points (k,), scores (k,), and values when they were ordered by."""

    numbers: Numbers
    scores: NDArray[np.float64]
    order_values: Sequence[int | float] | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    def cut(self, start: int, stop: int | None = None) -> Scored:
        """Return the points from place ``start`` up to ``stop``."""
        part = slice(start, stop)
        values = None if self.order_values is None else self.order_values[part]
        return Scored(self.numbers[part], self.scores[part], values)

    def at_least(self, threshold: float | None) -> Scored:
        """Return the points whose score is not below the threshold."""
        if threshold is None:
            return self
        return self.cut(0, int(np.searchsorted(-self.scores, -threshold, side="right")))

    def above(self, threshold: float | None) -> Scored:
        """Return the points whose score is above the threshold."""
        if threshold is None:
            return self
        limit = np.float64(np.float32(threshold))
        return self.cut(0, int(np.searchsorted(-self.scores, -limit, side="left")))


def nothing() -> Scored:
    """Return no points."""
    return Scored(np.empty(0, dtype=np.uint32), np.empty(0))


def equally(numbers: Numbers) -> Scored:
    """Return points that nothing but their order tells apart: all with score 1."""
    return Scored(numbers, np.ones(len(numbers)))


def best(numbers: Numbers, scores: NDArray[np.floating], count: int) -> Scored:
    """Return the ``count`` points with the largest scores; ties by number."""
    if count < len(scores):
        floor = np.partition(scores, len(scores) - count)[len(scores) - count]
        chosen = np.flatnonzero(scores >= floor)
        numbers, scores = numbers[chosen], scores[chosen]
    order = np.lexsort((numbers, -scores))[:count]
    return Scored(numbers[order], scores[order].astype(np.float64))


def is_similarity(config: ColumnConfig) -> bool:
    """Tell whether a score is a similarity, not a distance."""
    return config.distance in (Distance.COSINE, Distance.DOT)


def farthest(threshold: float | None, similarity: bool) -> float | None:
    """Return the largest distance whose score is strictly better than a threshold.

    Scores are float32, so the threshold is compared as one.
    """
    if threshold is None:
        return None
    limit = -threshold if similarity else threshold
    if abs(limit) > _MAX_FLOAT32:
        return math.copysign(math.inf, limit)
    return float(np.nextafter(np.float32(limit), np.float32(-np.inf)))
