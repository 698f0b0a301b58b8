"""A collection whose store fails says so until a write succeeds, which is tried without clients."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from palimpsest.app.health.conditions import conditions, status_of
from palimpsest.index import (
    Collection,
    CollectionConfig,
    Database,
    Distance,
    NamedVectors,
    PointBatch,
    StoreFailed,
    VectorConfig,
)

SECONDS = 30
CONFIG = CollectionConfig({"": VectorConfig(size=2, distance=Distance.DOT)})


def write(collection: Collection) -> None:
    vectors = {"": NamedVectors(np.arange(1), np.ones((1, 2), dtype=np.float32))}
    collection.upsert(PointBatch([1], vectors, [None])).result(SECONDS)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def let_write(collection: Collection, allowed: bool) -> None:
    connection = collection.writer.store._connection
    run = collection.writer.call(lambda: connection.execute(f"PRAGMA query_only = {not allowed}"))
    run.result(SECONDS)


def test_a_failing_store_is_red_until_a_write_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("palimpsest.index.upkeep.attempts._RETRY_SECONDS", 0.05)
    with Database.open(tmp_path, threads=1) as database:
        failing, well = database.create("failing", CONFIG), database.create("well", CONFIG)
        write(failing)
        assert failing.refuses_writes is None
        let_write(failing, False)
        with pytest.raises(StoreFailed) as error:
            write(failing)
        wait_for(lambda: failing.state().last_error is not None)  # what is tried fails as well
        assert failing.refuses_writes == str(error.value)
        found = {one.name: one for one in conditions([failing, well], {"broken": "why"})}
        assert {name: one.status for name, one in found.items()} == {
            "failing": "red",
            "well": "green",
            "broken": "red",
        }
        assert found["failing"].refuses_writes == found["failing"].error == str(error.value)
        assert found["broken"].damaged and found["broken"].error == "why"
        let_write(failing, True)
        wait_for(lambda: failing.refuses_writes is None)
        wait_for(lambda: status_of(failing.state()) == "green")
        write(failing)


def test_a_write_that_is_stored_and_not_applied_refuses_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("odd")

    with Database.open(tmp_path, threads=1) as database:
        collection = database.create("a", CONFIG)
        with monkeypatch.context() as patched:
            patched.setattr("palimpsest.index.write.writer.apply", fail)
            with pytest.raises(MemoryError):
                write(collection)
        with pytest.raises(StoreFailed) as error:
            write(collection)
        assert collection.refuses_writes == str(error.value)
        assert status_of(collection.state()) == "red"


def test_the_disk_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        assert database.try_disk() is None
        assert list((tmp_path / "unfinished").iterdir()) == []
        (tmp_path / "unfinished").rmdir()
        assert "Could not write" in str(database.try_disk())
        (tmp_path / "unfinished").mkdir()
