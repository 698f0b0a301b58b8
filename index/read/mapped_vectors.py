"""Vectors of points that hold other versions only, mapped by adapters as they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.filters.bitmaps import from_numbers
from palimpsest.index.kinds.registry import kind_of
from palimpsest.index.read.points import PointReader
from palimpsest.index.search.across import Across, across
from palimpsest.index.types import (
    BridgeMode,
    MultiVector,
    Numbers,
    PointVector,
    Slots,
    Vectors,
)
from palimpsest.index.view.dense import vectors_of
from palimpsest.index.view.view import View
from palimpsest.index.waiting import StoreAhead


def mapped_vectors(
    view: View,
    column: int,
    numbers: Numbers,
    points: PointReader,
    mode: BridgeMode,
) -> Iterator[tuple[NDArray[np.intp], Sequence[PointVector] | Vectors]]:
    """Yield places of points without a vector of the column, and theirs mapped from other versions.

    Where the column is of sets, what is mapped from a single vector is a set of one.

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
        mapped, complete = _mapped(one, slots)
        if not complete:
            points.require_rows(view, [one.bridge.column], numbers[places].tolist())
            raise StoreAhead(points.catch_up)
        yield places, mapped


def _mapped(one: Across, slots: Slots) -> tuple[Sequence[PointVector] | Vectors, bool]:
    """Return what rows of another version are mapped to, and whether every one was found."""
    adapter, over = one.fitted.adapter, one.fitted.over
    if over == "tokens":
        read, complete = kind_of(one.vectors.config).read(one.vectors, slots)
        sets = [one for one in read if isinstance(one, MultiVector)]
        return [MultiVector(adapter.map_rows(each.values)) for each in sets], complete
    rows, complete = vectors_of(one.dense, slots)
    mapped = adapter.map_rows(rows)
    if over == "means of queries":
        return [MultiVector(row[None, :]) for row in mapped], complete
    return mapped, complete
