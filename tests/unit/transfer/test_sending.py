"""Several requests at once, and yet the last write of a point is the last."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import pytest

from palimpsest.app.transfer.batches import Batch
from palimpsest.app.transfer.rows import Row
from palimpsest.app.transfer.sending import send_all


def batch(number: int, *ids: int) -> Batch:
    rows = [Row(number, each, str(number).encode()) for each in ids or (number + 1_000,)]
    return Batch(0, rows, ids={each.id for each in rows})


def nothing() -> None:
    """Stop nothing."""


def test_all_are_given_in_their_order_and_written_at_once() -> None:
    together = threading.Barrier(4)  # which is passed only by four that write at the same time
    batches = [batch(n) for n in range(16)]
    done = [*send_all(batches, lambda _: together.wait(10) and None, 4, nothing)]
    assert done == batches


def test_the_last_write_of_a_point_is_the_last() -> None:
    rng, held, lock = random.Random(3), {}, threading.Lock()
    batches = [batch(n, *rng.sample(range(6), 2)) for n in range(60)]

    def write(one: Batch) -> None:
        time.sleep(0.002 if one.rows[0].place % 3 else 0.0)
        with lock:
            held.update({row.id: row.text for row in one.rows})

    assert [*send_all(batches, write, 4, nothing)] == batches
    assert held == {row.id: row.text for one in batches for row in one.rows}


def test_what_is_before_a_failure_is_given_and_nothing_behind_it() -> None:
    stopped = threading.Event()

    def write(one: Batch) -> None:
        if one.rows[0].place == 5:
            raise ValueError("five")

    given = []
    with pytest.raises(ValueError, match="five"):
        for one in send_all([batch(n) for n in range(100)], write, 3, stopped.set):
            given.append(one.rows[0].place)
    assert given == [0, 1, 2, 3, 4] and stopped.is_set()


def test_a_source_that_breaks_off_loses_nothing_before_it() -> None:
    def source() -> Iterator[Batch]:
        yield from (batch(n) for n in range(7))
        raise OSError("cut off")

    given = []
    with pytest.raises(OSError, match="cut off"):
        for one in send_all(source(), lambda _: time.sleep(0.005), 3, nothing):
            given.append(one.rows[0].place)
    assert given == [*range(7)]


def test_whoever_stops_reading_ends_the_waits() -> None:
    stopped = threading.Event()
    running = send_all([batch(n) for n in range(9)], lambda _: None, 2, stopped.set)
    next(running)
    running.close()
    assert stopped.is_set()
