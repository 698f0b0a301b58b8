"""What waits to be sealed and compacted, and what follows from it: values in, values out.

Rows come in faster than graphs can be built, so three things rise with what waits, smoothly:
``firm_threads`` of the builders work at the caller's own priority (``index/native/parallel.h``);
writes that add rows are spread over the time that sealing them takes (``slowdown``); and at twice
``seal_rows`` they are refused. The first is what LSM stores do for compactions, the second is their
delayed write rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

LIMIT = 2.0  # pressure at which rows are refused
ROOM_FOR_BULK = 1.95  # at which they are, but for small writes, which find the rest
LEAST_ROWS = 1_000  # of ``seal_rows`` here: scanning that many is no reason to hold up writes
SMALL_ROWS = 16  # of a write that is no bulk load
SLOWEST = 100.0  # times the seconds that sealing takes
LONGEST_RETRY = 60  # seconds; told of a refusal however long sealing takes
_NUMBERS_PER_SECOND = 1.2e6  # sealed, until a seal has been timed: float32 numbers, on two cores
_RATES = (300.0, 20_000.0)  # rows per second, of the same


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in one collection.

    ``rows`` are those in no segment of the column that has most of them, and those on their
    way; ``seal_rows`` at least ``LEAST_ROWS``; ``segments`` those that the policy would not leave,
    of the column that has most.
    ``stalled`` says why sealing fails, or compacting where that is what waits, else None.
    """

    rows: int
    seal_rows: int
    segments: int
    segments_limit: int
    stalled: str | None = None

    @property
    def limit(self) -> int:
        """Rows that may wait, about."""
        return int(LIMIT * self.seal_rows)

    @property
    def pressure(self) -> float:
        """How much waits: up to 1 is usual, ``LIMIT`` the most."""
        return max(self.rows / self.seal_rows, LIMIT * self.segments / self.segments_limit)


def firm_threads(pressure: float, threads: int) -> int:
    """Return how many of a builder's threads do not give way: one, all of them from 1.5 on.

    Work that takes longer than usual counts as that much pressure: something else has the cores.
    """
    return 1 + round((threads - 1) * _between((pressure - 1) * 2))


def slowdown(pressure: float) -> float:
    """Return in how many times the seconds that sealing takes the same rows may come; 0 for any.

    Rows come as fast as they are sealed at 1.3 times ``seal_rows``; where parts are sealed one
    after the other what waits then swings between about .9 and 1.7 times.
    """
    nearness = _between((pressure - 1) / (ROOM_FOR_BULK - 1))
    return min(2 * nearness / max(1 - nearness, 1e-9), SLOWEST)


def has_room(backlog: Backlog, rows: int) -> bool:
    """Tell whether so many rows may come in.

    More than there is ever room for may once less than ``seal_rows`` wait.
    """
    if backlog.segments >= backlog.segments_limit:
        return False
    most = (LIMIT if rows <= SMALL_ROWS else ROOM_FOR_BULK) * backlog.seal_rows
    return backlog.rows + rows <= most or backlog.rows < backlog.seal_rows


def first_rate(size: int) -> float:
    """Return about how many rows of ``size`` dimensions are sealed per second, before one was."""
    slowest, quickest = _RATES
    return min(max(_NUMBERS_PER_SECOND / size, slowest), quickest)


def retry_seconds(seconds: float) -> int:
    """Return what a refusal tells: whole seconds, at least one."""
    return min(max(1, math.ceil(seconds)), LONGEST_RETRY)


def _between(share: float) -> float:
    return min(max(share, 0.0), 1.0)
