"""Collections closed and dropped while they are in use."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import Collection, Database, SearchRequest
from palimpsest.index.errors import CollectionNotFound, StoreFailed
from palimpsest.index.storage import reader as reader_module
from palimpsest.index.types import Vectors
from tests.conftest import OpenCollection
from tests.points import batch_of, config_of

CONFIG = config_of(4)
MINUTE = 60


def rows(n: int, seed: int = 0) -> Vectors:
    return np.random.default_rng(seed).standard_normal((n, 4), dtype=np.float32)


def read_until_gone(collection: Collection, started: threading.Barrier, ends: list[str]) -> None:
    started.wait(MINUTE)
    try:
        while True:
            collection.scroll(None, 500)
            collection.retrieve(list(range(500)))
    except CollectionNotFound as error:
        ends.append(error.name)


def test_a_collection_may_be_dropped_during_reads(database: Database) -> None:
    for _ in range(5):
        collection = database.create("a", CONFIG)
        collection.upsert(batch_of(list(range(500)), rows(500), [b"{}"] * 500)).result()
        started, ends = threading.Barrier(4), list[str]()
        arguments = (collection, started, ends)
        readers = [threading.Thread(target=read_until_gone, args=arguments) for _ in range(3)]
        for reader in readers:
            reader.start()
        started.wait(MINUTE)
        assert database.drop("a")
        for reader in readers:
            reader.join(MINUTE)
        assert ends == ["a"] * 3


def test_closing_waits_for_the_read_under_way(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = collection_of(CONFIG)
    collection.upsert(batch_of([1], rows(1))).result()
    inside, go_on = threading.Event(), threading.Event()
    look_up = reader_module.look_up

    def slow(*arguments: object) -> object:
        inside.set()
        go_on.wait(MINUTE)
        return look_up(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(reader_module, "look_up", slow)
    found: list[int] = []
    reading = threading.Thread(target=lambda: found.append(len(collection.retrieve([1]))))
    closing = threading.Thread(target=collection.close)
    reading.start()
    assert inside.wait(MINUTE)
    closing.start()
    collection.writer._thread.join(MINUTE)
    go_on.set()
    reading.join(MINUTE)
    closing.join(MINUTE)
    assert found == [1]


def test_a_closed_collection_is_not_found(collection_of: OpenCollection) -> None:
    collection = collection_of(CONFIG)
    collection.upsert(batch_of([1], rows(1))).result()
    collection.close()
    for call in (
        lambda: collection.upsert(batch_of([1], rows(1))),
        lambda: collection.delete([1]),
        lambda: collection.retrieve([1]),
        lambda: collection.scroll(None, 1),
        lambda: collection.search(SearchRequest(rows(1)[0], with_payload=True)),
        lambda: collection.reconfigure(CONFIG),
    ):
        with pytest.raises(CollectionNotFound, match="test"):
            call()


def test_a_drop_that_fails_leaves_the_collection(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.create("a", CONFIG).upsert(batch_of([1, 2], rows(2))).result()

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", fail)
        with pytest.raises(StoreFailed, match="drop collection 'a'"):
            database.drop("a")
    assert database.get("a").count() == 2
    database.get("a").delete([1]).result()
    assert database.drop("a")
    assert database.names() == []


def test_a_collection_that_fails_to_close_does_not_keep_the_others_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database.open(tmp_path)
    first, second = database.create("a", CONFIG), database.create("b", CONFIG)
    close = first.close

    def fail() -> None:
        close()
        raise StoreFailed("no")

    monkeypatch.setattr(first, "close", fail)
    with pytest.raises(StoreFailed, match="no"):
        database.close()
    with pytest.raises(CollectionNotFound):
        second.delete([1])
    Database.open(tmp_path).close()


def test_an_error_raised_again_does_not_grow(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        database.create("bad", CONFIG)
    (tmp_path / "collections" / "bad" / "store.sqlite3").write_bytes(b"x" * 10_000)
    with Database.open(tmp_path) as database:
        errors = []
        for _ in range(2):
            with pytest.raises(Exception, match="damaged") as caught:
                database.get("bad")
            errors.append(caught.value)
        assert errors[0] is not errors[1]
        assert type(errors[0]) is type(errors[1])
        assert str(errors[0]) == str(errors[1]) == database.damaged()["bad"]
        assert database._broken["bad"].__traceback__ is None


def test_new_folders_are_synced_into_their_parents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[Path] = set()
    sync = os.fsync

    def note(descriptor: int) -> None:
        synced.add(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    path = tmp_path / "above" / "database"
    with Database.open(path) as database:
        assert {tmp_path, tmp_path / "above", path} <= synced
        database.create("a", CONFIG)
        synced.clear()
        database.drop("a")
        assert {path / "collections", path / "unfinished"} <= synced
