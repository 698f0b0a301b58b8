"""Points that hold other versions only, for what scores every point or needs vectors of points.

The adapters are those a search goes over (``index.bridging``); nothing is merged here, and no
non-linear map refines the scores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from index.bridging import across, factors_of
from index.filters.bitmaps import from_numbers
from index.points import NotYetApplied
from index.search.every import Scalings, exact_distances, score_rows
from index.segments.growing import Growing
from index.types import BridgeMode, Numbers, Slots, Vectors
from index.versions.fitted import Fitted
from index.view import SealedPart, View


def score_all_versions(
    view: View, name: str, queries: Vectors, allowed: BitMap | None, mode: BridgeMode
) -> Iterator[tuple[Numbers, NDArray[np.float32], bool]]:
    """Yield blocks of points and distances as ``score_rows`` does, of all versions.

    Raises:
        MissingAdapter: no adapter leads to one of the points.
    """
    yield from score_rows(view.vectors[view.column(name)], queries, allowed)
    for one in across(view, name, mode, allowed):
        mapped, scalings = _mapped(one.fitted, queries)
        yield from score_rows(one.vectors, mapped, one.rest, scalings)


def exact_of_all_versions(
    view: View, name: str, queries: Vectors, numbers: Numbers, mode: BridgeMode
) -> NDArray[np.float32]:
    """Return exact distances (E, m) as ``exact_distances`` does, of all versions.

    Raises:
        MissingAdapter: no adapter leads to one of the points.
    """
    found = exact_distances(view.vectors[view.column(name)], queries, numbers)
    for one in across(view, name, mode, from_numbers(numbers)):
        there = np.array([number in one.points for number in numbers.tolist()], dtype=bool)
        mapped, scalings = _mapped(one.fitted, queries)
        some = exact_distances(one.vectors, mapped, numbers[there], scalings)
        found[:, there] = some
    return found


def _mapped(fitted: Fitted, queries: Vectors) -> tuple[Vectors, Scalings]:
    pairs = [fitted.adapter.map_query(np.ascontiguousarray(query)) for query in queries]
    shifts = np.array([shift for _, shift in pairs], dtype=np.float32)
    scales = fitted.adapter.scales_rows

    def factors(part: SealedPart | Growing) -> NDArray[np.float32] | None:
        return factors_of(fitted.factors, part) if scales else None

    return np.stack([vector for vector, _ in pairs]), Scalings(shifts, factors)


def mapped_vectors(
    view: View,
    name: str,
    numbers: Numbers,
    slots_of: Callable[[Numbers, int], Slots],
    mode: BridgeMode,
) -> Iterator[tuple[NDArray[np.intp], Vectors]]:
    """Yield places of points without a vector of the name, and theirs mapped from other versions.

    Args:
        view: what is read.
        name: of the vectors, or an alias.
        numbers: of the points (m,).
        slots_of: gives the stored slots of some points in a column.
        mode: nothing is mapped when it is off.

    Raises:
        MissingAdapter: no adapter leads to one of them.
        NotYetApplied: a point was replaced since; a newer view has it.
    """
    for one in across(view, name, mode, from_numbers(numbers)) if len(numbers) else ():
        places = np.flatnonzero([number in one.points for number in numbers.tolist()])
        slots = slots_of(numbers[places], view.config.number(one.bridge.column))
        rows, complete = one.vectors.vectors_of(slots)
        if not complete:
            raise NotYetApplied("points were replaced since the view was taken, take another")
        yield places, one.fitted.adapter.map_rows(rows)
