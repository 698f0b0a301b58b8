"""Vectors of points, read from one view by the slots that the store holds."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.kinds.registry import kind_of
from palimpsest.index.read.mapped_vectors import mapped_vectors
from palimpsest.index.read.points import PointReader
from palimpsest.index.types import BridgeMode, Numbers, PointVector, Vectors
from palimpsest.index.view.dense import dense_of, vectors_of
from palimpsest.index.view.view import View
from palimpsest.index.waiting import StoreAhead


def dense_vectors(
    view: View, column: int, numbers: Numbers, points: PointReader, mode: BridgeMode
) -> tuple[Vectors, NDArray[np.bool_]]:
    """Return dense vectors (m, d) of points as they are searched, and which have one.

    Those of points that hold another version only are mapped from it. Arguments and errors are
    those of ``any_vectors``.
    """
    slots, vectors = points.slots_of(numbers, column), dense_of(view.vectors[column])
    has = slots != 0
    found = np.zeros((len(numbers), vectors.config.size), dtype=np.float32)
    found[has], complete = vectors_of(vectors, slots[has])
    _require(complete, view, column, numbers[has], points)
    missing = np.flatnonzero(~has)
    for places, mapped in mapped_vectors(view, column, numbers[missing], points, mode):
        found[missing[places]], has[missing[places]] = cast(Vectors, mapped), True
    return found, has


def any_vectors(
    view: View, column: int, numbers: Numbers, points: PointReader, mode: BridgeMode
) -> list[PointVector | None]:
    """Return vectors of points as users see them, None for those without one.

    Args:
        view: what is read.
        column: of the vectors, of any kind.
        numbers: of the points (m,).
        points: of the view's collection.
        mode: whether one is mapped for points that hold another version only.

    Raises:
        NotYetApplied: a point was replaced since; a newer view has it.
        DamagedPoint: what the store holds of a point is in no segment.
    """
    slots, vectors = points.slots_of(numbers, column), view.vectors[column]
    has = slots != 0
    read, complete = kind_of(vectors.config).read(vectors, slots[has])
    _require(complete, view, column, numbers[has], points)
    found: list[PointVector | None] = [None] * len(numbers)
    for place, one in zip(np.flatnonzero(has).tolist(), read, strict=True):
        found[place] = one
    missing = np.flatnonzero(~has)
    for places, mapped in mapped_vectors(view, column, numbers[missing], points, mode):
        for place, row in zip(missing[places].tolist(), mapped, strict=True):
            found[place] = row
    return found


def _require(
    complete: bool, view: View, column: int, numbers: Numbers, points: PointReader
) -> None:
    if not complete:
        points.require_rows(view, [column], numbers.tolist())
        raise StoreAhead(points.catch_up)
