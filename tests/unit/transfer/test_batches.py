"""Bodies of a bounded size, whatever the points are."""

from __future__ import annotations

import json

from palimpsest.app.transfer.batches import BATCH_ROWS, batches_of
from palimpsest.app.transfer.reader import Start
from palimpsest.app.transfer.rows import Fault, Item, Row


def row(place: int, size: int = 10, point_id: int | str | None = None) -> Row:
    return Row(place, place if point_id is None else point_id, b'"' + b"x" * (size - 2) + b'"')


def test_batches_end_before_they_are_too_large() -> None:
    sizes = [10, 10, 10, 50, 10, 5]
    batches = [*batches_of((row(p, s) for p, s in enumerate(sizes)), 7, Start(), 25)]
    assert [[len(r.text) for r in b.rows] for b in batches] == [[10, 10], [10], [50], [10, 5]]
    assert [b.end for b in batches] == [Start(2, 1), Start(3, 2), Start(4, 3), Start(6, 5)]
    assert {b.source for b in batches} == {7}
    assert json.loads(batches[0].body()) == {"points": ["x" * 8] * 2}


def test_batches_end_at_so_many_rows() -> None:
    batches = [*batches_of(map(row, range(BATCH_ROWS + 1)), 0, Start())]
    assert [len(b.rows) for b in batches] == [BATCH_ROWS, 1]


def test_faults_stand_in_their_batch_and_the_place_moves_past_them() -> None:
    items: list[Item] = [row(0, point_id="u"), Fault(1, "why", b""), row(5), Fault(6, "why", b"")]
    (only,) = batches_of(items, 0, Start())
    assert [f.place for f in only.faults] == [1, 6]
    assert (only.ids, only.end) == ({"u", 5}, Start(7, 5))


def test_a_source_of_faults_alone_is_not_kept_whole() -> None:
    faults = (Fault(place, "why", b"x" * 9) for place in range(10))
    batches = [*batches_of(faults, 0, Start(), 30)]
    assert [len(one.faults) for one in batches] == [3, 3, 3, 1]
    assert [one.end.rows for one in batches] == [3, 6, 9, 10]


def test_going_on_keeps_the_last_point_where_only_faults_follow() -> None:
    (only,) = batches_of([Fault(9, "why", b"")], 0, Start(9, "u"))
    assert only.end == Start(10, "u")


def test_nothing_makes_no_batch() -> None:
    assert [*batches_of([], 0, Start())] == []
