"""The least ef by which searches find as much as wanted, of a ladder of efforts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import NamedTuple

import numpy as np

from palimpsest.index.recall.answered import Answerable, share_found
from palimpsest.index.search.merge import Merged
from palimpsest.index.stops import check_stop

# Each a third to a half more than the one before: closer ones differ by less than samples tell.
EFFORTS = (
    *(8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768),
    *(1_024, 1_536, 2_048, 3_072, 4_096),
)


class OutOfTime(Exception):
    """There was no time to measure all of it."""


class Answered(NamedTuple):
    """A query, and the points that are closest to it."""

    asked: Answerable
    exact: Merged


def needed_ef(answered: Sequence[Answered], wanted: float, until: float) -> int | None:
    """Return the least ef whose mean recall is as wanted, None where none of them is enough.

    Raises:
        OutOfTime: that was not known by ``until``, a time of ``monotonic``.
        Stopped: nobody waits for it.
    """
    k = max((one.asked.request.k for one in answered), default=0)
    efforts = [ef for ef in EFFORTS if ef >= k]  # a search keeps as many as it returns anyway
    return least(efforts, lambda ef: _mean(answered, ef, until) >= wanted)


def least(efforts: Sequence[int], is_enough: Callable[[int], bool]) -> int | None:
    """Return the least of rising efforts that is enough, as every larger one then is."""
    low, high = 0, len(efforts)
    while low < high:
        middle = (low + high) // 2
        if is_enough(efforts[middle]):
            high = middle
        else:
            low = middle + 1
    return efforts[low] if low < len(efforts) else None


def _mean(answered: Sequence[Answered], ef: int, until: float) -> float:
    shares = []
    for one in answered:
        check_stop()
        if monotonic() > until:
            raise OutOfTime
        asked = one.asked._replace(request=one.asked.request._replace(ef=ef))
        share = share_found(asked.planned().merged, one.exact)
        if share is not None:
            shares.append(share)
    return float(np.mean(shares)) if shares else 1.0
