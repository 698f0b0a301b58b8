"""Rows by their slots: where a part's slots ascend, and where another column sorts them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.types import Rows, Slots


def find_ascending(own: Slots, wanted: Slots) -> NDArray[np.intp]:
    """Return the row of each wanted slot among ascending ones, -1 where it is not there."""
    if not len(own):
        return np.full(len(wanted), -1, dtype=np.intp)
    rows = np.minimum(np.searchsorted(own, wanted), len(own) - 1)
    return np.where(own[rows] == wanted, rows, -1)


def find_sorted(own: Slots, by_slot: Rows, wanted: Slots) -> NDArray[np.intp]:
    """Return the row of each wanted slot, -1 where it is not there.

    Args:
        own: slots of the rows (n,), n at least 1.
        by_slot: the rows in ascending order of their slots (n,).
        wanted: slots to look for.
    """
    places = np.searchsorted(own, wanted, sorter=by_slot)
    rows = by_slot[np.minimum(places, len(own) - 1)].astype(np.intp)
    return np.where(own[rows] == wanted, rows, -1)
