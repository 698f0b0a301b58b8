"""Vectors of points that hold other versions only, mapped by adapters as they are read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.filters.bitmaps import from_numbers
from palimpsest.index.read.points import PointReader
from palimpsest.index.search.across import across
from palimpsest.index.types import BridgeMode, Numbers, Vectors
from palimpsest.index.view.dense import vectors_of
from palimpsest.index.view.view import View
from palimpsest.index.waiting import StoreAhead


def mapped_vectors(
    view: View,
    column: int,
    numbers: Numbers,
    points: PointReader,
    mode: BridgeMode,
) -> Iterator[tuple[NDArray[np.intp], Vectors]]:
    """Yield places of points without a vector of the column, and theirs mapped from other versions.

    Args:
        view: what is read.
        column: of the vectors.
        numbers: of the points (m,).
        points: of the view's collection.
        mode: nothing is mapped when it is off.

    Raises:
        MissingAdapter: no adapter leads to one of them, which were asked for one by one.
        NotYetApplied: a point was replaced since; a newer view has it.
        DamagedPoint: what the store holds of a point is in no segment.
    """
    mode = mode if mode == "off" else "require"
    if not len(numbers):
        return
    for one in across(view, column, mode, from_numbers(numbers)).bridges:
        places = np.flatnonzero([number in one.points for number in numbers.tolist()])
        slots = points.slots_of(numbers[places], one.bridge.column)
        rows, complete = vectors_of(one.vectors, slots)
        if not complete:
            points.require_rows(view, [one.bridge.column], numbers[places].tolist())
            raise StoreAhead(points.catch_up)
        yield places, one.fitted.adapter.map_rows(rows)
