from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    CollectionInfo,
    Database,
    Distance,
    MaintenanceConfig,
    SearchRequest,
)
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.errors import (
    CollectionExists,
    CollectionNotFound,
    Damaged,
    DirectoryLocked,
    InvalidConfig,
    StoreFailed,
)
from palimpsest.index.types import Vectors
from tests.points import batch_of, config_of

CONFIG = config_of(4)


def rows(n: int, seed: int = 0) -> Vectors:
    return np.random.default_rng(seed).standard_normal((n, 4), dtype=np.float32)


def test_collections_are_created_listed_and_dropped(database: Database) -> None:
    for name in ("b", "a-v2", "ü \U0001f600"):
        assert database.create(name, CONFIG) is database.get(name)
    assert database.names() == ["a-v2", "b", "ü \U0001f600"]
    with pytest.raises(CollectionExists, match="already exists"):
        database.create("b", CONFIG)
    assert database.drop("b")
    assert not database.drop("b")
    with pytest.raises(CollectionNotFound, match="`b` doesn't exist"):
        database.get("b")
    database.create("b", CONFIG)
    assert database.get("b").count() == 0


@pytest.mark.parametrize("name", ["", ".", "..", *(f"a{c}b" for c in '<>:"/\\|?*\0\x1f'), "\ud800"])
def test_names_that_cannot_be_used_are_refused(database: Database, name: str) -> None:
    with pytest.raises(InvalidConfig, match="name"):
        database.create(name, CONFIG)
    assert database.names() == []


def test_names_have_a_longest(database: Database) -> None:
    database.create("ü" * 127 + "x", CONFIG)
    with pytest.raises(InvalidConfig, match="at most 255 bytes"):
        database.create("ü" * 128, CONFIG)
    with pytest.raises(InvalidConfig, match="at most 200 bytes"):
        database.create("v", CollectionConfig({"v" * 201: VectorConfig(4, Distance.DOT)}))


def test_everything_is_there_after_a_reopen(tmp_path: Path) -> None:
    config = CollectionConfig(CONFIG.vectors, CONFIG.maintenance, {"metadata": {"a": [1]}})
    with Database.open(tmp_path) as database:
        database.create("kept", config).upsert(batch_of([1, 2], rows(2))).result()
        database.create("gone", config)
        database.drop("gone")
    with Database.open(tmp_path) as database:
        assert database.names() == ["kept"]
        assert database.get("kept").config == config
        assert database.get("kept").count() == 2
        assert os.listdir(tmp_path / "unfinished") == []


def test_a_served_directory_is_locked(tmp_path: Path) -> None:
    with Database.open(tmp_path), pytest.raises(DirectoryLocked, match="another process"):
        Database.open(tmp_path)
    with Database.open(tmp_path):
        pass


def _try_open(path: Path, answers: multiprocessing.Queue[str]) -> None:
    try:
        Database.open(path).close()
        answers.put("opened")
    except DirectoryLocked:
        answers.put("locked")


