"""Giving pages back: once nothing is written, or when there are as many as are used; bounded."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from palimpsest.index import Collection
from palimpsest.index.upkeep import vacuuming
from palimpsest.index.upkeep.vacuuming import Vacuuming
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of

N = 6_000
TEXT = b'{"a": "%s"}' % (b"x" * 900)


@pytest.fixture
def collection(collection_of: OpenCollection) -> Collection:
    made = collection_of(config_of(4))
    made.upsert(batch_of([*range(N)], np.ones((N, 4), np.float32), [TEXT] * N)).result()
    return made


@pytest.fixture
def tending(collection: Collection) -> Vacuuming:
    made = Vacuuming(collection.writer, lambda: False)
    assert made.delay() is None
    return made


def test_nothing_is_due_while_few_pages_are_free(
    collection: Collection, tending: Vacuuming
) -> None:
    collection.delete([*range(100)]).result()
    assert tending.delay() is None


def test_pages_are_given_back_once_nothing_is_written(
    collection: Collection, tending: Vacuuming, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = collection.store_bytes
    collection.delete([*range(N - 10)]).result()
    delay = tending.delay()
    assert delay is not None and 0 < delay <= 2.0
    monkeypatch.setattr(vacuuming, "_QUIET_SECONDS", 0.0)
    while tending.delay() is not None:
        tending.vacuum()
    assert collection.writer.store.pages.free_bytes <= 1 << 20
    assert collection.store_bytes < size // 4
    assert len(collection.retrieve([N - 1], with_payload=True)) == 1


def test_pages_are_given_back_under_writes_when_most_are_free(
    collection: Collection, tending: Vacuuming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vacuuming, "_LEAST_BUSY", 1 << 20)
    collection.delete([*range(N - 10)]).result()
    assert tending.delay() == 0
    done, waits = threading.Event(), list[float]()

    def write() -> None:
        while not done.is_set():
            began = time.monotonic()
            collection.upsert(batch_of([N], np.ones((1, 4), np.float32))).result()
            waits.append(time.monotonic() - began)

    writing = threading.Thread(target=write)
    writing.start()
    try:
        for _ in range(100):
            if tending.delay() != 0:
                break
            tending.vacuum()
    finally:
        done.set()
        writing.join()
    assert tending.delay() != 0 and len(waits) > 1


def test_a_store_of_before_keeps_its_pages(collection: Collection, tending: Vacuuming) -> None:
    collection.writer.store.gives_back = False
    collection.delete([*range(N - 10)]).result()
    assert collection.writer.store.pages.free > 0
    assert tending.delay() is None
