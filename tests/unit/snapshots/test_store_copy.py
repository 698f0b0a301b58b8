"""A copy of a store is as of one commit, compact, and a store with a log."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from palimpsest.index.snapshots.store_copy import copy_store
from palimpsest.index.storage.known_schema import require_known_schema
from palimpsest.index.storage.local import Local
from palimpsest.index.storage.schema import connect_frozen, connect_reading, create_store
from palimpsest.index.storage.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "of" / "store.sqlite3"
    path.parent.mkdir()
    create_store(path, {"n": 1})
    return path


def bytes_of(path: Path) -> int:
    return path.stat().st_size


def test_writes_behind_the_read_are_not_in_it(store: Path, tmp_path: Path) -> None:
    writing = Store.open(store)
    with closing(connect_reading(store)) as reading:
        reading.execute("BEGIN")
        reading.execute("SELECT seq FROM position").fetchone()
        with writing.transaction():
            writing.superseded.plan("later")
        copy_store(reading, Local(tmp_path), "copy")
    writing.close()
    with closing(connect_frozen(tmp_path / "copy")) as copy:
        require_known_schema(tmp_path / "copy", copy)
        assert copy.execute("SELECT count(*) FROM superseded").fetchone() == (0,)
    assert (tmp_path / "copy").read_bytes()[18:20] == b"\2\2"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "of"]


def test_free_pages_and_statistics_are_left_out(store: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(store, isolation_level=None)) as own:
        own.execute("ANALYZE")
        own.execute("CREATE TABLE filling (x BLOB)")
        own.execute("INSERT INTO filling VALUES (zeroblob(4000000))")
        own.execute("DROP TABLE filling")
        copy_store(own, Local(tmp_path), "copy")
    assert bytes_of(store) > 4_000_000 > 10 * bytes_of(tmp_path / "copy")
    with closing(connect_frozen(tmp_path / "copy")) as copy:
        require_known_schema(tmp_path / "copy", copy)
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_it_can_be_ended(store: Path, tmp_path: Path) -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with closing(connect_reading(store)) as own, pytest.raises(KeyboardInterrupt):
        copy_store(own, Local(tmp_path), "copy", stop)
