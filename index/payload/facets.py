"""How many points hold each value at a path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeAlias
from uuid import UUID

from pyroaring import BitMap

from palimpsest.index.filters.decoding import key_decoder
from palimpsest.index.filters.expression import Path
from palimpsest.index.filters.values import values_at
from palimpsest.index.payload.known import FilterSource

FacetValue: TypeAlias = bool | int | str
_Ranked: TypeAlias = tuple[int, FacetValue]  # by kind first: True is 1 to Python

_KINDS = (bool, int, str)
_UUID_LENGTHS = (32, 36, 38, 45)  # simple, hyphenated, in braces, URN


def facet(path: Path, allowed: BitMap | None, source: FilterSource) -> list[tuple[FacetValue, int]]:
    """Return each value and the number of points that hold it, most points first.

    A point counts once per value. A UUID is given hyphenated in lower case, however it is written.
    Ties come in the order of values: booleans, integers, strings.

    Args:
        path: where the values are.
        allowed: points to count, None for all.
        source: the points and their indexes.
    """
    among = source.live if allowed is None else source.live & allowed
    counts = _indexed(path, among, source)
    if counts is None:
        counts = Counter()
        decode = key_decoder({str(path[0])})
        for _, payload in source.payloads(among):
            counts.update({_ranked(value) for value in _values(decode(payload), path)})
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(value, count) for (_, value), count in ordered]


def _indexed(path: Path, among: BitMap, source: FilterSource) -> Counter[_Ranked] | None:
    counted = source.indexes.value_counts(path, among)
    if counted is None:
        return None
    counts: Counter[_Ranked] = Counter()
    for held, count in counted:
        value = str(UUID(bytes=held)) if isinstance(held, bytes) else held
        if _written(value) != value:  # another spelling may stand at the same point
            return None
        counts[_ranked(value)] = count
    return counts


def _values(payload: dict[str, Any], path: Path) -> Iterator[FacetValue]:
    for value in values_at(payload, path):
        if value.__class__ in _KINDS:
            yield _written(value)


def _ranked(value: FacetValue) -> _Ranked:
    return _KINDS.index(type(value)), value


def _written(value: FacetValue) -> FacetValue:
    if value.__class__ is not str or len(str(value)) not in _UUID_LENGTHS:
        return value
    try:
        return str(UUID(str(value)))
    except ValueError:
        return value
