"""Points that ask by their own vectors, and the labels that stand in payloads.

Values of a payload field are labels: strings, integers and booleans, of a list each element. What
is absent, null, a fraction or the empty string is none, for points that share nothing but that say
nothing of each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from pyroaring import BitMap

from palimpsest.index.adapters.agreement import Labels
from palimpsest.index.adapters.priorities import shuffled
from palimpsest.index.errors import InvalidPairs
from palimpsest.index.filters.bitmaps import to_numbers
from palimpsest.index.filters.decoding import decode_payload
from palimpsest.index.filters.expression import Path
from palimpsest.index.filters.paths import format_path
from palimpsest.index.filters.values import values_at
from palimpsest.index.read.points import PointReader
from palimpsest.index.types import Numbers, PointVector

_AT_ONCE = 256  # points that are read
_MOST = 32  # times as many points are looked at as are to ask


class Asking(NamedTuple):
    """Points that ask: their numbers, their labels, and their vectors by version."""

    numbers: list[int]
    labels: list[Labels]
    vectors: Mapping[str, list[PointVector]]


def draw_asking(
    points: PointReader,
    among: BitMap,
    wanted: Mapping[str, int],
    path: Path,
    count: int,
) -> Asking:
    """Return ``count`` points, or as many as there are, that have a label and all the vectors.

    They are drawn by a hash of their numbers, the same ones every time. Where labels are rare,
    some thousands of points are looked at and no more.

    Args:
        points: reads them.
        among: the points that are searched.
        wanted: columns, by version.
        path: where labels stand in payloads.
        count: how many points ask.

    Raises:
        InvalidPairs: fewer than two have labels, or labels tell none of them from the others.
        DamagedPoint: one cannot be read.
    """
    numbers = to_numbers(among)
    order = numbers[np.argsort(shuffled(numbers), kind="stable")][: _MOST * count].tolist()
    asking = Asking([], [], {version: [] for version in wanted})
    for start in range(0, len(order), _AT_ONCE):
        some = order[start : start + _AT_ONCE]
        records = points.numbered(some, wanted, with_payload=True)
        for number, record in zip(some, records, strict=True):
            if record is None or len(asking.numbers) == count:
                continue
            labels, vectors = labels_of(record.payload, path), record.vectors or {}
            if labels and vectors.keys() == wanted.keys():
                asking.numbers.append(number)
                asking.labels.append(labels)
                for version, vector in vectors.items():
                    asking.vectors[version].append(vector)
        if len(asking.numbers) == count:
            break
    _require_telling(asking, path, min(len(order), start + _AT_ONCE) if order else 0)
    return asking


def read_labels(points: PointReader, numbers: Numbers, path: Path) -> dict[int, Labels]:
    """Return the labels of points, of those that exist. Raises DamagedPoint."""
    return {
        number: labels_of(payload, path)
        for some in points.payloads(np.sort(numbers))
        for number, payload in some
    }


def labels_of(payload: bytes | None, path: Path) -> Labels:
    """Return the labels at a path of a payload; True, 1 and "1" are three of them."""
    values = values_at(decode_payload(payload), path)
    return frozenset((type(one), one) for one in values if _is_label(one))


def _is_label(value: Any) -> bool:
    return isinstance(value, (str, int)) and value != ""


def _require_telling(asking: Asking, path: Path, looked: int) -> None:
    """Raise InvalidPairs where labels cannot tell anything."""
    field, labels = format_path(path), asking.labels
    several = {one for own in labels for one in own}
    why = None
    if len(labels) < 2:
        why = f"{len(labels)} of {looked} points have a string, an integer or a boolean there"
    elif len(several) == 1:
        why = f"all {len(labels)} points looked at have the same value there"
    elif sum(map(len, labels)) == len(several):
        why = f"no two of the {len(labels)} points looked at have a value in common there"
    if why is not None:
        raise InvalidPairs(
            f"relevant_by: the values of {field!r} do not tell which neighbours are right ({why}): "
            "name a field that groups points, such as a category, or judge queries"
        )
