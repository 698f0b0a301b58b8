"""Payload values and how many points have each."""

from __future__ import annotations

from palimpsest.index.filters.expression import Filter, Path, Scalar
from palimpsest.index.payload.facets import facet
from palimpsest.index.read.reading import Reading


def count_values(
    reading: Reading, path: Path, filter: Filter | None, limit: int
) -> list[tuple[Scalar, int]]:
    """Return the ``limit`` values that most of the points that pass a filter have.

    Args:
        reading: the collection, in the state that is counted.
        path: where the values are.
        filter: the points that are counted, None for all.
        limit: how many values to return.
    """
    return list(facet(path, reading.allowed(filter), reading.selector)[:limit])
