"""A batch that is refused: the row is named, or done without; a large one is split."""

from __future__ import annotations

import json

import pytest

from palimpsest.app.transfer.batches import Batch
from palimpsest.app.transfer.errors import BadRow, Refused
from palimpsest.app.transfer.refusals import told, write_batch
from palimpsest.app.transfer.rows import Fault, Row


class Server:
    """Takes points whose text is no bad one, and so many at once."""

    def __init__(
        self, bad: set[int], named: bool = True, most: int = 100, status: int = 413
    ) -> None:
        self.bad, self.named, self.most, self.status = bad, named, most, status
        self.held: list[int] = []
        self.calls = 0

    def write(self, body: bytes) -> None:
        self.calls += 1
        ids = [one["id"] for one in json.loads(body)["points"]]
        if len(ids) > self.most:
            raise Refused("PUT", self.status, "it is larger than allowed")
        wrong = [each for each in ids if each in self.bad]
        if wrong:
            raise Refused("PUT", 400, f"wrong (point {wrong[0]})" if self.named else "wrong")
        self.held += ids


def batch(n: int) -> Batch:
    return Batch(0, [Row(p, p + 100, b'{"id":%d}' % (p + 100)) for p in range(n)])


def where(source: int, place: int) -> str:
    return f"file {source}, line {place + 1}"


@pytest.mark.parametrize("named", [True, False])
def test_what_is_refused_is_done_without_and_all_else_is_written_in_order(named: bool) -> None:
    server, rows = Server({103, 104, 119}, named), batch(20)
    write_batch(rows, server.write, True, where)
    assert server.held == [100 + p for p in range(20) if p + 100 not in server.bad]
    assert [fault.place for fault in rows.faults] == [3, 4, 19]
    assert server.calls <= 24


def test_one_row_is_named_and_nothing_is_written() -> None:
    server = Server({103})
    with pytest.raises(BadRow, match=r"file 0, line 4: .*wrong \(point 103\); it reads"):
        write_batch(batch(20), server.write, False, where)
    assert server.held == []


def test_where_the_server_names_none_the_range_is_told() -> None:
    with pytest.raises(BadRow, match="one from file 0, line 1 to 20: the server refuses it: wrong"):
        write_batch(batch(20), Server({103}, named=False).write, False, where)
    with pytest.raises(BadRow, match="file 0, line 1: the server refuses it"):
        write_batch(batch(1), Server({100}, named=False).write, False, where)


@pytest.mark.parametrize("status", [400, 413])
@pytest.mark.parametrize("skips", [True, False])
def test_what_is_too_large_is_split_in_order(skips: bool, status: int) -> None:
    server = Server(set(), most=3, status=status)
    write_batch(batch(20), server.write, skips, where)
    assert server.held == [*range(100, 120)]


def test_a_point_too_large_by_itself_is_a_fault() -> None:
    server, rows = Server(set(), most=0), batch(2)
    write_batch(rows, server.write, True, where)
    assert [fault.why for fault in rows.faults] == ["it is larger than allowed"] * 2
    with pytest.raises(BadRow, match="line 1: the server refuses it: it is larger"):
        write_batch(batch(2), server.write, False, where)


def test_what_is_not_about_rows_is_raised() -> None:
    def write(body: bytes) -> None:
        raise Refused("PUT", 403, "no")

    with pytest.raises(Refused, match="403"):
        write_batch(batch(2), write, True, where)


def test_nothing_is_not_sent() -> None:
    write_batch(Batch(0), Server(set(), most=-1).write, False, where)


def test_a_fault_shows_where_it_begins() -> None:
    assert told(Fault(0, "why", b"ab\xff")) == "why; it reads ab\ufffd"
    assert told(Fault(0, "why", b"x" * 300)).endswith("x...")