def test_another_process_is_kept_out(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[str] = context.Queue()
    with Database.open(tmp_path):
        other = context.Process(target=_try_open, args=(tmp_path, answers))
        other.start()
        other.join()
    assert answers.get() == "locked"


def test_one_damaged_collection_does_not_stop_the_others(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        for name in ("good", "bad", "worse"):
            database.create(name, CONFIG).upsert(batch_of(list(range(100)), rows(100))).result()
        wait_for_upkeep(database)
    (segment,) = (tmp_path / "collections" / "bad" / "segments").iterdir()
    (segment / "kept.npy").unlink()
    (tmp_path / "collections" / "worse" / "store.sqlite3").write_bytes(b"x" * 10_000)
    with Database.open(tmp_path) as database:
        assert database.names() == ["bad", "good", "worse"]
        assert "kept.npy" in database.damaged()["bad"]
        assert "store.sqlite3" in database.damaged()["worse"]
        for name in ("bad", "worse"):
            with pytest.raises(Damaged, match="damaged"):
                database.get(name)
            with pytest.raises(CollectionExists):
                database.create(name, CONFIG)
        assert database.get("good").count() == 100
        assert database.drop("bad")
        assert database.names() == ["good", "worse"]
        assert list(database.damaged()) == ["worse"]


def test_rows_are_sealed_in_the_background(database: Database) -> None:
    maintenance = MaintenanceConfig(seal_rows=64, quiet_rows=64, quiet_seconds=0, tier_factor=2)
    collection = database.create("a", CollectionConfig(CONFIG.vectors, maintenance))
    for start in range(0, 640, 64):
        ids = list(range(start, start + 64))
        collection.upsert(batch_of(ids, rows(64, start))).result()
    wait_for_upkeep(database)
    state = collection.state()
    assert (state.points, state.vectors[""].growing, state.pending) == (640, 0, 0)
    assert len(collection.search(SearchRequest(rows(1)[0], k=1_000)).ids) == 640
    assert (state.running, state.last_error) == ([], None)


def is_busy(state: CollectionInfo) -> bool:
    return bool(state.pending or state.running)


def wait_for_upkeep(database: Database) -> None:
    deadline = time.monotonic() + 60
    while any(is_busy(database.get(name).state()) for name in database.names()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_new_settings_are_looked_at_without_a_write(database: Database) -> None:
    never = MaintenanceConfig(quiet_rows=1, quiet_seconds=1e6)
    collection = database.create("a", CollectionConfig(CONFIG.vectors, never))
    collection.upsert(batch_of(list(range(100)), rows(100))).result()
    time.sleep(0.2)
    assert collection.state().pending == 100
    at_once = MaintenanceConfig(quiet_rows=1, quiet_seconds=0)
    collection.reconfigure(CollectionConfig(CONFIG.vectors, at_once))
    wait_for_upkeep(database)


def test_a_closed_database_refuses_changes(tmp_path: Path) -> None:
    database = Database.open(tmp_path)
    database.close()
    database.close()
    with pytest.raises(StoreFailed, match="closed"):
        database.create("a", CONFIG)
    with pytest.raises(StoreFailed, match="closed"):
        database.drop("a")


def test_closing_during_a_seal_is_quick_and_loses_nothing(tmp_path: Path) -> None:
    vectors = {"": VectorConfig(64, Distance.COSINE, ef_construction=800)}
    config = CollectionConfig(vectors, MaintenanceConfig(quiet_rows=1, quiet_seconds=0))
    values = np.random.default_rng(0).standard_normal((20_000, 64), dtype=np.float32)
    with Database.open(tmp_path, threads=1) as database:
        collection = database.create("a", config)
        collection.upsert(batch_of(list(range(20_000)), values)).result()
        deadline = time.monotonic() + 30
        while not collection.state().running:
            assert time.monotonic() < deadline
            time.sleep(0.005)
    with Database.open(tmp_path) as database:
        assert database.get("a").count() == 20_000
        assert database.get("a").state().vectors[""].points == 20_000


def test_an_unforeseen_failure_of_one_collection_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Database.open(tmp_path, threads=1) as database:
        for name in ("good", "odd"):
            database.create(name, CollectionConfig({}))
    plain = Collection.open

    def fail_one(name: str, *rest: Any, **options: Any) -> Collection:
        if name == "odd":
            raise ZeroDivisionError("odd indeed")
        return plain(name, *rest, **options)

    monkeypatch.setattr(Collection, "open", fail_one)
    with Database.open(tmp_path, threads=1) as database:
        assert database.get("good").count() == 0
        assert "odd indeed" in database.damaged()["odd"]
        with pytest.raises(StoreFailed, match="odd indeed"):
            database.get("odd")


def test_a_collection_of_the_same_name_is_another(database: Database) -> None:
    first = database.create("c", config_of(3)).state().store_id
    database.drop("c")
    assert database.create("c", config_of(3)).state().store_id != first
