"""Vectors of points, read from one view by the slots that the store holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.kinds.registry import kind_of
from palimpsest.index.read.mapped_vectors import mapped_vectors
from palimpsest.index.read.points import PointReader
from palimpsest.index.types import BridgeMode, Numbers, PointVector, Vectors
from palimpsest.index.view.dense import dense_of, given_of, vectors_of
from palimpsest.index.view.view import View
from palimpsest.index.waiting import StoreAhead


def dense_vectors(
    view: View,
    column: int,
    numbers: Numbers,
    points: PointReader,
    mode: BridgeMode,
    *,
    as_given: bool = False,
) -> tuple[Vectors, NDArray[np.bool_]]:
    """Return dense vectors (m, d) of points, and which have one or are mapped from another version.

    Args:
        view: what is read.
        column: of the vectors.
        numbers: of the points (m,).
        points: of the view's collection.
        mode: nothing is mapped when it is off.
        as_given: as users see them, not as they are searched.

    Raises:
        NotYetApplied: a point was replaced since; a newer view has it.
        DamagedPoint: what the store holds of a point is in no segment.
    """
    slots, vectors = points.slots_of(numbers, column), dense_of(view.vectors[column])
    has = slots != 0
    found = np.zeros((len(numbers), vectors.config.size), dtype=np.float32)
    found[has], complete = (given_of if as_given else vectors_of)(vectors, slots[has])
    if not complete:
        points.require_rows(view, [column], numbers[has].tolist())
        raise StoreAhead(points.catch_up)
    missing = np.flatnonzero(~has)
    for places, mapped in mapped_vectors(view, column, numbers[missing], points, mode):
        found[missing[places]], has[missing[places]] = mapped, True
    return found, has


def other_vectors(
    view: View, column: int, numbers: Numbers, points: PointReader
) -> list[PointVector | None]:
    """Return vectors of points of any kind, None for those without one, as users see them.

    Otherwise as ``dense_vectors``, but nothing is mapped.
    """
    slots = points.slots_of(numbers, column)
    vectors = view.vectors[column]
    found, complete = kind_of(vectors.config).read(vectors, slots[slots != 0])
    if not complete:
        points.require_rows(view, [column], numbers[slots != 0].tolist())
        raise StoreAhead(points.catch_up)
    own = iter(found)
    return [next(own) if slot else None for slot in slots]
