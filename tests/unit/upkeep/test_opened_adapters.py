"""A damaged row of the store's list of adapters costs that adapter at most, by name."""

from __future__ import annotations

import re
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    Database,
    Distance,
    FitRequest,
    MissingAdapter,
    SearchRequest,
    VectorConfig,
    check_directory,
)
from tests.damage import change, settle, without_triggers
from tests.unit.versions.mixed import SIZES, Account, config_of, texts_of
from tests.unit.versions.test_fitting import pairs_of

QUERY = np.ones(SIZES["v2"], dtype=np.float32)
NAMED = {
    "another folder": "UPDATE adapters SET folder = 'z' || substr(folder, 2)",
    "a folder of no text": "UPDATE adapters SET folder = CAST(X'FF' || folder AS TEXT)",
    "another checksum of it": "UPDATE adapters SET crc32 = crc32 + 1",
    "another checksum": "UPDATE adapters SET checksum = checksum + 1",
    "no checksum": "UPDATE adapters SET checksum = NULL",
}
UNKNOWN = {
    "a column that is none": "UPDATE adapters SET queries = queries + 64",
    "no number": "UPDATE adapters SET queries = 'x'",
}


def make(data: Path, rng: np.random.Generator, *, in_points: bool) -> Path:
    """Make a collection with an adapter, of pairs or of points; return its store."""
    spaces = {v: VectorConfig(SIZES[v], Distance.COSINE) for v in ("v1", "v2")}
    n = 300 if in_points else 100
    with Database.open(data, threads=1) as database:
        collection = database.create("docs", config_of(spaces["v1"]))
        account = Account(collection, texts_of(n, rng), spaces)
        account.declare("v2")
        account.put("v1", range(n))
        if in_points:
            account.put("v2", range(200))
        pairs = None if in_points else pairs_of(account, n)
        collection.versions.fit(FitRequest("v1", "v2", kind="ridge", pairs=pairs))
    store = data / "collections" / "docs" / "store.sqlite3"
    settle(store)
    return store


def folders(store: Path) -> set[str]:
    return {one.name for one in (store.parent / "adapters").iterdir()}


def require_served(collection: Collection, n: int) -> None:
    assert len(collection.retrieve([*range(n)])) == n
    first = np.ones(SIZES["v1"], dtype=np.float32)
    assert len(collection.search(SearchRequest(first, "")).ids) == 10
    with pytest.raises(MissingAdapter):
        collection.search(SearchRequest(QUERY, "@v2", bridge="require"))


@pytest.mark.parametrize("damage", NAMED.values(), ids=list(NAMED))
def test_the_adapter_is_named_until_it_is_dropped(
    damage: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    store = make(tmp_path, rng, in_points=False)
    (folder,) = folders(store)
    assert change(store, damage) == 1
    report = check_directory(tmp_path)
    assert {one.severity for one in report.findings if one.check == "rows"} == {"damage"}
    for _ in range(2):  # a restart forgets nothing of it
        with Database.open(tmp_path, threads=1) as database:
            collection = database.get("docs")
            require_served(collection, 100)
            (shown,) = collection.versions.adapters()
            assert shown.state == "damaged"
            assert (shown.rows, shown.queries) == ("v1", "v2")
            assert str(store.parent) in str(collection.state().last_error)
            with pytest.raises(MissingAdapter, match=re.escape(shown.stage or "?")):
                collection.search(SearchRequest(QUERY, "@v2", bridge="require"))
    assert [one.name for one in (store.parent / "lost+found").iterdir()] == [f"adapters-{folder}"]
    with Database.open(tmp_path, threads=1) as database:
        database.get("docs").versions.drop_adapter("", "v1", "v2")
    with Database.open(tmp_path, threads=1) as database:
        assert database.get("docs").versions.adapters() == []
        assert database.get("docs").state().last_error is None


def test_it_is_fitted_again_where_points_tell_of_it(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    store = make(tmp_path, rng, in_points=True)
    change(store, NAMED["another checksum"])
    with Database.open(tmp_path, threads=1) as database:
        collection = database.get("docs")
        until = time.monotonic() + 60
        while [one.state for one in collection.versions.adapters()] != ["fitted"]:
            assert time.monotonic() < until
            time.sleep(0.02)
        assert len(collection.search(SearchRequest(QUERY, "@v2", bridge="require")).ids) == 10
        assert collection.state().last_error is None
    settle(store)
    assert check_directory(tmp_path).exit_status == 0


@pytest.mark.parametrize("damage", [*UNKNOWN.values(), "lost"], ids=[*UNKNOWN, "lost"])
def test_a_row_that_names_no_adapter_is_logged(
    damage: str, tmp_path: Path, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    store = make(tmp_path, rng, in_points=False)
    (folder,) = folders(store)
    if damage == "lost":
        with closing(sqlite3.connect(store)) as own, own, without_triggers(own):
            own.execute("DELETE FROM adapters")
        settle(store)
    else:
        assert change(store, damage) == 1
    for _ in range(2):
        with Database.open(tmp_path, threads=1) as database:
            require_served(database.get("docs"), 100)
            assert database.get("docs").versions.adapters() == []
    assert "An adapter is" in caplog.text and str(store) in caplog.text
    assert (store.parent / "lost+found" / f"adapters-{folder}").is_dir()


def test_nothing_is_changed_where_nothing_can_be_written(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make(tmp_path / "data", rng, in_points=False)
    change(store, NAMED["another checksum"])
    shutil.copytree(store.parent, tmp_path / "kept")
    monkeypatch.setattr("palimpsest.index.storage.store.takes_no_writes", lambda folder: True)
    with Database.open(tmp_path / "data", threads=1) as database:
        require_served(database.get("docs"), 100)
        (shown,) = database.get("docs").versions.adapters()
        assert shown.state == "damaged"
    assert store.read_bytes() == (tmp_path / "kept" / store.name).read_bytes()
