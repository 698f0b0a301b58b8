"""Points that hold other versions only, for what scores every point or needs vectors of points.

The adapters are those a search goes over (``index.search.across``); what they score is estimated in
the metric of the name itself, nothing is merged here, and no non-linear map refines the scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from palimpsest.index.adapters.estimating import best_score
from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.filters.bitmaps import from_numbers
from palimpsest.index.search.across import Across, across
from palimpsest.index.search.every_point import Scalings, exact_distances, score_rows
from palimpsest.index.search.mapped_query import factors_of
from palimpsest.index.types import BridgeMode, Numbers, Vectors
from palimpsest.index.view.dense import DensePart, dense_of
from palimpsest.index.view.view import View


def score_all_versions(
    view: View,
    column: int,
    queries: Vectors,
    allowed: BitMap | None,
    bridges: Sequence[Across],
) -> Iterator[tuple[Numbers, NDArray[np.float32], bool]]:
    """Yield blocks of points and distances as ``score_rows`` does, of all versions.

    Points that ``bridges`` lead to are scored by estimates.
    """
    yield from score_rows(dense_of(view.vectors[column]), queries, allowed)
    for one in bridges:
        yield from estimated_blocks(one, queries)


def estimated_blocks(
    one: Across, queries: Vectors
) -> Iterator[tuple[Numbers, NDArray[np.float32], bool]]:
    """Yield blocks of the points that one bridge leads to, scored by estimates."""
    mapped, scalings = _mapped(one.fitted, queries)
    for numbers, distances, exact in score_rows(one.dense, mapped, one.rest, scalings):
        yield numbers, _estimated(one, queries, mapped, distances), exact


def exact_of_all_versions(
    view: View, column: int, queries: Vectors, numbers: Numbers, mode: BridgeMode
) -> NDArray[np.float32]:
    """Return exact distances (E, m) as ``exact_distances`` does, of all versions.

    Those of points that are out of reach are infinite.

    Raises:
        MissingAdapter: all are required, and no adapter leads to one of the points.
    """
    found = exact_distances(dense_of(view.vectors[column]), queries, numbers)
    for one in across(view, column, mode, from_numbers(numbers)).bridges:
        there = np.array([number in one.points for number in numbers.tolist()], dtype=bool)
        mapped, scalings = _mapped(one.fitted, queries)
        some = exact_distances(one.dense, mapped, numbers[there], scalings)
        found[:, there] = np.where(
            np.isfinite(some), _estimated(one, queries, mapped, some), np.float32(np.inf)
        )
    return found


def _estimated(
    one: Across, queries: Vectors, mapped: Vectors, distances: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return an adapter's distances (E, m) in the metric of the queries, calibrated if it is."""
    fitted, calibration = one.fitted, one.fitted.merge.calibration
    if fitted.in_metric and calibration is None:
        return distances
    scores = fitted.estimated(-distances, one.dense.config.distance, queries, mapped)
    if calibration is not None:
        best = np.float32(best_score(fitted.adapter.queries_distance))
        scores = np.minimum(calibration.of(scores), best)
    return -scores


def _mapped(fitted: Fitted, queries: Vectors) -> tuple[Vectors, Scalings]:
    pairs = [fitted.adapter.map_query(np.ascontiguousarray(query)) for query in queries]
    shifts = np.array([shift for _, shift in pairs], dtype=np.float32)
    scales = fitted.adapter.scales_rows

    def factors(part: DensePart) -> NDArray[np.float32] | None:
        return factors_of(fitted.factors, part) if scales else None

    return np.stack([vector for vector, _ in pairs]), Scalings(shifts, factors)
