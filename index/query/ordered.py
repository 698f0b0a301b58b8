"""Levels without vectors: points by a payload value, by id, or at random."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palimpsest.index.errors import NoRangeIndex
from palimpsest.index.filters.bitmaps import to_numbers
from palimpsest.index.filters.decoding import key_decoder
from palimpsest.index.filters.expression import Range
from palimpsest.index.filters.meaning import within
from palimpsest.index.filters.paths import format_path
from palimpsest.index.filters.values import values_at
from palimpsest.index.payload.bounds import floats_within, integers_within
from palimpsest.index.payload.indexes import OrderColumn
from palimpsest.index.query.request import OrderBy
from palimpsest.index.query.scope import Scope
from palimpsest.index.query.scored import Scored, equally
from palimpsest.index.query.source import Source
from palimpsest.index.types import Numbers


def by_value(source: Source, query: OrderBy, scope: Scope, count: int) -> Scored:
    """Return ``count`` points by a payload value; a point stands once per value it has.

    Raises:
        NoRangeIndex: no index keeps the values of the path in order.
    """
    column = source.order_column(query.path, scope.points(source))
    if column is None:
        raise NoRangeIndex(format_path(query.path))
    bounds = _bounds(query)
    cut = integers_within if column.values.dtype == np.int64 else floats_within
    kept = slice(None) if bounds is None else cut(bounds)(column.values)
    numbers, values = column.numbers[kept], column.values[kept]
    order = _order(numbers, values, count, descending=query.descending)
    numbers, ordered = numbers[order], values[order].tolist()
    if column.unread:
        found = [*zip(ordered, numbers.tolist(), strict=True), *_beyond(source, query, column)]
        found = sorted(set(found), reverse=query.descending)[:count]
        ordered = [value for value, _ in found]
        numbers = np.array([number for _, number in found], dtype=np.uint32)
    return Scored(numbers, np.ones(len(numbers)), ordered)


def by_id(source: Source, scope: Scope, count: int) -> Scored:
    """Return the first ``count`` points in the order of their ids: integers, then UUIDs."""
    return equally(source.first(scope.points(source), count))


def sample(source: Source, scope: Scope, count: int) -> Scored:
    """Return ``count`` points at random, in an order at random."""
    numbers = to_numbers(scope.points(source))
    chosen = np.random.default_rng().choice(len(numbers), min(count, len(numbers)), replace=False)
    return equally(numbers[chosen])


def _bounds(query: OrderBy) -> Range | None:
    if query.start_from is None:
        return None
    if query.descending:
        return Range(query.path, lte=query.start_from)
    return Range(query.path, gte=query.start_from)


def _beyond(
    source: Source, query: OrderBy, column: OrderColumn
) -> Iterator[tuple[int | float, int]]:
    """Yield the values, and the numbers, of the points whose payloads have to tell them."""
    bounds = _bounds(query)
    inside = within(bounds) if bounds is not None else None
    decode = key_decoder({str(query.path[0])})
    unread = to_numbers(column.unread)
    for number, payload in zip(unread.tolist(), source.payloads(unread), strict=True):
        for each in values_at(decode(payload), query.path):
            value = column.read(each)
            if value is not None and (inside is None or inside(value)):
                yield value, number


def _order(
    numbers: Numbers, values: NDArray[Any], count: int, *, descending: bool
) -> NDArray[np.intp]:
    """Return the places of the first ``count`` values; a point with a value twice stands once."""
    order = np.lexsort((numbers, values))
    if descending:
        order = order[::-1]
    numbers, values = numbers[order], values[order]
    same = (numbers[1:] == numbers[:-1]) & (values[1:] == values[:-1])  # two infinite ones, too
    first: NDArray[np.intp] = order[np.concatenate([[True], ~same])[: len(order)]][:count]
    return first
