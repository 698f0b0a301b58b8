"""Levels without vectors: points by a payload value, by id, or at random."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.errors import InvalidInput
from index.filters.bitmaps import to_numbers
from index.filters.paths import format_path
from index.query.request import OrderBy
from index.query.scope import Scope
from index.query.scored import Scored, equally
from index.query.source import Source
from index.types import Numbers


def by_value(source: Source, query: OrderBy, scope: Scope, count: int) -> Scored:
    """Return ``count`` points by a payload value; a point stands once per value it has.

    Raises:
        InvalidInput: no index keeps the values of the path in order.
    """
    column = source.order_column(query.path, scope.points(source))
    if column is None:
        raise InvalidInput(
            f"Bad request: No range index for `order_by` key: `{format_path(query.path)}`. "
            "Please create one to use `order_by`: an integer (range), float or datetime index"
        )
    numbers, values = column
    if query.start_from is not None:
        kept = values <= query.start_from if query.descending else values >= query.start_from
        numbers, values = numbers[kept], values[kept]
    order = _order(numbers, values, count, descending=query.descending)
    return Scored(numbers[order], np.ones(len(order)), values[order].tolist())


def by_id(source: Source, scope: Scope, count: int) -> Scored:
    """Return the first ``count`` points in the order of their ids: integers, then UUIDs."""
    return equally(source.first(scope.points(source), count))


def sample(source: Source, scope: Scope, count: int) -> Scored:
    """Return ``count`` points at random."""
    numbers = to_numbers(scope.points(source))
    chosen = np.random.default_rng().choice(len(numbers), min(count, len(numbers)), replace=False)
    return equally(numbers[chosen])


def _order(
    numbers: Numbers, values: NDArray[Any], count: int, *, descending: bool
) -> NDArray[np.intp]:
    """Return the places of the first ``count`` values; a point with a value twice stands once."""
    order = np.lexsort((numbers, values))
    if descending:
        order = order[::-1]
    same = (np.diff(numbers[order]) == 0) & (np.diff(values[order]) == 0)
    first: NDArray[np.intp] = order[np.concatenate([[True], ~same])[: len(order)]][:count]
    return first
