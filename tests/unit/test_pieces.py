from __future__ import annotations

from typing import Any

import msgspec
import pytest

from palimpsest.app.envelope import Success
from palimpsest.app.pieces import PIECE, encode_around


class Point(msgspec.Struct):
    id: int
    payload: msgspec.Raw


class Points(msgspec.Struct):
    points: list[Point]
    next_page_offset: str | None = None


class Group(msgspec.Struct):
    hits: list[Point]
    id: str


class Groups(msgspec.Struct):
    groups: list[Group]


def points(count: int) -> list[Point]:
    return [
        Point(n, msgspec.Raw(b'{"text":"\\"result\\":[] \\"points\\":[]"}')) for n in range(count)
    ]


LENGTHS = (0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 5 * PIECE + 3)
RESULTS: list[Any] = [
    *(make(n) for n in LENGTHS for make in (points, lambda n: Points(points(n), '"points":[]'))),
    *([Points(points(n)), Points(points(0)), Points(points(2 * n))] for n in LENGTHS),
    *(Groups([Group(points(n), '"hits":[]')] * 3) for n in LENGTHS),
    *([Groups([Group(points(2), "g")] * n)] for n in LENGTHS),
    {"points": [*range(100)]},
    [*range(100)],
    True,
    None,
]


@pytest.mark.parametrize("result", RESULTS)
def test_pieces_are_what_is_encoded_at_once(result: Any) -> None:
    whole = msgspec.json.encode(Success(result, "ok", 0.5))
    assert encode_around(Success(None, "ok", 0.5), result) == whole
