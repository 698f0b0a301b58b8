"""Payload indexes follow writes: piece by piece, and past points of which nothing is known."""

from __future__ import annotations

import json

import pytest

from palimpsest.index.filters.expression import Match
from palimpsest.index.write import payload_following
from palimpsest.index.write.payload_following import follow
from palimpsest.index.write.writes import PayloadChanges
from tests.unit.payload.points import Points

KEY = "ключ"


def payload(value: object) -> bytes:
    return json.dumps({KEY: value}).encode()


def matching(points: Points, value: object) -> list[int]:
    found = points.indexes.candidates(Match((KEY,), (value,)), points.live)  # type: ignore[arg-type]
    assert found is not None
    return sorted(found.sure & points.live)


@pytest.fixture
def points() -> Points:
    made = Points()
    for number in range(5):
        made.put(number, {KEY: "a"})
    made.index(KEY, "keyword")
    return made


@pytest.mark.parametrize("piece", [1, 2, 256])
def test_what_a_write_made_of_payloads_is_found(
    points: Points, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payload_following, "_FOLLOWED", piece)
    edited = PayloadChanges([0, 1, 2], [payload("a")] * 3, [payload("é"), None, payload(2**53 + 1)])
    again = PayloadChanges([0], [payload("é")], [payload("e\u0301")])
    assert follow(points.indexes, [edited, again]) == 4
    assert matching(points, "a") == [3, 4]
    assert matching(points, "é") == [] and matching(points, "e\u0301") == [0]


def test_points_whose_payload_could_not_be_read_are_forgotten_first(points: Points) -> None:
    unknown = PayloadChanges([3], [None], [payload("b")], unknown=[3])
    assert follow(points.indexes, [unknown]) == 1
    assert matching(points, "a") == [0, 1, 2, 4] and matching(points, "b") == [3]


def test_nothing_written_is_nothing_touched(points: Points) -> None:
    assert follow(points.indexes, []) == follow(points.indexes, [PayloadChanges([], [], [])]) == 0
