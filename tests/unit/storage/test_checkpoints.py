"""The log moves into the database beside writers and readers, and is emptied when it can be."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from palimpsest.index.errors import StorageError
from palimpsest.index.storage.checkpoints import Checkpoints
from palimpsest.index.storage.schema import connect, connect_reading, peek
from palimpsest.index.storage.store import Store


def log(path: Path) -> int:
    return path.with_name(path.name + "-wal").stat().st_size


def write(store: Store, size: int) -> None:
    with store.transaction():
        store.put_config({"vectors": {}, "declared": {"имя": "ж" * size}})


def test_what_was_committed_is_in_the_database_and_the_log_empty(path: Path, store: Store) -> None:
    write(store, 5_000)
    assert log(path) > 0 and "declared" not in peek(path)[0]
    checkpoints = Checkpoints(path)
    checkpoints.move()
    assert len(peek(path)[0]["declared"]["имя"]) == 5_000 and log(path) > 0
    assert checkpoints.trim() and log(path) == 0
    assert checkpoints.trim(), "nothing is left to do"


def test_a_read_under_way_keeps_the_log_and_loses_nothing(path: Path, store: Store) -> None:
    with closing(connect_reading(path)) as reading:
        reading.execute("BEGIN")
        reading.execute("SELECT * FROM settings").fetchall()
        write(store, 100)
        assert not Checkpoints(path).trim() and log(path) > 0
        reading.execute("ROLLBACK")
    assert Checkpoints(path).trim()
    assert len(peek(path)[0]["declared"]["имя"]) == 100


def test_a_write_under_way_is_waited_for_by_nobody(path: Path, store: Store) -> None:
    with closing(connect(path)) as own:
        own.execute("BEGIN IMMEDIATE")
        assert not Checkpoints(path).trim()
        own.execute("ROLLBACK")


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        Checkpoints(tmp_path / "none.sqlite3").move()
    assert list(tmp_path.iterdir()) == []
