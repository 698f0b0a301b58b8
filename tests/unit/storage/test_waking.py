"""Connections to stores at rest, where the disk is full or takes no writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import Collection, CollectionConfig, Database, Distance, VectorConfig
from palimpsest.index.errors import StorageFull, StoreFailed
from palimpsest.index.storage import waking as waking_module
from palimpsest.index.storage.reserve import SIZE
from tests.points import batch_of

CONFIG = CollectionConfig({"": VectorConfig(4, Distance.COSINE)})
ROWS = np.random.default_rng(4).standard_normal((2, 4), dtype=np.float32)


class Disk:
    """Full, but for what is kept for deletes."""

    def __init__(self, reserve: Path) -> None:
        self._reserve = reserve
        self._connect = waking_module.connect

    def connect(self, path: Path) -> sqlite3.Connection:
        if self._reserve.stat().st_size == SIZE:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
            raise error
        return self._connect(path)


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collection]:
    """A collection at rest on a full disk."""
    with Database.open(tmp_path, threads=1) as database:
        collection = database.create("one", CONFIG)
        collection.upsert(batch_of([1, 2], ROWS, [b'{"a":1}'] * 2)).result()
        database._reserve.refill(at_once=True)
        collection.upkeep.close_files()
        assert not collection.writer.store.is_awake
        monkeypatch.setattr(waking_module, "connect", Disk(tmp_path / "reserve").connect)
        yield collection


def test_reads_go_on_of_what_is_kept_for_deletes(one: Collection) -> None:
    assert one.retrieve([1])[0].payload == b'{"a":1}'


def test_deletes_and_background_work_are_carried_out(one: Collection) -> None:
    assert one.writer.call(one.writer.store.position).result().points == 2
    one.delete([1]).result()
    assert [record.id for record in one.retrieve([1, 2])] == [2]


def test_without_any_room_it_is_told(one: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_: Path) -> sqlite3.Connection:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(waking_module, "connect", nothing)
        with pytest.raises(StorageFull, match="No space left"):
            one.retrieve([1])
    assert len(one.retrieve([1])) == 1


def test_reads_go_on_where_nothing_can_be_written_and_see_what_is_written_later(
    one: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Path) -> sqlite3.Connection:
        error = sqlite3.OperationalError("unable to open database file")
        error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(waking_module, "connect", refused)
        with pytest.raises(StoreFailed):
            one.retrieve([1])
        patched.setattr(waking_module, "takes_no_writes", lambda _: True)
        assert one.retrieve([1])[0].payload == b'{"a":1}'
        with pytest.raises(StoreFailed):
            one.delete([1]).result()
        assert one.refuses_writes is not None
    one.set_payload([1], b'{"a":2}').result()
    assert one.retrieve([1])[0].payload == b'{"a":2}'
    assert one.refuses_writes is None


def test_what_is_in_the_log_alone_is_not_left_out(
    one: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waking_module, "takes_no_writes", lambda _: True)
    assert waking_module.connect_briefly(one.writer.store.path) is not None
    one.set_payload([1], b'{"a":2}').result()
    assert waking_module.connect_briefly(one.writer.store.path) is None
