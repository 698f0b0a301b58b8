"""Connections of threads that read: one each, closed between reads, and for good in the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from palimpsest.index.errors import CollectionNotFound, StoreFailed
from palimpsest.index.storage.connections import Connections
from palimpsest.index.storage.store import Store

MINUTE = 60


class Opened:
    """Counts the connections that were opened."""

    count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def opened() -> Opened:
    return Opened()


@pytest.fixture
def connections(path: Path, store: Store, opened: Opened) -> Iterator[Connections]:
    made = Connections(path, "имя", frozen=False, opened=opened, reserve=None)
    yield made
    made.close()


def points(connections: Connections) -> int:
    with connections._reading() as connection:
        return int(connection.execute("SELECT points FROM position").fetchone()[0])


def test_they_rest_between_reads_and_end_with_the_last(connections: Connections) -> None:
    assert not connections.is_open
    points(connections)
    assert connections.is_open and connections.rest() and not connections.is_open
    inside, leave = threading.Event(), threading.Event()

    def read() -> None:
        with connections._reading():
            inside.set()
            leave.wait(MINUTE)

    reading = threading.Thread(target=read)
    reading.start()
    assert inside.wait(MINUTE) and not connections.rest()
    closing = threading.Thread(target=connections.close)
    closing.start()
    closing.join(0.05)
    assert closing.is_alive(), "it waits for the read under way"
    leave.set()
    closing.join(MINUTE)
    reading.join(MINUTE)
    with pytest.raises(CollectionNotFound, match="имя"):
        points(connections)


def test_one_for_each_thread(connections: Connections, opened: Opened) -> None:
    for _ in range(3):
        points(connections)
    assert opened.count == 1
    thread = threading.Thread(target=points, args=(connections,))
    thread.start()
    thread.join(MINUTE)
    assert (opened.count, connections.reads) == (2, 4)


def test_nothing_is_written_through_them(connections: Connections) -> None:
    with pytest.raises(StoreFailed, match="readonly"), connections._reading() as connection:
        connection.execute("UPDATE position SET points = 7")
    assert points(connections) == 0
