"""Recall and rate over ef, and the rate at equal recall.

Contenders take turns at every ef of every round, so that a slow moment of the machine touches all
of them; the best round counts.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tests.bench.corpora import Corpus

SearchAll: TypeAlias = Callable[[int], NDArray[np.int64]]  # ef -> rows found (q, K), one thread

EFS = (
    10,
    12,
    14,
    17,
    20,
    24,
    28,
    34,
    40,
    48,
    56,
    68,
    80,
    96,
    112,
    136,
    160,
    192,
    224,
    272,
    320,
    448,
)
TURN_SECONDS = 0.15  # small sets are searched several times a turn
ENOUGH = 0.993  # no ef above the first that reaches this is tried


@dataclass(frozen=True, slots=True)
class Setting:
    """What one ef gives: recall@10 and queries per second."""

    ef: int
    recall: float
    rate: float


@dataclass(frozen=True, slots=True)
class Curve:
    """Settings of one contender, ef ascending."""

    settings: Sequence[Setting]

    def rate_at(self, recall: float) -> float | None:
        """Interpolate log(rate) over log(1 - recall); None where the curve does not get there."""
        return _crossing(self.settings, recall, lambda s: s.rate)

    def ef_at(self, recall: float) -> float | None:
        """Interpolate the ef that reaches `recall`."""
        return _crossing(self.settings, recall, lambda s: float(s.ef))


def race(
    contenders: Mapping[str, SearchAll], corpus: Corpus, rounds: int, efs: Iterable[int] = EFS
) -> dict[str, Curve]:
    """Measure all contenders in turns; the first round also settles recall and which efs matter."""
    settings: dict[str, dict[int, Setting]] = {name: {} for name in contenders}
    done: set[str] = set()
    for ef in efs:
        for name, search in contenders.items():
            if name not in done:
                found, seconds = _timed(search, ef)
                recall = corpus.recall(found)
                settings[name][ef] = Setting(ef, recall, len(found) / seconds)
                if recall >= ENOUGH:
                    done.add(name)
    for _ in range(rounds - 1):
        for ef in efs:
            for name, search in contenders.items():
                if ef in settings[name]:
                    found, seconds = _timed(search, ef)
                    best = settings[name][ef]
                    settings[name][ef] = replace(best, rate=max(best.rate, len(found) / seconds))
    return {name: Curve([by_ef[ef] for ef in sorted(by_ef)]) for name, by_ef in settings.items()}


def _timed(search: SearchAll, ef: int) -> tuple[NDArray[np.int64], float]:
    """Return what was found and the seconds of the fastest pass of one turn."""
    gc.collect()
    best, begin = math.inf, time.perf_counter()
    while True:
        start = time.perf_counter()
        found = search(ef)
        end = time.perf_counter()
        best = min(best, end - start)
        if end - begin >= TURN_SECONDS:
            return found, best


def _crossing(
    settings: Sequence[Setting], recall: float, value: Callable[[Setting], float]
) -> float | None:
    """Value at the first place where the curve rises through `recall`."""
    if settings and settings[0].recall >= recall:
        return value(settings[0])  # the least ef is already better: its own value, a lower bound
    for low, high in pairwise(settings):
        if low.recall < recall <= high.recall:
            a, b, x = (math.log(max(1 - r, 1e-6)) for r in (low.recall, high.recall, recall))
            share = (x - a) / (b - a)
            return math.exp((1 - share) * math.log(value(low)) + share * math.log(value(high)))
    return None
